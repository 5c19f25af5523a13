/**
 * A batch: the content is stored once, recipients come in chunks. Each chunk is one commit; a delivery's index is its
 * line number less one, so an id always names its line.
 */
import {
  err,
  formatAddress,
  type MessageId,
  messageIdOf,
  ok,
  parseAddress,
  type Result,
} from '../../core/index.ts';
import type { NewDelivery, Pressure, Queue } from '../../queue/index.ts';
import type { Batch, BatchLine, RejectedLine } from './contract.ts';
import { type RecipientFacts, recipientRecord } from './recipient.ts';

export interface CampaignBatchOptions extends RecipientFacts {
  readonly queue: Queue;
  readonly pressure?: Pressure | undefined;
  readonly number: number;
}

const MAX_VARS_BYTES = 64 * 1024;

export class CampaignBatch implements Batch {
  readonly #options: CampaignBatchOptions;
  #closing: Promise<void> | undefined;

  constructor(options: CampaignBatchOptions) {
    this.#options = options;
  }

  get messageId(): MessageId {
    return messageIdOf(this.#options.number);
  }

  async add(lines: readonly BatchLine[]): Promise<readonly RejectedLine[]> {
    const deliveries: NewDelivery[] = [];
    const rejected: RejectedLine[] = [];
    for (const line of lines) {
      const delivery = this.#delivery(line);
      if (delivery.ok) deliveries.push(delivery.value);
      else rejected.push({ line: line.line, ...delivery.error });
    }
    const { queue, number, pressure } = this.#options;
    if (pressure && pressure.level !== 'none' && !(await pressure.admit()))
      throw new Error(`no mail is taken now: ${pressure.reason ?? 'short of room'}`);
    if (deliveries.length > 0) await queue.accept({ number, deliveries, close: false });
    return rejected;
  }

  /** A close that fails may be tried again. */
  close(): Promise<void> {
    const { queue, number } = this.#options;
    this.#closing ??= queue.accept({ number, deliveries: [], close: true }).catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  #delivery(line: BatchLine): Result<NewDelivery, { field: string; message: string }> {
    const address = parseAddress(line.to);
    if (!address.ok) return err({ field: 'to', message: address.error });
    const { vars } = line;
    if (vars && Buffer.byteLength(JSON.stringify(vars)) > MAX_VARS_BYTES) {
      return err({
        field: 'vars',
        message: `the variables of one recipient may have ${MAX_VARS_BYTES} bytes`,
      });
    }
    const record = recipientRecord(this.#options, { ...line, recipient: formatAddress(address.value) });
    if (!record.ok) return err({ field: record.error.field, message: record.error.text });
    return ok({ index: line.line - 1, record: record.value });
  }
}
