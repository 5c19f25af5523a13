/**
 * What a report without a token seems to speak of: a hint for people, which proves nothing and has no effect. By the
 * Message-ID, which begins with the id of the message or delivery where we made it; else by the campaign in a
 * Feedback-ID and the recipient; else by the recipient alone (Original-Recipient). The last two read through an index, so they take
 * a bounded share of the time, whoever sends how many reports; one that comes in between gets no hint.
 */
import { type DeliveryId, deliveryIdOf, messageNumberOf } from '../../core/index.ts';
import { deliveriesOf, listDeliveries, type Queue } from '../../queue/index.ts';

export interface Clues {
  /** Message-ID of the mail that is spoken of. */
  readonly originalId: string | undefined;
  readonly feedbackId: string | undefined;
  /** Addresses that it is said to be about. */
  readonly about: readonly string[];
}

/** Deliveries that are looked at. */
const MOST = 200;
/** Look-ups by recipient take one part in so many of the time. */
const SHARE = 50;
const MAX_ADDRESSES = 3;

export class Guess {
  readonly #queue: Pick<Queue, 'state'>;
  readonly #mono: () => number;
  #notBefore = -Infinity;

  constructor(queue: Pick<Queue, 'state'>, mono: () => number) {
    this.#queue = queue;
    this.#mono = mono;
  }

  of({ originalId, feedbackId, about }: Clues): DeliveryId | undefined {
    return (
      (originalId === undefined ? undefined : this.#byMessageId(originalId, about)) ??
      this.#byRecipient(about, feedbackId)
    );
  }

  #byMessageId(messageId: string, addresses: readonly string[]): DeliveryId | undefined {
    const match = /^([0-9a-z]{11})(?:\.([1-9][0-9]{0,8}))?@/.exec(messageId.toLowerCase());
    const number = match ? messageNumberOf(match[1]!) : undefined;
    if (number === undefined) return undefined;
    if (match![2] !== undefined) return deliveryIdOf(number, Number(match![2]));
    const deliveries = deliveriesOf(this.#queue.state, number, MOST);
    const wanted = new Set(addresses.map((address) => address.toLowerCase()));
    const named = deliveries.find(({ record }) => wanted.has(record.recipient.toLowerCase()));
    return (named ?? (deliveries.length === 1 ? deliveries[0] : undefined))?.id;
  }

  #byRecipient(addresses: readonly string[], feedbackId: string | undefined): DeliveryId | undefined {
    const before = this.#mono();
    if (before < this.#notBefore || addresses.length === 0) return undefined;
    const campaigns = new Set(feedbackId?.split(':').map((field) => field.trim()));
    campaigns.delete(''); // A field of Feedback-ID may be empty, and so may be the campaign of a delivery.
    const forms = addresses.slice(0, MAX_ADDRESSES).flatMap((address) => [address, address.toLowerCase()]);
    const found = [...new Set(forms)].flatMap((recipient) => this.#sentTo(recipient));
    const named = found.findLast(({ message }) => campaigns.has(message.campaignId ?? ''));
    const after = this.#mono();
    this.#notBefore = after + (after - before) * SHARE;
    return (named ?? found.at(-1))?.id;
  }

  #sentTo(recipient: string): ReturnType<typeof deliveriesOf> {
    return [...listDeliveries(this.#queue.state, { recipient, limit: MOST }).deliveries];
  }
}
