/** The Intake of the receiving thread: takes its numbers from shared memory, and asks the owner of the queue the rest. */
import type { MessagePort } from 'node:worker_threads';
import {
  type MessageId,
  messageIdOf,
  messageNumbers,
  ok,
  type Result,
  SEAL_BYTES,
  withFront,
} from '../../core/index.ts';
import type { InjectionRefusal, Intake, PreparedMessage } from './contract.ts';
import type { Answers, Parcel, Question, Report, ThreadData } from './thread-messages.ts';

interface Waiting {
  readonly number: number;
  readonly resolve: (result: Result<MessageId, InjectionRefusal>) => void;
}

export class ThreadIntake implements Intake {
  readonly nextNumber: () => number;
  readonly #port: Pick<MessagePort, 'postMessage'>;
  readonly #stopListInUse: Uint8Array;
  readonly #waiting = new Map<number, Waiting>();
  readonly #asked = new Map<number, (text: string | undefined) => void>();
  #parcels: Parcel[] = [];
  #questions: Question[] = [];
  #lastTicket = 0;

  constructor(
    port: Pick<MessagePort, 'postMessage'>,
    { numbers, stopListInUse }: Pick<ThreadData, 'numbers' | 'stopListInUse'>,
    now: () => number,
  ) {
    this.#port = port;
    this.nextNumber = messageNumbers(now, 0, numbers);
    this.#stopListInUse = new Uint8Array(stopListInUse);
  }

  submit({ content, ...message }: PreparedMessage): Promise<Result<MessageId, InjectionRefusal>> {
    const ticket = this.#ticket();
    this.#parcels.push({ ticket, message, sealed: ownMemory(content) });
    return new Promise((resolve) => this.#waiting.set(ticket, { number: message.number, resolve }));
  }

  stopped(recipient: string): undefined | Promise<string | undefined> {
    if (this.#stopListInUse[0] === 0) return undefined;
    const ticket = this.#ticket();
    this.#questions.push({ ticket, recipient });
    return new Promise((resolve) => this.#asked.set(ticket, resolve));
  }

  answered({ taken, others, stopped }: Answers): void {
    for (const ticket of taken) {
      const { number } = this.#waiting.get(ticket)!;
      this.#conclude(ticket, ok(messageIdOf(number)));
    }
    for (const { ticket, result } of others) this.#conclude(ticket, result);
    for (const { ticket, text } of stopped) {
      const resolve = this.#asked.get(ticket)!;
      this.#asked.delete(ticket);
      resolve(text);
    }
  }

  #conclude(ticket: number, result: Result<MessageId, InjectionRefusal>): void {
    const { resolve } = this.#waiting.get(ticket)!;
    this.#waiting.delete(ticket);
    resolve(result);
  }

  /** What is asked in one turn of the event loop goes in one message. */
  #ticket(): number {
    if (this.#parcels.length + this.#questions.length === 0) setImmediate(() => this.#flush());
    return ++this.#lastTicket;
  }

  #flush(): void {
    const [parcels, questions] = [this.#parcels, this.#questions];
    this.#parcels = [];
    this.#questions = [];
    const report: Report = { kind: 'mail', parcels, questions };
    this.#port.postMessage(
      report,
      parcels.map(({ sealed }) => sealed),
    );
  }
}

/** The memory of a content with its checksum. It goes away with the transfer, so it must hold nothing else. */
function ownMemory(content: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = withFront(content);
  if (byteOffset === 0 && byteLength === content.length + SEAL_BYTES && buffer.byteLength === byteLength)
    return buffer as ArrayBuffer;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}
