/** Jobs and marks as they are shown. */
import { ownsSelector } from './bounds.ts';
import type { Caller } from './caller.ts';
import type { Refused } from './refused.ts';
import type { JobRecord, Mark, Operation, Selector } from '../queue/index.ts';

export interface SelectorView {
  readonly sender?: string | undefined;
  readonly node?: string | undefined;
  readonly account_id?: string | undefined;
  readonly campaign_id?: string | undefined;
  readonly isp?: string | undefined;
  readonly domain?: string | undefined;
  readonly recipient?: string | undefined;
  /** Accepted before this time. */
  readonly accepted_before?: string | undefined;
  readonly all?: true | undefined;
}

export interface JobView {
  readonly job: string;
  readonly operation: Operation['op'];
  readonly dry_run?: true | undefined;
  /** `counting`: `matched` still grows. */
  readonly state: JobRecord['state'];
  readonly selector: SelectorView;
  readonly matched: number;
  readonly done: number;
  /** Left to do. What ended by itself meanwhile is neither done nor pending. */
  readonly pending: number;
  readonly at: string;
}

export interface MarkView {
  readonly job: string;
  readonly mark: 'hold' | 'release';
  readonly selector: SelectorView;
  readonly at: string;
  /** Name of the operator, where one was said. */
  readonly by?: string | undefined;
}

export function selectorView(selector: Selector): SelectorView {
  const { account, campaign, before, ...names } = selector;
  const view = {
    ...names,
    account_id: account,
    campaign_id: campaign,
    accepted_before: before === undefined ? undefined : iso(before),
  };
  return Object.values(view).some((value) => value !== undefined) ? view : { all: true };
}

export function jobView(record: JobRecord, dryRun: boolean): JobView {
  const { id, operation, state, matched, done, selector, at } = record;
  return {
    job: String(id),
    operation: operation.op,
    ...(dryRun ? { dry_run: true } : {}),
    state,
    selector: selectorView(selector),
    matched,
    done,
    pending: state === 'done' && !dryRun ? 0 : Math.max(0, matched - done),
    at: iso(at),
  };
}

export const markView = ({ id, hold, selector, at, by }: Mark): MarkView => ({
  job: String(id),
  mark: hold ? 'hold' : 'release',
  selector: selectorView(selector),
  at: iso(at),
  by,
});

/** `sender=promo campaign_id=spring` */
export const selectorText = (selector: Selector): string =>
  Object.entries({ ...selectorView(selector) })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join(' ');

/** `purge campaign_id=spring` */
export function operationText(operation: Operation, selector: Selector): string {
  const { op, ...target } = operation;
  const words = selectorText(selector);
  const to =
    'node' in target ? target.node : 'sender' in target ? target.sender : 'band' in target ? target.band : '';
  return `${op} ${words}${to === '' ? '' : ` to ${to}`}`;
}

/** Of a hold that a bound caller may not see whole: what the server calls by name, as other mail may stand in the rest. */
const named = ({ sender, node, isp }: Selector): Selector => ({ sender, node, isp });

/** A hold as a bound caller may know it. */
interface HoldTold {
  /** Which one, whose, and on what. */
  readonly text: string;
  readonly ask: string;
  readonly hold: { readonly job: string; readonly selector: SelectorView; readonly by: string };
}

export function holdTold({ id, selector, by }: Mark, caller: Caller): HoldTold {
  const mine = ownsSelector(caller, selector);
  const told = mine ? selector : named(selector);
  const given = Object.keys(selector) as (keyof Selector)[];
  const hidden = given.some((name) => told[name] === undefined);
  const words = hidden && given.every((name) => told[name] === undefined) ? '' : selectorText(told);
  const what = [words, hidden ? `${words === '' ? 'what' : 'more that'} is not yours to see` : ''].filter(
    (one) => one !== '',
  );
  const who = mine && by !== undefined ? by : 'an operator';
  return {
    text: `hold ${id} of ${who} (${what.join(', and ')})`,
    ask: who === 'an operator' ? 'the operator of the server' : who,
    hold: { job: String(id), selector: { ...(words !== '' && selectorView(told)) }, by: who },
  };
}

/** Why an operation of a bound caller does nothing: which hold keeps such mail, and whom to ask. */
export function heldBySomebodyElse(
  mark: Mark,
  { caller, op }: { readonly caller: Caller; readonly op: Operation['op'] },
): Refused {
  const { text, ask, hold } = holdTold(mark, caller);
  const may = op === 'release' ? 'lift it' : 'take mail out of it';
  const message = `${text} keeps such mail, and the token ${caller.name} may not ${may}: ask ${ask}`;
  return { status: 403, code: 'forbidden', message, details: [{ field: '', message, hold }] };
}

const iso = (ms: number): string => new Date(ms).toISOString();
