/**
 * Requests that may be repeated: what was answered to an idempotency key, and which lines of its batch are committed.
 * Both are written in the transaction that accepts the deliveries, so a repeated request finds exactly what is queued,
 * also after a crash.
 *
 * `answers`: key -> answer. `lines`: message number, index -> digests of the lines that one commit accepted, by the
 * first of them; index 0 holds the key, so what is too old is found in the order of acceptance.
 */
import { messageIdOf, timeOfMessageNumber } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { type DeliveryRecord, encode, healthy, seal, type SharedMessage, unseal } from './records.ts';
import type { QueueState } from './state.ts';
import { ageOf, type TrimWalk } from './trim-walk.ts';

export const DIGEST_BYTES = 8;
const LINE_BYTES = 4 + DIGEST_BYTES;

export interface KeyedAnswer {
  /** Message number. */
  readonly number: number;
  /** Wall time (ms) of the first request. */
  readonly at: number;
  /** Of the request: another one under the same key is a mistake of the caller. */
  readonly digest: string;
  /** What was answered, as whoever answers needs it. */
  readonly answer: unknown;
}

export interface LineDigest {
  readonly index: number;
  readonly digest: Buffer;
}

const keyOf = (key: string): Buffer => Buffer.from(key);

export const answerOps = (key: string, answer: KeyedAnswer): Op[] => [
  { table: 'answers', key: keyOf(key), value: encode(answer) },
  { table: 'lines', key: deliveryKey(answer.number, 0), value: seal(keyOf(key)) },
];

/** Undefined when the key was not used. */
export function findAnswer({ kv }: QueueState, key: string): KeyedAnswer | 'damaged' | undefined {
  const value = kv.get('answers', keyOf(key));
  return value && (healthy<KeyedAnswer>(value) ?? 'damaged');
}

/** The lines that a commit accepts, at least one, by index. */
export function linesOp(number: number, lines: readonly LineDigest[]): Op {
  const payload = Buffer.allocUnsafe(lines.length * LINE_BYTES);
  for (const [i, { index, digest }] of lines.entries()) {
    payload.writeUInt32BE(index, i * LINE_BYTES);
    digest.copy(payload, i * LINE_BYTES + 4, 0, DIGEST_BYTES);
  }
  return { table: 'lines', key: deliveryKey(number, lines[0]!.index), value: seal(payload) };
}

/** What `linesOp` wrote, unsealed; undefined when it has not the length of lines. */
export function readLines(payload: Buffer): LineDigest[] | undefined {
  if (payload.length % LINE_BYTES !== 0) return undefined;
  return Array.from({ length: payload.length / LINE_BYTES }, (_, i) => {
    const at = i * LINE_BYTES;
    return { index: payload.readUInt32BE(at), digest: payload.subarray(at + 4, at + LINE_BYTES) };
  });
}

/** Whether lines of a batch are committed under the number. */
export function hasLines({ kv }: QueueState, number: number): boolean {
  const range = { start: deliveryKey(number, 1), end: deliveryKey(number + 1, 0), limit: 1 };
  return [...kv.range('lines', range)].length > 0;
}

/** A committed line: its digest, or its delivery where that is damaged (undefined: so is the delivery). */
export type KnownLine =
  { readonly digest: Buffer } | { readonly digest: undefined; readonly recipient: string | undefined };

/**
 * The committed lines of a batch, asked in ascending order; holds those of a few commits at a time. Where digests are
 * damaged nobody knows which lines they were of: then the deliveries tell what is committed, as long as they are kept.
 */
export class KnownLines {
  readonly #state: QueueState;
  readonly #number: number;
  readonly #digests = new Map<number, Buffer>();
  /** First index of the next stored group; undefined at the end. */
  #next: number | undefined = 1;
  /** From this index on digests may be lost. */
  #lostFrom = Infinity;

  constructor(state: QueueState, number: number) {
    this.#state = state;
    this.#number = number;
  }

