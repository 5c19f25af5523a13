/** Names: unique in their list, and every reference to one finds it. A domain belongs to one ISP. */
import { Unique, type Checked } from './checked.ts';
import type { IspDraft } from './draft.ts';
import { instead, type Path } from './problem.ts';

interface Named {
  readonly name: string;
}

export function checkNames({ draft, report }: Checked): void {
  const { nodes, isps, strategies, retry_rules, lock_rules, bounce_patterns, senders, virtual_senders } =
    draft.lists;
  const { warmup_plans, caps, policies } = draft.lists;
  const named: Readonly<Record<string, readonly Named[]>> = {
    node: nodes,
    ISP: isps,
    strategy: strategies,
    'retry rule': retry_rules,
    'lock rule': lock_rules,
    rule: draft.lists.rules.flatMap((rule) => (rule.name === undefined ? [] : [rule as typeof rule & Named])),
    'bounce pattern': bounce_patterns,
    'warm-up plan': warmup_plans,
    cap: caps,
    policy: policies,
    sender: senders,
    'virtual sender': virtual_senders,
  };
  for (const [what, list] of Object.entries(named)) {
    const unique = new Unique(report);
    for (const entry of list) {
      const message = (place: string): string =>
        `${what} "${entry.name}" is already defined at ${place}: give one of them another name`;
      unique.add(entry.name, draft.at(entry, 'name'), message);
    }
  }
}

/** A kind of reference: what to call it, and the list it points into. */
const KINDS = {
  node: 'nodes',
  strategy: 'strategies',
  sender: 'senders',
  'retry rule': 'retry_rules',
  'warm-up plan': 'warmup_plans',
  ISP: 'isps',
} as const;

type Refer = (kind: keyof typeof KINDS, name: string, path: Path) => void;

export function checkReferences(checked: Checked): void {
  const { draft, report, names } = checked;
  const refer: Refer = (kind, name, path) => {
    const known = names(KINDS[kind]);
    if (!known.includes(name)) report.error(path, `unknown ${kind} "${name}"${instead(name, known, kind)}`);
  };
  for (const node of draft.lists.nodes) {
    if (node.strategies) referStrategies(node.strategies, draft.at(node, 'strategies'), checked, refer);
    if (node.warmup !== null) refer('warm-up plan', node.warmup, draft.at(node, 'warmup'));
  }
  for (const isp of draft.lists.isps)
    if (isp.strategy !== undefined) refer('strategy', isp.strategy, draft.at(isp, 'strategy'));
  for (const plan of draft.lists.warmup_plans)
    for (const isp of Object.keys(plan.isps)) refer('ISP', isp, draft.at(plan, 'isps', isp));
  for (const cap of draft.lists.caps) {
    refer('ISP', cap.isp, draft.at(cap, 'isp'));
    if (cap.sender !== undefined) refer('sender', cap.sender, draft.at(cap, 'sender'));
  }
  for (const sender of draft.lists.senders) {
    for (const share of sender.nodes) refer('node', share.node, draft.at(share, 'node'));
    referStrategies(sender.strategies, draft.at(sender, 'strategies'), checked, refer);
    if (sender.retry !== undefined) refer('retry rule', sender.retry, draft.at(sender, 'retry'));
  }
  for (const rule of draft.lists.virtual_senders.flatMap((one) => one.rules)) {
    for (const share of rule.senders) refer('sender', share.sender, draft.at(share, 'sender'));
    if (rule.when !== 'default')
      referIsps(rule.when.isp ?? [], draft.at(rule, 'when', 'isp'), checked, refer);
  }
  checkUsers(checked);
}

function referStrategies(
  map: Readonly<Record<string, string>>,
  path: Path,
  { report, names }: Checked,
  refer: Refer,
): void {
  const known = ['default', ...names('isps')];
  for (const [isp, strategy] of Object.entries(map)) {
    const at = [...path, isp];
    if (!known.includes(isp)) report.error(at, `unknown ISP "${isp}"${instead(isp, known, 'ISP')}`, 'key');
    refer('strategy', strategy, at);
  }
}

/** One name may stand without the brackets of a list. */
function referIsps(isps: readonly string[], path: Path, { report }: Checked, refer: Refer): void {
  const isList = Array.isArray(report.sources.at(path));
  for (const [i, isp] of isps.entries()) refer('ISP', isp, isList ? [...path, i] : path);
}

/** Users of injection and tokens may be limited to senders and virtual senders. */
function checkUsers({ draft, report, names }: Checked): void {
  const known = [...names('senders'), ...names('virtual_senders')];
  const unique = new Unique(report);
  const limited = (entry: { readonly senders: readonly string[] }): void => {
    for (const [i, name] of entry.senders.entries())
      if (!known.includes(name))
        report.error(
          draft.at(entry, 'senders', i),
          `unknown sender "${name}"${instead(name, known, 'sender')}`,
        );
  };
  for (const entry of draft.settings.smtp.auth) {
    const { user } = entry;
    unique.add(user, draft.at(entry, 'user'), (place) => `user "${user}" is already defined at ${place}`);
    limited(entry);
  }
  const tokens = new Unique(report);
  for (const entry of draft.settings.control.tokens) {
    const { name } = entry;
    tokens.add(name, draft.at(entry, 'name'), (place) => `token "${name}" is already defined at ${place}`);
    limited(entry);
  }
}

// `default` is a key of `strategies`; `other` is what events call a domain of no ISP.
const RESERVED: ReadonlySet<string> = new Set(['default', 'other']);

const OWNED = {
  domains: (domain: string) => (place: string) =>
    `domain "${domain}" is already in an ISP at ${place}: a domain belongs to one ISP`,
  mx: (host: string) => (place: string) =>
    `mail host "${host}" is already in an ISP at ${place}: a host belongs to one ISP`,
};

/** A mail host that a suffix of an ISP before covers: the first ISP that matches gets the mail. */
function checkSuffixes(
  isp: IspDraft,
  isps: readonly IspDraft[],
  { draft, report }: Pick<Checked, 'draft' | 'report'>,
): void {
  const before = isps.slice(0, isps.indexOf(isp));
  for (const [i, host] of isp.mx.entries()) {
    const wider = before.find(({ mx }) => mx.some((one) => one !== host && covers(one, host)));
    if (!wider) continue;
    const place = report.sources.placeOf(draft.at(wider));
    report.error(
      draft.at(isp, 'mx', i),
      `mail host "${host}" is covered by ISP "${wider.name}" at ${place}, which comes first: move this ISP before it`,
    );
  }
}

const covers = (pattern: string, host: string): boolean =>
  pattern.startsWith('*.') && host.replace('*', 'x').endsWith(pattern.slice(1));

export function checkIsps({ draft, report }: Checked): void {
  const unique = { domains: new Unique(report), mx: new Unique(report) };
  for (const isp of draft.lists.isps) {
    if (RESERVED.has(isp.name))
      report.error(
        draft.at(isp, 'name'),
        `"${isp.name}" has a meaning of its own: give the ISP another name`,
      );
    for (const list of ['domains', 'mx'] as const)
      for (const [i, value] of isp[list].entries())
        unique[list].add(value, draft.at(isp, list, i), OWNED[list](value));
    checkSuffixes(isp, draft.lists.isps, { draft, report });
    const written = report.sources.at(draft.at(isp)) as { domains?: unknown; mx?: unknown };
    if (!written.domains && !written.mx)
      report.error(draft.at(isp), 'an ISP needs domains or mx: write domains: [gmail.com]');
  }
}
