/**
 * Requests with an idempotency key. The first one is answered, and the answer is stored with what it accepted; the
 * same request gets the same answer as long as the window lasts, another one under the same key is a conflict.
 * In this process one request per key is under way at a time, so two that come together are one.
 *
 * An answer that is damaged is made anew from what is kept of its message. Its digest is lost with it, so that the
 * request is the same is told by the recipients; what cannot be told is refused, for it may have been accepted.
 */
import { err, ok, type Result } from '../../core/index.ts';
import {
  answerOps,
  findAnswer,
  type KeyedAnswer,
  mendAnswer,
  type NewMessage,
  type Queue,
  type Traces,
  tracesOf,
} from '../../queue/index.ts';
import type { Injected, InjectionRefusal, InjectRequest, Recipients } from './contract.ts';
import { injectedOf } from './refusals.ts';

/** A caller whose connection broke comes back before this server has noticed. */
const PATIENCE_MS = 5_000;
/** More than any message had; a batch is looked for by its lines. */
const MAX_RECIPIENTS = 100_000;

export interface Repeatable {
  /** Caller and key. */
  readonly key: string;
  readonly digest: string;
}

export const repeatable = (caller: string | undefined, key: string, digest: string): Repeatable => ({
  key: `${caller ?? ''}\0${key}`,
  digest,
});

/** By the digest that the way in has made of the whole request. */
export function repeatOf({
  labels: { idempotencyKey: key },
  origin,
  digest = '',
}: Pick<InjectRequest, 'labels' | 'origin' | 'digest'>): Repeatable | undefined {
  return key === undefined ? undefined : repeatable(origin.caller, key, digest);
}

/** What goes into the transaction of the first request. */
export const answerFor = (
  { key, digest }: Repeatable,
  { number, message: { createdAt: at } }: Pick<NewMessage, 'number' | 'message'>,
  answer: unknown,
): NonNullable<NewMessage['also']> => answerOps(key, { number, at, digest, answer });

/** The answer, made anew; undefined when the traces are of another request. */
type Remake = (traces: Traces) => { readonly answer: unknown } | undefined;

const LOST = 'nothing is kept of a delivery to it, and the first answer is lost';

/** Of a message to these recipients: those that were refused the first time have no delivery. */
export const remadeFor =
  ({ valid, rejected }: Recipients): Remake =>
  ({ number, batch, deliveries }) => {
    const taken = new Set(deliveries.map(({ record }) => record.recipient));
    const wanted = new Set(valid);
    if (batch || [...taken].some((recipient) => !wanted.has(recipient))) return undefined;
    const missing = valid.filter((recipient) => !taken.has(recipient));
    const refused = missing.map((recipient) => ({ recipient, text: LOST }));
    return { answer: injectedOf(number, deliveries, [...rejected, ...refused]) satisfies Injected };
  };

/** Of a batch: its lines are compared one by one. */
export const remadeForBatch: Remake = ({ batch, deliveries }) =>
  batch || deliveries.length === 0 ? { answer: undefined } : undefined;

/** A batch with a key, while it is open. */
export interface KeyedBatch extends Entered {
  readonly repeat: Repeatable;
}

interface Entered {
  readonly known: KeyedAnswer | undefined;
  /** Lets the next request of the key in. */
  readonly leave: () => void;
}

export class Repeats {
  readonly #queue: Queue;
  readonly #now: () => number;
  readonly #windowMs: () => number;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(queue: Queue, now: () => number, windowMs: () => number) {
    this.#queue = queue;
    this.#now = now;
    this.#windowMs = windowMs;
  }

  /** Runs the request, or gives the answer that it had. */
  async once<T>(
    repeat: Repeatable,
    remake: Remake,
    run: () => Promise<Result<T, InjectionRefusal>>,
  ): Promise<Result<T, InjectionRefusal>> {
    const entered = await this.enter(repeat, remake);
    if (!entered.ok) return entered;
    const { known, leave } = entered.value;
    try {
      return known ? ok(known.answer as T) : await run();
    } finally {
      leave();
    }
  }

  /** Waits for a request of the same key that is under way, a while; the answer of one that ended before. */
  async enter(repeat: Repeatable, remake: Remake): Promise<Result<Entered, InjectionRefusal>> {
    const { key } = repeat;
    while (this.#underWay.has(key)) if (!(await this.#waitFor(key))) return err(underWay);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.set(key, promise);
    const leave = (): void => {
      if (this.#underWay.get(key) === promise) this.#underWay.delete(key);
      resolve();
    };
    try {
      const known = await this.#known(repeat, remake);
      if (known.ok) return ok({ known: known.value, leave });
      leave();
      return known;
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** False when something of the key is still under way after a while. */
  async #waitFor(key: string): Promise<boolean> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    const patience = new Promise<void>((resolve) =>
      deadline.addEventListener('abort', () => resolve(), { once: true }),
    );
    while (this.#underWay.has(key) && !deadline.aborted)
      await Promise.race([this.#underWay.get(key), patience]);
    return !this.#underWay.has(key);
  }

  /** What was answered to the same request within the window. */
  async #known(
    repeat: Repeatable,
    remake: Remake,
  ): Promise<Result<KeyedAnswer | undefined, InjectionRefusal>> {
    const found = findAnswer(this.#queue.state, repeat.key);
    if (found === 'damaged') return this.#mended(repeat, remake);
    if (!found || !this.#inWindow(found.at)) return ok(undefined);
    return found.digest === repeat.digest ? ok(found) : err(conflict);
  }

  async #mended(
    { key, digest }: Repeatable,
    remake: Remake,
  ): Promise<Result<KeyedAnswer | undefined, InjectionRefusal>> {
    const { state } = this.#queue;
    const traces = tracesOf(state, key, MAX_RECIPIENTS);
    if (!traces) return err(lost);
    const { number, at } = traces;
    if (!this.#inWindow(at)) return ok(undefined);
    const remade = remake(traces);
    if (!remade) return err(conflict);
    const answer = { number, at, digest, answer: remade.answer };
    await mendAnswer(state, key, answer);
    return ok(answer);
  }

  #inWindow(at: number): boolean {
    return at > this.#now() - this.#windowMs();
  }
}

const conflict: InjectionRefusal = {
  kind: 'conflict',
  field: 'idempotency_key',
  text: 'was used for another request: repeat that one unchanged, or choose a new key',
  code: 554,
  enhanced: '5.6.0',
};

const lost: InjectionRefusal = {
  ...conflict,
  text: 'what was answered to this key is damaged: look for the message by its recipient, and when it is not there send it with a new key',
};

const underWay: InjectionRefusal = {
  kind: 'unavailable',
  field: 'idempotency_key',
  text: 'a request with this idempotency key is still under way on another connection, try again later',
  code: 451,
  enhanced: '4.3.0',
};
