/**
 * The SMTP door in a thread of its own, seen from the thread that owns the queue: takes what the thread hands over,
 * answers when it is durable, and starts another thread when one dies. What was handed over is in the queue whatever
 * becomes of the thread; its sessions break off without an answer, so their clients try again.
 */
import { Worker } from 'node:worker_threads';
import { err, messageIdOf, type Result, SEAL_BYTES } from '../../core/index.ts';
import type { BoundAddress, ListenOptions } from '../smtp/index.ts';
import type { InjectionRefusal, PreparedMessage } from './contract.ts';
import type { DoorOptions, InjectionDoor } from './door.ts';
import type { InjectionRules } from './smtp.ts';
import type { Answers, Call, Order, Report, ThreadData } from './thread-messages.ts';

export interface ReceivingThreadOptions extends DoorOptions, Pick<ThreadData, 'numbers' | 'stopListInUse'> {
  /** Told when a thread died that was not told to end. */
  readonly onRestart: (error: unknown) => void;
  /** Module of the thread. */
  readonly worker?: URL;
}

/** Sources run as they are; what was built has another ending. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './thread-worker.ts' : './thread-worker.js',
  import.meta.url,
);
/** Wait before the next thread, and before another try to listen; doubles up to the second. */
const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 10_000;
/** A thread that lived so long was well. */
const WELL_MS = 60_000;
/** A thread that has nothing left to do and does not end is ended. */
const END_MS = 2_000;

const ENDED = 'the receiving thread has ended';

export class ReceivingThread implements InjectionDoor {
  readonly #options: ReceivingThreadOptions;
  readonly #calls = new Map<number, (value: unknown) => void>();
  readonly #bound: ListenOptions[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #rules: InjectionRules;
  /** Undefined while there is none. */
  #worker: Worker | undefined;
  #startedAt = 0;
  #lastCall = 0;
  #waitMs = FIRST_WAIT_MS;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;
  #down: string | undefined;

  constructor(options: ReceivingThreadOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#worker = this.#start();
  }

  get down(): string | undefined {
    return this.#down;
  }

  async listen(at: ListenOptions): Promise<Result<BoundAddress, string>> {
    const bound = await this.#listen(at);
    // The next thread listens where this one did, also where the port was any.
    if (bound.ok) this.#bound.push({ ...at, port: bound.value.port });
    return bound;
  }

  async configure(rules: InjectionRules): Promise<void> {
    this.#rules = rules;
    await this.#call({ kind: 'configure', rules });
  }

