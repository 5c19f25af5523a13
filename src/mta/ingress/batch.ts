/**
 * A batch: the content is stored once, recipients come in chunks. Each chunk is one commit; a delivery's index is its
 * line number less one, so an id always names its line. With an idempotency key the digests of the lines are
 * committed with their deliveries, so a batch that is sent again goes on where it was.
 */
import { hash } from 'node:crypto';
import {
  err,
  formatAddress,
  type MessageId,
  messageIdOf,
  parseAddress,
  type Result,
} from '../../core/index.ts';
import {
  closeMessage,
  DIGEST_BYTES,
  type KnownLine,
  type KnownLines,
  type LineDigest,
  linesOp,
  type NewDelivery,
  type Pressure,
  type Queue,
  type SendLimit,
} from '../../queue/index.ts';
import { type Batch, type BatchLine, NoMailTaken, type RejectedLine } from './contract.ts';
import type { CopyDesk } from './copies.ts';
import { strayDeadline } from './labels.ts';
import { type RecipientFacts, recipientDelivery, stoppedText } from './recipient.ts';
import type { VariableCheck } from './variables.ts';

export interface CampaignBatchOptions extends RecipientFacts {
  readonly queue: Queue;
  readonly pressure?: Pressure | undefined;
  readonly clock: { now(): number };
  readonly number: number;
  readonly checkVars: VariableCheck;
  /** Sending policies that hold for the campaign. */
  readonly limits?: readonly SendLimit[] | undefined;
  /** Who gets copies. */
  readonly copies: CopyDesk;
  /** For a batch with an idempotency key: the lines it has, if any (`resumed`); `leave` when it is closed. */
  readonly keyed?: { readonly known: KnownLines; readonly resumed: boolean; readonly leave: () => void };
}

const MAX_VARS_BYTES = 64 * 1024;
/** The most that JSON can grow when it is read and written again: `1e20` has 21 digits. */
const GROWTH = 6;

/** Whether its variables have too few bytes to look twice. */
const isShort = ({ source }: BatchLine): boolean =>
  source !== undefined && source.length * GROWTH <= MAX_VARS_BYTES;

const CHANGED = {
  field: '',
  message: 'this line is committed with other content under the same idempotency key',
  changed: true,
} as const;

const digestOf = ({ source = Buffer.alloc(0) }: BatchLine): Buffer =>
  hash('sha256', source, 'buffer').subarray(0, DIGEST_BYTES);

/** Whether the line is the committed one; where only its delivery is known, whether it is to the same recipient. */
function isSame({ to }: BatchLine, digest: Buffer, known: KnownLine): boolean {
  if (known.digest) return known.digest.equals(digest);
  const address = parseAddress(to);
  return known.recipient === undefined || (address.ok && formatAddress(address.value) === known.recipient);
}

export class CampaignBatch implements Batch {
  readonly #options: CampaignBatchOptions;
  #closing: Promise<void> | undefined;

  constructor(options: CampaignBatchOptions) {
    this.#options = options;
  }

  get messageId(): MessageId {
    return messageIdOf(this.#options.number);
  }

  get resumed(): boolean {
    return this.#options.keyed?.resumed === true;
  }

  async add(lines: readonly BatchLine[]): Promise<readonly RejectedLine[]> {
    const { queue, number, clock, keyed, pressure, limits } = this.#options;
    // At once, in the order of the lines: they are read along as they come.
    const found = keyed && lines.map(({ line }) => keyed.known.find(line - 1));
    if (pressure && pressure.level !== 'none' && !(await pressure.admit()))
      throw new NoMailTaken(pressure.reason ?? 'short of room');
    const deliveries: NewDelivery[] = [];
    const digests: LineDigest[] = [];
    const rejected: RejectedLine[] = [];
    const now = clock.now();
    for (const [i, line] of lines.entries()) {
      const digest = keyed && digestOf(line);
      const known = found?.[i];
      if (known && isSame(line, digest!, known)) continue;
      const delivery = known ? err(CHANGED) : this.#delivery(line, now);
      if (delivery.ok) {
        deliveries.push(delivery.value);
        if (digest) digests.push({ index: line.line - 1, digest });
      } else rejected.push({ line: line.line, ...delivery.error });
    }
    const also = digests.length > 0 ? [linesOp(number, digests)] : undefined;
    const more = { ...(also && { also }), ...(limits && { limits }) };
    if (deliveries.length > 0)
      await Promise.all([
        queue.accept({ number, deliveries, close: false, ...more }),
        this.#options.copies.accept(deliveries),
      ]);
    return rejected;
  }

  /** What a close that fails leaves open, the queue closes as soon as it can. */
  close(): Promise<void> {
    this.#closing ??= this.#close().catch((error: unknown) => {
      this.#closing = undefined;
      throw error;
    });
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { queue, number, keyed } = this.#options;
    try {
      await Promise.all([closeMessage(queue.state, number), this.#options.copies.close()]);
    } finally {
      keyed?.leave();
    }
  }

  #delivery(
    line: BatchLine,
    now: number,
  ): Result<NewDelivery, { field: string; message: string; changed?: true }> {
    const address = parseAddress(line.to);
    if (!address.ok) return err({ field: 'to', message: address.error });
    const recipient = formatAddress(address.value);
    const { queue, labels } = this.#options;
    const stray = strayDeadline(line.deadline, labels.band);
    if (stray !== undefined) return err({ field: 'deadline', message: stray });
    const stopped = queue.stopList.find(recipient, labels.accountId);
    if (stopped) return err({ field: 'to', message: stoppedText(stopped) });
    const { vars } = line;
    if (vars && !isShort(line) && Buffer.byteLength(JSON.stringify(vars)) > MAX_VARS_BYTES) {
      return err({
        field: 'vars',
        message: `the variables of one recipient may have ${MAX_VARS_BYTES} bytes`,
      });
    }
    const wrong = this.#options.checkVars(vars);
    if (wrong) return err(wrong);
    const routed = recipientDelivery({ ...this.#options, now }, { ...line, recipient, index: line.line - 1 });
    return routed.ok ? routed : err({ field: routed.error.field, message: routed.error.text });
  }
}
