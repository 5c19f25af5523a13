/**
 * Requests with an idempotency key. The first one is answered, and the answer is stored with what it accepted; the
 * same request gets the same answer as long as the window lasts, another one under the same key is a conflict.
 * In this process one request per key is under way at a time, so two that come together are one.
 */
import { err, ok, type Result } from '../../core/index.ts';
import { answerOps, findAnswer, type KeyedAnswer, type NewMessage, type Queue } from '../../queue/index.ts';
import type { InjectionRefusal, InjectRequest } from './contract.ts';

/** A caller whose connection broke comes back before this server has noticed. */
const PATIENCE_MS = 5_000;

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
    run: () => Promise<Result<T, InjectionRefusal>>,
  ): Promise<Result<T, InjectionRefusal>> {
    const entered = await this.enter(repeat);
    if (!entered.ok) return entered;
    const { known, leave } = entered.value;
    try {
      return known ? ok(known.answer as T) : await run();
    } finally {
      leave();
    }
  }

  /** Waits for a request of the same key that is under way, a while; the answer of one that ended before. */
  async enter({ key, digest }: Repeatable): Promise<Result<Entered, InjectionRefusal>> {
    while (this.#underWay.has(key)) if (!(await this.#waitFor(key))) return err(underWay);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#underWay.set(key, promise);
    const leave = (): void => {
      if (this.#underWay.get(key) === promise) this.#underWay.delete(key);
      resolve();
    };
    try {
      const known = this.#known(key);
      if (!known || known.digest === digest) return ok({ known, leave });
      leave();
      return err(conflict);
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

  #known(key: string): KeyedAnswer | undefined {
    const answer = findAnswer(this.#queue.state, key);
    return answer && answer.at > this.#now() - this.#windowMs() ? answer : undefined;
  }
}

const conflict: InjectionRefusal = {
  kind: 'conflict',
  field: 'idempotency_key',
  text: 'was used for another request: repeat that one unchanged, or choose a new key',
  code: 554,
  enhanced: '5.6.0',
};

const underWay: InjectionRefusal = {
  kind: 'unavailable',
  field: 'idempotency_key',
  text: 'a request with this idempotency key is still under way on another connection, try again later',
  code: 451,
  enhanced: '4.3.0',
};
