/** The deliveries of a message that a caller may see. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DeliveryId, parseDeliveryId } from '../core/index.ts';
import { deliveriesOf, type FoundDelivery, type Queue } from '../queue/index.ts';
import { isBound, owns, ownsDelivery } from './bounds.ts';
import type { Caller } from './caller.ts';
import { SLICE } from './slices.ts';

interface Page {
  readonly number: number;
  /** Those that come after this one. */
  readonly after?: DeliveryId | undefined;
  readonly limit: number;
}

/**
 * By index, and the cursor of the next page, if there is one. A message may have a million deliveries of which few are
 * the caller's, so they are read in slices.
 */
export async function ownDeliveries(
  { state }: Pick<Queue, 'state'>,
  caller: Caller,
  { number, after, limit }: Page,
): Promise<{ readonly own: readonly FoundDelivery[]; readonly next: DeliveryId | undefined }> {
  const own: FoundDelivery[] = [];
  let from = after === undefined ? 0 : parseDeliveryId(after)!.index + 1;
  // One more tells that there is another page.
  const size = isBound(caller) ? SLICE : limit + 1;
  while (own.length <= limit) {
    const slice = deliveriesOf(state, number, size, from);
    const last = slice.at(-1);
    // All of a message are of one account.
    if (!last || !owns({ ...caller, senders: undefined }, { account: last.message.accountId })) break;
    own.push(...slice.filter((delivery) => ownsDelivery(caller, delivery)));
    from = last.index + 1;
    if (own.length <= limit) await nextTurn();
  }
  const page = own.slice(0, limit);
  return { own: page, next: own.length > limit ? page.at(-1)!.id : undefined };
}
