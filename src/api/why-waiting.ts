/** Why a queued delivery waits, in one sentence, and the hold that keeps it. */
import { domainOf } from '../core/index.ts';
import type { FoundDelivery, Mark, Selector } from '../queue/index.ts';
import { ownsSelector } from './bounds.ts';
import type { Caller } from './caller.ts';
import type { ApiDependencies } from './dependencies.ts';
import { selectorText } from './operation-view.ts';

/** A delivery that is not due waits for its time; one that is due waits for what its queue waits for. */
export function whyWaiting(
  { clock, egress, queue }: ApiDependencies,
  delivery: FoundDelivery,
  hold: Mark | undefined,
): string {
  const { record, message, state } = delivery;
  const now = clock.now();
  if (hold) return holdText(hold, now);
  const { schedule, holds } = queue.state;
  const head = schedule.find(delivery);
  const stop = head && holds.stopOf(head);
  if (stop && delivery.number < stop.watermark)
    return 'an operation of an operator (purge, move or change) is about to take it';
  // The mail of others stands in the selector of such a hold.
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
  if (delivery.state !== 'hold') return undefined;
  const { schedule, holds } = queue.state;
  const head = schedule.find(delivery);
  const hold = head && holds.heldBy(head);
  return hold && ownsSelector(caller, hold.selector) ? hold : undefined;
}

function holdText({ id, selector, at, by }: Mark, now: number): string {
  const since = new Date(at).toISOString();
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

/** As a shell takes it. */
const quoted = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
