/** Opens a message for more deliveries again: a batch that is resumed. Its content is put back where it had gone. */
import { sharedMessage } from './accepting.ts';
import type { Transaction, Work } from './committer.ts';
import { numberKey, textKey } from './keys.ts';
import { type MessageRecord, seal } from './records.ts';
import type { QueueState } from './state.ts';

export interface Reopening {
  readonly number: number;
  /** As it was accepted; used when the message is not kept any more. */
  readonly message: MessageRecord;
  readonly content: Buffer;
}

export class ReopenWork implements Work {
  readonly #state: QueueState;
  readonly #input: Reopening;
  /** Its closing was refused, and is still to be done if this fails. */
  #unclosed = false;

  constructor(state: QueueState, input: Reopening) {
    this.#state = state;
    this.#input = input;
  }

  build(transaction: Transaction): void {
    const { number, message, content } = this.#input;
    const { ops, shared } = transaction;
    const before = sharedMessage(this.#state, transaction, number);
    if (!this.#state.kv.get('contents', numberKey(number)))
      ops.push({ table: 'contents', key: numberKey(number), value: seal(content) });
    ops.push({ table: 'meta', key: textKey('open', String(number)), value: Buffer.of(1) });
    shared.set(number, { ...(before ?? { message, accepted: 0, remaining: 0 }), open: true });
    this.#unclosed = this.#state.unclosed.forget(number);
  }

  failed(): void {
    if (this.#unclosed) this.#state.unclosed.add(this.#input.number);
  }
}
