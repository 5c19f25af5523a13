/**
 * What an operation is about. A selector without `recipient` and `before` speaks of whole queues, which are found in
 * memory; with one of them it speaks of some of the deliveries in those queues.
 */
import { domainOf, timeOfMessageNumber } from '../core/index.ts';
import type { QueueKey } from './queue-head.ts';
import type { DeliveryRecord, MessageRecord } from './records.ts';

/** All that is given has to fit; nothing given fits everything. */
export interface Selector {
  readonly sender?: string | undefined;
  readonly node?: string | undefined;
  readonly account?: string | undefined;
  readonly campaign?: string | undefined;
  /** Name of an ISP as the sending side knows it now. */
  readonly isp?: string | undefined;
  readonly domain?: string | undefined;
  readonly recipient?: string | undefined;
  /** Accepted before this time (wall ms). */
  readonly before?: number | undefined;
}

export type IspOf = (domain: string) => string | undefined;

/** Whether the selector is about whole queues. */
export const isWhole = ({ recipient, before }: Selector): boolean =>
  recipient === undefined && before === undefined;

/** Whether the queue may hold deliveries that fit; if the selector is whole, all of them do. */
export function fitsQueue(selector: Selector, queue: Omit<QueueKey, 'rank' | 'mark'>, ispOf: IspOf): boolean {
  const { sender, node, account, campaign, isp, domain, recipient } = selector;
  return (
    (sender === undefined || sender === queue.sender) &&
    (node === undefined || node === queue.node) &&
    (account === undefined || account === queue.account) &&
    (campaign === undefined || campaign === queue.campaign) &&
    (domain === undefined || domain === queue.domain) &&
    (recipient === undefined || domainOf(recipient) === queue.domain) &&
    (isp === undefined || isp === ispOf(queue.domain))
  );
}

/** Whether a message with these labels can have deliveries that fit. */
export const fitsMessage = (
  { account, campaign }: Selector,
  { accountId = '', campaignId = '' }: Pick<MessageRecord, 'accountId' | 'campaignId'>,
): boolean =>
  (account === undefined || account === accountId) && (campaign === undefined || campaign === campaignId);

/** Whether a message of this number can fit. */
export const fitsNumber = ({ before }: Selector, number: number): boolean =>
  before === undefined || timeOfMessageNumber(number) < before;

/** Whether a delivery of a queue that fits does; local parts are compared as they are. */
export const fitsDelivery = (
  { recipient, before }: Selector,
  number: number,
  record: Pick<DeliveryRecord, 'recipient'>,
): boolean =>
  fitsNumber({ before }, number) &&
  (recipient === undefined || localOf(recipient) === localOf(record.recipient));

/** Whether everything that fits `narrow`, now or later, fits `wide`. */
export function covers(wide: Selector, narrow: Selector): boolean {
  const { before, ...wanted } = wide;
  if (before !== undefined && (narrow.before === undefined || narrow.before > before)) return false;
  return (Object.entries(wanted) as [keyof Selector, string | undefined][]).every(
    ([name, value]) => value === undefined || narrow[name] === value,
  );
}

/** What may fit both; undefined where nothing can. A domain whose ISP is not known yet may be of any. */
export function overlapOf(a: Selector, b: Selector, ispOf: IspOf): Selector | undefined {
  const both = { ...given(b), ...given(a) };
  if (!covers({ ...b, before: undefined }, both)) return undefined;
  const { recipient, domain, isp } = both;
  const domains = [domain, recipient && domainOf(recipient)].filter((one) => one !== undefined);
  if (new Set(domains).size > 1) return undefined;
  if (isp !== undefined && domains[0] !== undefined && (ispOf(domains[0]) ?? isp) !== isp) return undefined;
  const before = Math.min(a.before ?? Infinity, b.before ?? Infinity);
  return before === Infinity ? both : { ...both, before };
}

const given = (selector: Selector): Selector =>
  Object.fromEntries(Object.entries(selector).filter(([, value]) => value !== undefined));

const localOf = (address: string): string => address.slice(0, address.lastIndexOf('@'));
