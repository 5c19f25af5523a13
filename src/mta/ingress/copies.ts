/**
 * Copies for those who watch a campaign: seed addresses that see its first messages, and blind copies of all. They are
 * a message of their own with the same content, sender and node, which no statistics count. They are accepted in the
 * same turn as what they are copies of, and so in the same commit.
 */
import { deliveryIdOf, err, formatAddress, ok, parseAddress, type Result } from '../../core/index.ts';
import {
  closeMessage,
  type MessageRecord,
  type NewDelivery,
  type NewMessage,
  type Queue,
  TEST_CAMPAIGN,
} from '../../queue/index.ts';
import type { Copies, InjectionRefusal } from './contract.ts';
import { invalid } from './refusals.ts';

interface Watcher {
  readonly recipient: string;
  readonly first: number;
}

export interface CopyOptions {
  readonly queue: Queue;
  /** Of what is copied. */
  readonly number: number;
  readonly message: MessageRecord;
  /** The content as it is stored, without a checksum. */
  readonly content: Buffer;
  /** Deliveries that were accepted before: the batch is sent again. */
  readonly accepted?: number | undefined;
}

/** The addresses, as they are stored. The error is the first one that is none. */
export function watchersOf(copies: readonly Copies[] = []): Result<readonly Watcher[], InjectionRefusal> {
  const watchers: Watcher[] = [];
  for (const [i, { to, first = Infinity }] of copies.entries()) {
    const address = parseAddress(to);
    if (!address.ok) return err(invalid(`copies[${i}].to`, address.error, [550, '5.1.3']));
    watchers.push({ recipient: formatAddress(address.value), first });
  }
  return ok(watchers);
}

export class CopyDesk {
  readonly #watchers: readonly Watcher[];
  readonly #options: CopyOptions;
  /** Deliveries so far: lines that were refused are not among the first ones. */
  #accepted: number;
  #number: number | undefined;
  #index = 0;

  constructor(watchers: readonly Watcher[], options: CopyOptions) {
    this.#watchers = watchers;
    this.#options = options;
    this.#accepted = options.accepted ?? 0;
  }

  /**
   * Accepts the copies of these deliveries, which come in the order of the request. To be called in the turn in which
   * they are accepted themselves; resolves when the copies are durable.
   */
  async accept(deliveries: readonly NewDelivery[]): Promise<void> {
    const copies = deliveries.flatMap((delivery) => this.#copiesOf(delivery));
    if (copies.length === 0) return;
    const { queue } = this.#options;
    if (this.#number !== undefined) {
      await queue.accept({ number: this.#number, deliveries: copies, close: false });
      return;
    }
    this.#number = queue.nextNumber();
    await queue.accept({ ...this.#message(this.#number, copies), open: true });
  }

  /** As `accept`, when no other deliveries will come: no close is needed, which could fail behind what is accepted. */
  async acceptAll(deliveries: readonly NewDelivery[]): Promise<void> {
    const copies = deliveries.flatMap((delivery) => this.#copiesOf(delivery));
    const { queue } = this.#options;
    if (copies.length > 0) await queue.accept(this.#message(queue.nextNumber(), copies));
  }

  /** No more copies will come. */
  async close(): Promise<void> {
    if (this.#number === undefined) return;
    await closeMessage(this.#options.queue.state, this.#number);
  }

  #message(number: number, deliveries: readonly NewDelivery[]): NewMessage {
    const { content, message } = this.#options;
    const { campaignId } = message;
    const testOf = message.test ? message.testOf : campaignId;
    const facts = { ...message, campaignId: TEST_CAMPAIGN, test: true, testOf, toOurselves: true } as const;
    return { number, message: facts, content, deliveries };
  }

  #copiesOf(delivery: NewDelivery): NewDelivery[] {
    const copyOf = deliveryIdOf(this.#options.number, delivery.index);
    const place = ++this.#accepted;
    return this.#watchers
      .filter(({ first }) => place <= first)
      .map(({ recipient }) => copied(delivery, { index: ++this.#index, recipient, copyOf }));
  }
}

function copied(
  delivery: NewDelivery,
  { index, ...own }: { readonly index: number } & Pick<NewDelivery['record'], 'recipient' | 'copyOf'>,
): NewDelivery {
  return delivery.way
    ? { index, record: { ...delivery.record, ...own }, way: delivery.way }
    : { index, record: { ...delivery.record, ...own } };
}
