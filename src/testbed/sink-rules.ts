/**
 * How a sink misbehaves: rules that say at which step, to whom, how often and with what. The first rule that matches
 * wins. In text form, as on the command line:
 *   PHASE [RECIPIENT] [SHARE] [once] = REPLY | disconnect | hang
 *   rcpt *@a.test 20% = 451 4.7.1 greylisted     content once = disconnect     mid-content 0.1 = hang
 */
import { err, ok, splitEnhanced, type Reply, type Result } from '../core/index.ts';

/** `content` is after the last byte and before the reply to it; `mid-content` after the first bytes. */
export type SinkPhase = 'greeting' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'mid-content' | 'content';

export type SinkAction = Reply | 'disconnect' | 'hang';

export interface SinkRule {
  readonly phase: SinkPhase;
  /** `u@d.test`, `*@d.test`, any pattern with `*`; default: all. In phase mail it is the sender that is compared. */
  readonly recipient?: string;
  /** Part of the cases, 0 to 1, drawn each time; default: all. */
  readonly share?: number;
  /** Only the first time for each recipient (greylisting); before MAIL, for each peer address. */
  readonly once?: boolean;
  readonly action: SinkAction;
}

const PHASES: ReadonlySet<string> = new Set<SinkPhase>([
  'greeting',
  'ehlo',
  'mail',
  'rcpt',
  'data',
  'mid-content',
  'content',
]);

const isPhase = (text: string | undefined): text is SinkPhase => text !== undefined && PHASES.has(text);

/** A function that tells whether an address fits a pattern. */
export function matcherOf(pattern: string): (address: string) => boolean {
  const wanted = pattern.toLowerCase();
  const star = wanted.indexOf('*');
  if (star < 0) return (address) => address.toLowerCase() === wanted;
  if (star === 0 && wanted.lastIndexOf('*') === 0)
    return (address) => address.toLowerCase().endsWith(wanted.slice(1));
  const parts = wanted.split('*').map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  const expression = new RegExp(`^${parts.join('.*')}$`, 's');
  return (address) => expression.test(address.toLowerCase());
}

interface CompiledRule {
  readonly rule: SinkRule;
  readonly matches: (address: string) => boolean;
  readonly seen: Set<string>;
}

export class SinkRules {
  readonly #random: () => number;
  readonly #byPhase = new Map<SinkPhase, CompiledRule[]>();

  constructor(rules: readonly SinkRule[], random: () => number) {
    this.#random = random;
    for (const rule of rules) {
      const compiled = { rule, matches: matcherOf(rule.recipient ?? '*'), seen: new Set<string>() };
      this.#byPhase.set(rule.phase, [...(this.#byPhase.get(rule.phase) ?? []), compiled]);
    }
  }

  has(phase: SinkPhase): boolean {
    return this.#byPhase.has(phase);
  }

  /** What to do to these recipients (before RCPT: the sender, or the peer's address) in a phase, if anything. */
  find(phase: SinkPhase, subjects: readonly string[]): SinkAction | undefined {
    for (const compiled of this.#byPhase.get(phase) ?? [])
      if (this.#applies(compiled, subjects)) return compiled.rule.action;
    return undefined;
  }

  #applies({ rule, matches, seen }: CompiledRule, subjects: readonly string[]): boolean {
    const hits = subjects.filter((subject) => matches(subject) && !(rule.once && seen.has(subject)));
    if (hits.length === 0) return false;
    if (rule.share !== undefined && this.#random() >= rule.share) return false;
    if (rule.once) for (const hit of hits) seen.add(hit);
    return true;
  }
}

/** `451 4.7.1 some text`. */
export function parseReply(text: string): Reply | undefined {
  const match = /^([245]\d\d)(?:\s+(.*))?$/s.exec(text.trim());
  if (!match) return undefined;
  return { code: Number(match[1]), ...splitEnhanced(match[2] ?? '') };
}

/** Reads a rule in its text form; the error is one sentence. */
export function parseSinkRule(text: string): Result<SinkRule, string> {
  const equals = text.indexOf('=');
  if (equals < 0)
    return err('A rule has the form PHASE [RECIPIENT] [SHARE] [once] = REPLY, disconnect or hang');
  const [phase, ...words] = text.slice(0, equals).trim().split(/\s+/);
  if (!isPhase(phase)) return err(`The phase is one of ${[...PHASES].join(', ')}`);
  const action = parseAction(text.slice(equals + 1).trim());
  if (action === undefined)
    return err('The action is a reply such as "451 4.7.1 later", or disconnect, or hang');
  if (phase === 'mid-content' && typeof action !== 'string')
    return err('In mid-content there is no reply, only disconnect or hang');
  const conditions = parseConditions(words);
  return conditions.ok ? ok({ phase, action, ...conditions.value }) : conditions;
}

function parseAction(text: string): SinkAction | undefined {
  return text === 'disconnect' || text === 'hang' ? text : parseReply(text);
}

type Conditions = Pick<SinkRule, 'recipient' | 'share' | 'once'>;

function parseConditions(words: readonly string[]): Result<Conditions, string> {
  let conditions: Conditions = {};
  for (const word of words) {
    const share = parseShare(word);
    if (word === 'once') conditions = { ...conditions, once: true };
    else if (share !== undefined) conditions = { ...conditions, share };
    else if (/[@*]/.test(word)) conditions = { ...conditions, recipient: word };
    else return err(`"${word}" is no recipient pattern, no share such as 20% or 0.2, and not "once"`);
  }
  return ok(conditions);
}

function parseShare(word: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(word);
  if (!match) return undefined;
  const share = Number(match[1]) / (match[2] === '%' ? 100 : 1);
  return share <= 1 ? share : undefined;
}
