/**
 * Sending policies: at most so many messages to one address in so much time. Asked and counted while the transaction
 * that accepts the mail is built, so a count is exactly as durable as what it counts, and two requests at a time cannot
 * both take the last place.
 *
 * `policies`: digest of policy and address -> window, then the times of the newest messages, no more than the policy
 * allows. Nothing is held in memory. What is over is found by walking the table a slice at a time.
 */
import { hash } from 'node:crypto';
import type { Committer, Transaction } from './committer.ts';
import { keyAfter } from './keys.ts';
import type { Kv } from './kv.ts';
import { seal, unseal } from './records.ts';
import { comparable } from './stop-target.ts';

/** A policy as it holds for one message. */
export interface SendLimit {
  readonly policy: string;
  /** What is counted together: the account, or a campaign or group of it. */
  readonly scope: string;
  readonly max: number;
  readonly windowMs: number;
}

const TABLE = 'policies';
const KEY_BYTES = 16;
const SECOND = 1000;
const NUMBER_BYTES = 4;

function keyOf({ policy, scope }: SendLimit, recipient: string): Buffer {
  const text = `${policy}\0${scope}\0${comparable(recipient)}`;
  return hash('sha256', text, 'buffer').subarray(0, KEY_BYTES);
}

/** Whole seconds: window, then times, the oldest first. */
function written(windowMs: number, times: readonly number[]): Buffer {
  const value = Buffer.allocUnsafe((times.length + 1) * NUMBER_BYTES);
  value.writeUInt32BE(Math.ceil(windowMs / SECOND), 0);
  for (const [i, time] of times.entries()) value.writeUInt32BE(time, (i + 1) * NUMBER_BYTES);
  return seal(value);
}

/** Empty for what is damaged: a count that is lost lets a message through, and does not stop one. */
function readTimes(stored: Buffer): readonly number[] {
  try {
    const value = unseal(stored);
    const count = Math.floor(value.length / NUMBER_BYTES) - 1;
    return Array.from({ length: count }, (_, i) => value.readUInt32BE((i + 1) * NUMBER_BYTES));
  } catch {
    return [];
  }
}

export class Policies {
  readonly #kv: Kv;
  readonly #now: () => number;
  readonly #committer: Committer;
  /** Where the next slice of `expire` begins. */
  #from: Buffer | undefined;

  constructor(kv: Kv, now: () => number, committer: Committer) {
    this.#kv = kv;
    this.#now = now;
    this.#committer = committer;
  }

  /** The policy that refuses the recipient; when none does, the message is counted under all of them. */
  take(transaction: Transaction, limits: readonly SendLimit[], recipient: string): string | undefined {
    const now = Math.floor(this.#now() / SECOND);
    const counts: (readonly [string, Buffer])[] = [];
    for (const limit of limits) {
      const key = keyOf(limit, recipient);
      const hex = key.toString('hex');
      const stored = transaction.policies.get(hex) ?? this.#kv.get(TABLE, key);
      const since = now - Math.ceil(limit.windowMs / SECOND);
      const times = (stored ? readTimes(stored) : []).filter((time) => time > since);
      if (times.length >= limit.max) return limit.policy;
      counts.push([hex, written(limit.windowMs, [...times, now].slice(-limit.max))]);
    }
    for (const [hex, value] of counts) transaction.policies.set(hex, value);
    return undefined;
  }

  /** Removes what is over among the next `slice` counts; resolves to the number that went. */
  async expire(slice: number): Promise<number> {
    const now = Math.floor(this.#now() / SECOND);
    let removed = 0;
    await this.#committer.submit({
      build: (transaction) => {
        const range = { ...(this.#from && { start: this.#from }), limit: slice };
        const entries = [...this.#kv.range(TABLE, range)];
        for (const { key, value } of entries) {
          if (!isOver(value, now) || transaction.policies.has(key.toString('hex'))) continue;
          transaction.ops.push({ table: TABLE, key, value: undefined });
          removed++;
        }
        const last = entries.length < slice ? undefined : entries.at(-1);
        this.#from = last && keyAfter(last.key);
      },
    });
    return removed;
  }
}

function isOver(stored: Buffer, now: number): boolean {
  const newest = readTimes(stored).at(-1);
  return newest === undefined || newest + unseal(stored).readUInt32BE(0) <= now;
}

/** What the works of a transaction have counted; written once. */
export function sealPolicies({ policies, ops }: Transaction): void {
  for (const [hex, value] of policies) ops.push({ table: TABLE, key: Buffer.from(hex, 'hex'), value });
}
