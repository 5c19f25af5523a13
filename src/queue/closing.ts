/**
 * The end of a message that was accepted open. One whose closing the store refused is closed by the first commit that
 * it takes, since what is open keeps its content. A start closes what a crash left open (recovery.ts).
 */
import { AcceptWork, sharedMessage } from './accepting.ts';
import type { Transaction, Work } from './committer.ts';
import { textKey } from './keys.ts';
import type { SharedMessage } from './records.ts';
import type { QueueState } from './state.ts';

/** No more recipients will come. Rejects when the store refuses; the message is closed all the same, when it can be. */
export async function closeMessage(state: QueueState, number: number): Promise<void> {
  try {
    await state.committer.submit(new AcceptWork(state, { number, deliveries: [], close: true }));
  } catch (error) {
    state.unclosed.add(number);
    throw error;
  }
}

/** To be asked every second. */
export async function closeLeft(state: QueueState): Promise<void> {
  while (state.unclosed.size > 0) await state.committer.submit(new CloseWork(state));
}

class CloseWork implements Work {
  readonly #state: QueueState;
  #numbers: readonly number[] = [];

  constructor(state: QueueState) {
    this.#state = state;
  }

  build(transaction: Transaction): void {
    this.#numbers = this.#state.unclosed.some();
    for (const number of this.#numbers) {
      const before = this.#read(transaction, number);
      if (!before?.open) continue;
      transaction.ops.push({ table: 'meta', key: textKey('open', String(number)), value: undefined });
      transaction.shared.set(number, { ...before, open: false });
    }
  }

  applied(): void {
    for (const number of this.#numbers) this.#state.unclosed.forget(number);
  }

  /** Undefined for a damaged one, too: the next start says so. */
  #read(transaction: Transaction, number: number): SharedMessage | undefined {
    try {
      return sharedMessage(this.#state, transaction, number);
    } catch {
      return undefined;
    }
  }
}