  async close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    if (!this.#worker) return;
    await this.#call({ kind: 'close', drainMs });
    const late = setTimeout(() => void this.#worker?.terminate(), END_MS);
    await this.#ended.promise;
    clearTimeout(late);
  }

  #start(): Worker {
    const { tls, offerAuth, numbers, stopListInUse, worker: module = WORKER } = this.#options;
    const workerData: ThreadData = { rules: this.#rules, tls, offerAuth, numbers, stopListInUse };
    const worker = new Worker(module, { workerData, name: 'receiving' });
    const answers = new Outbox(worker);
    let failure: unknown;
    worker.on('message', (report: Report) => this.#reported(report, answers));
    worker.on('messageerror', (error) => this.#options.onError(error, 'message of the receiving thread'));
    worker.on('error', (error: unknown) => {
      failure = error;
    });
    worker.on('exit', () => this.#died(failure));
    this.#startedAt = performance.now();
    return worker;
  }

  #died(failure: unknown): void {
    for (const resolve of this.#calls.values()) resolve(undefined);
    this.#calls.clear();
    this.#worker = undefined;
    if (this.#closing) return this.#ended.resolve();
    this.#down = ENDED;
    this.#options.onRestart(failure ?? new Error(ENDED));
    if (performance.now() - this.#startedAt > WELL_MS) this.#waitMs = FIRST_WAIT_MS;
    this.#later(() => {
      this.#worker = this.#start();
      void this.#listenAgain([...this.#bound]);
    });
  }

  async #listenAgain(addresses: readonly ListenOptions[]): Promise<void> {
    const worker = this.#worker;
    for (const [i, at] of addresses.entries()) {
      const bound = await this.#listen(at);
      if (this.#worker !== worker || this.#closing) return;
      if (bound.ok) continue;
      this.#down = bound.error;
      this.#options.onError(new Error(bound.error), 'start of another receiving thread');
      return this.#later(() => void this.#listenAgain(addresses.slice(i)));
    }
    this.#down = undefined;
  }

  #later(next: () => void): void {
    this.#timer = setTimeout(next, this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
  }

  async #listen(at: ListenOptions): Promise<Result<BoundAddress, string>> {
    const bound = await this.#call({ kind: 'listen', at });
    return (bound as Result<BoundAddress, string> | undefined) ?? err(ENDED);
  }

  /** Resolves to what the thread answers; to undefined when it has ended. */
  #call(call: Call): Promise<unknown> {
    if (!this.#worker) return Promise.resolve(undefined);
    const id = ++this.#lastCall;
    const order: Order = { ...call, call: id };
    this.#worker.postMessage(order);
    return new Promise((resolve) => this.#calls.set(id, resolve));
  }

  #reported(report: Report, answers: Outbox): void {
    if (report.kind === 'fault') return this.#options.onError(report.error, report.during);
    if (report.kind === 'proxyRefused') return this.#options.onProxyRefused(report.refusal);
    if (report.kind === 'done') {
      this.#calls.get(report.call)?.(report.value);
      this.#calls.delete(report.call);
      return;
    }
    for (const { ticket, message, sealed } of report.parcels)
      void this.#submit({ ...message, content: Buffer.from(sealed, SEAL_BYTES) }, ticket, answers);
    for (const { ticket, recipient } of report.questions) void this.#find(recipient, ticket, answers);
  }

  async #submit(message: PreparedMessage, ticket: number, answers: Outbox): Promise<void> {
    try {
      const result = await this.#options.intake.submit(message);
      if (result.ok && result.value === messageIdOf(message.number)) answers.add({ taken: ticket });
      else answers.add({ other: { ticket, result } });
    } catch (error) {
      this.#options.onError(error, 'handler');
      answers.add({ other: { ticket, result: err(FAULT) } });
    }
  }

  async #find(recipient: string, ticket: number, answers: Outbox): Promise<void> {
    try {
      answers.add({ stopped: { ticket, text: await this.#options.intake.stopped(recipient) } });
    } catch (error) {
      this.#options.onError(error, 'handler');
      // The look-up before the delivery decides.
      answers.add({ stopped: { ticket, text: undefined } });
    }
  }
}

/** As an exception of a handler is answered in one thread. */
const FAULT: InjectionRefusal = {
  kind: 'unavailable',
  field: undefined,
  text: 'Internal error, try again later',
  code: 451,
  enhanced: '4.3.0',
};

/** Answers of one commit go in one message. A thread that has ended gets none. */
class Outbox {
  readonly #worker: Worker;
  #taken: number[] = [];
  #others: Answers['others'][number][] = [];
  #stopped: Answers['stopped'][number][] = [];
  #waits = false;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  add(answer: {
    readonly taken?: number;
    readonly other?: Answers['others'][number];
    readonly stopped?: Answers['stopped'][number];
  }): void {
    if (answer.taken !== undefined) this.#taken.push(answer.taken);
    if (answer.other) this.#others.push(answer.other);
    if (answer.stopped) this.#stopped.push(answer.stopped);
    if (this.#waits) return;
    this.#waits = true;
    process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const answers: Answers = {
      kind: 'answers',
      taken: this.#taken,
      others: this.#others,
      stopped: this.#stopped,
    };
    this.#waits = false;
    this.#taken = [];
    this.#others = [];
    this.#stopped = [];
    this.#worker.postMessage(answers);
  }
}
