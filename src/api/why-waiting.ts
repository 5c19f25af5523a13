/** Why a queued delivery waits, in one sentence, and the hold that keeps it. */
import { domainOf } from '../core/index.ts';
import type { FoundDelivery, Mark, Queue, Selector } from '../queue/index.ts';
import { isBound, ownsSelector } from './bounds.ts';
import type { Caller } from './caller.ts';
import type { ApiDependencies } from './dependencies.ts';
import { holdTold, selectorText } from './operation-view.ts';

/** A delivery that is not due waits for its time; one that is due waits for what its queue waits for. */
export function whyWaiting(
  { clock, egress, queue }: ApiDependencies,
  delivery: FoundDelivery,
  caller: Caller,
): string {
  const { record, message, state } = delivery;
  const now = clock.now();
  const { schedule, holds } = queue.state;
  const hold = deciding(queue, delivery);
  if (hold) return isBound(caller) ? boundText(holds, hold, { caller, now }) : holdText(hold, now);
  const head = schedule.find(delivery);
  const stop = head && holds.stopOf(head);
  if (stop && delivery.number < stop.watermark)
    return 'an operation of an operator (purge, move or change) is about to take it';
  if (state === 'hold') return 'the operator of the server holds it';
  if (record.wakeAt > now)
    return record.attempts.length > 0
      ? 'the interval of the retry rule is not over'
      : 'it must not be sent before that time';
  const { accountId: account = '', campaignId: campaign = '' } = message;
  const of = { account, campaign, sender: record.sender };
  const why = egress.whyWaiting(record.node, domainOf(record.recipient), of);
  return why ?? 'it is due and waits for its turn';
}

/** The hold that keeps a delivery, if the caller may see it. */
export function holdOf(
  { queue }: ApiDependencies,
  delivery: FoundDelivery,
  caller: Caller,
): Mark | undefined {
  const hold = deciding(queue, delivery);
  return hold && ownsSelector(caller, hold.selector) ? hold : undefined;
}

function deciding({ state: { schedule, holds } }: Queue, delivery: FoundDelivery): Mark | undefined {
  const head = delivery.state === 'hold' ? schedule.find(delivery) : undefined;
  return head && holds.heldBy(head);
}

/** To a caller with a bound token, who may not lift all holds nor see all that is held. */
function boundText(
  holds: Queue['state']['holds'],
  hold: Mark,
  { caller, now }: { readonly caller: Caller; readonly now: number },
): string {
  const owns = (selector: Selector): boolean => ownsSelector(caller, selector);
  const lift = { operation: { op: 'release' }, selector: hold.selector } as const;
  const keeper = hold.bound && owns(hold.selector) ? holds.keeperOf(lift, owns) : hold;
  if (!keeper) return holdText(hold, now);
  const { text, ask } = holdTold(keeper, caller);
  return `held since ${iso(keeper.at)}: ${text}, which the token ${caller.name} may not lift: ask ${ask} to let it go`;
}

function holdText({ id, selector, at, by }: Mark, now: number): string {
  const since = iso(at);
  const whose = by === undefined ? '' : ` by ${by}`;
  return `held since ${since}${whose} (hold ${id}: ${selectorText(selector)}); to let it go: ${releaseCommand(selector, now)}`;
}

/** The command with the selector of the hold: the release stands after it then, so it decides. */
function releaseCommand({ account, campaign, before, ...names }: Selector, now: number): string {
  // A second's fraction less, so that all that the hold is about is old enough.
  const age = before === undefined ? undefined : `${Math.floor((now - before) / 1000)}s`;
  const options = Object.entries({ ...names, account, campaign, 'older-than': age }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`--${name} ${quoted(value)}`]),
  );
  return `postrider queue release ${options.join(' ') || '--all'}`;
}

const iso = (ms: number): string => new Date(ms).toISOString();

/** As a shell takes it. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
