/** A bounce pattern of the draft as the classifier takes it. */
import { type BouncePattern, CLASS_OF, type PatternType } from '../bounce/index.ts';
import type { BounceClass } from '../core/index.ts';
import type { BouncePatternDraft } from './draft.ts';

const CLASS_OF_TYPE: Readonly<Record<Exclude<PatternType, 'B'>, BounceClass>> = { HB: 'hard', SB: 'soft' };

export function bouncePatternOf(entry: BouncePatternDraft): BouncePattern {
  const { name, isp, pattern, category, phase, message, source } = entry;
  return {
    name,
    isp: isp.length === 1 ? isp[0]! : isp,
    pattern,
    class: classOf(entry),
    category,
    ...(phase !== undefined && { phases: phase }),
    ...(message !== undefined && { message }),
    ...(source !== undefined && { source }),
  };
}

/** As given; else what the category usually means, unless the type says otherwise. */
function classOf({ type, class: given, category }: BouncePatternDraft): BounceClass {
  if (given !== undefined) return given;
  const usual = CLASS_OF[category];
  if (type === undefined) return usual;
  if (type !== 'B') return CLASS_OF_TYPE[type];
  return usual === 'block' ? 'block' : 'other';
}