  /** Undefined when the line is not committed. */
  find(index: number): KnownLine | undefined {
    if (this.#next !== undefined && this.#next <= index) {
      for (const known of this.#digests.keys()) if (known < index) this.#digests.delete(known);
      while (this.#next !== undefined && this.#next <= index) this.#read(index);
    }
    const digest = this.#digests.get(index);
    if (digest) return { digest };
    return index < this.#lostFrom ? undefined : this.#delivered(index);
  }

  /** Takes in the next group; lines before `from` were passed. */
  #read(from: number): void {
    const range = { start: deliveryKey(this.#number, this.#next!), end: deliveryKey(this.#number + 1, 0) };
    const [group, following] = [...this.#state.kv.range('lines', { ...range, limit: 2 })];
    this.#next = following && parseDeliveryKey(following.key).index;
    if (!group) return;
    const lines = linesIn(group.value);
    if (!lines) this.#lose(parseDeliveryKey(group.key).index);
    for (const { index, digest } of lines ?? []) if (index >= from) this.#digests.set(index, digest);
  }

  #lose(first: number): void {
    this.#lostFrom = Math.min(this.#lostFrom, first);
    this.#state.report('error', 'damage in the store', {
      what: `the lines of message ${messageIdOf(this.#number)} at ${first}`,
      consequence: 'its deliveries tell which lines are committed',
    });
  }

  #delivered(index: number): KnownLine | undefined {
    const key = deliveryKey(this.#number, index);
    const { kv } = this.#state;
    const value = kv.get('deliveries', key) ?? kv.get('history', key);
    return value && { digest: undefined, recipient: healthy<DeliveryRecord>(value)?.recipient };
  }
}

/** Undefined when they are damaged. */
function linesIn(value: Buffer): LineDigest[] | undefined {
  try {
    return readLines(unseal(value));
  } catch {
    return undefined;
  }
}

/** What is due of the next slice of answers and lines: accepted before `before` (wall ms). Says how many groups. */
export function trimAnswers(
  { kv, clock }: QueueState,
  { ops }: Transaction,
  { before, walk }: { readonly before: number; readonly walk: TrimWalk },
): number {
  const now = clock.now();
  const due = walk.next(({ key }) => {
    const { number } = parseDeliveryKey(key);
    const shared = kv.get('messages', numberKey(number));
    // A batch under way: its lines are still asked for.
    if (shared && healthy<SharedMessage>(shared)?.open) return 'stays';
    const age = ageOf(timeOfMessageNumber(number), { before, now });
    return age === 'stays' ? ageOf(acceptedAt(kv, number), { before, now }) : age;
  });
  let accepted: ReadonlySet<string> | undefined;
  for (const { key, value } of due) {
    const { number, index } = parseDeliveryKey(key);
    if (index === 0) {
      const answer = value.subarray(4);
      const stored = kv.get('answers', answer);
      accepted ??= answeredIn(ops);
      // The key may have been used anew since, also by a work of this same commit.
      const isItsOwn = stored && healthy<KeyedAnswer>(stored)?.number === number;
      if (isItsOwn && !accepted.has(answer.toString('hex')))
        ops.push({ table: 'answers', key: answer, value: undefined });
    }
    ops.push({ table: 'lines', key, value: undefined });
  }
  return due.length;
}

/**
 * Of a request whose number is ahead of the clock, when it came (wall ms). Long ago where its answer is gone; where that
 * is damaged it may be asked for still.
 */
function acceptedAt(kv: Kv, number: number): number {
  const value = kv.get('lines', deliveryKey(number, 0));
  if (!value) return -Infinity;
  const key = keyIn(value);
  if (!key) return Infinity;
  const answer = kv.get('answers', key);
  if (!answer) return -Infinity;
  const known = healthy<KeyedAnswer>(answer);
  if (!known) return Infinity;
  return known.number === number ? known.at : -Infinity;
}

/** The key of an answer; undefined when it is damaged. */
function keyIn(value: Buffer): Buffer | undefined {
  try {
    return unseal(value);
  } catch {
    return undefined;
  }
}

/** The keys (hex) that works of this commit have answered. */
const answeredIn = (ops: readonly Op[]): ReadonlySet<string> =>
  new Set(ops.filter(({ table }) => table === 'answers').map(({ key }) => key.toString('hex')));
