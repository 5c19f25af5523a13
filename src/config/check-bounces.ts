/** Bounce patterns: type and class agree, and none of them is dead, hidden or there twice. */
import { checkPatterns, typeOf } from '../bounce/index.ts';
import type { Checked } from './checked.ts';
import { instead } from './problem.ts';
import { bouncePatternOf } from './resolve-bounces.ts';

export function checkBouncePatterns({ draft, report, names }: Checked): void {
  const entries = draft.lists.bounce_patterns;
  for (const entry of entries) {
    const { isp, type, class: given } = entry;
    const known = names('isps');
    for (const name of isp)
      if (name === '*' ? isp.length > 1 : !known.includes(name))
        report.error(
          draft.at(entry, 'isp'),
          name === '*'
            ? '"*" is all ISPs: leave the others out'
            : `unknown ISP "${name}"${instead(name, known, 'ISP')}`,
        );
    if (type !== undefined && given !== undefined && typeOf(given) !== type)
      report.error(
        draft.at(entry, 'type'),
        `class ${given} is type ${typeOf(given)}, not ${type}: leave one of them out`,
      );
  }
  if (report.errors.length > 0) return;
  for (const { index, kind, text } of checkPatterns(entries.map(bouncePatternOf)))
    report.warn(draft.at(entries[index]!), `${WORDS[kind]}: ${text}`);
}

const WORDS = {
  duplicate: 'this bounce pattern is there twice',
  shadowed: 'this bounce pattern never decides',
  dead: 'this bounce pattern never matches',
} as const;
