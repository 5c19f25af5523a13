/**
 * Groups of the recipient index are as large as the commit that wrote them. Single messages leave a small one each, and
 * a look-up reads through all of them; so from time to time those that follow each other become one. The order, and
 * what is found, stay the same.
 */
import type { Transaction, Work } from './committer.ts';
import type { Kv, Op } from './kv.ts';
import { seal, unseal } from './records.ts';

/** Groups looked at in one commit. */
const SLICE = 2_000;
/** A group of this size stays as it is. */
const FULL_BYTES = 16 * 1024;

/** Merges the groups after `from`. Not in one commit with a trim: both change the same groups. */
export class MergeRecipientsWork implements Work {
  readonly #kv: Kv;
  readonly #from: Buffer | undefined;
  /** The last group, which may still grow: where the next time begins. */
  last: Buffer | undefined;
  /** Whether there are more groups. */
  more = false;

  constructor(kv: Kv, from: Buffer | undefined) {
    this.#kv = kv;
    this.#from = from;
    this.last = from;
  }

  build({ ops }: Pick<Transaction, 'ops'>): void {
    let looked = 0;
    let group = new MergedGroup();
    const range = { ...(this.#from && { start: this.#from }), limit: SLICE };
    for (const { key, value } of this.#kv.range('recipients', range)) {
      looked++;
      if (!group.add(key, value)) {
        group.write(ops);
        group = new MergedGroup();
        group.add(key, value);
      }
      this.last = group.key ?? key;
    }
    group.write(ops);
    this.more = looked === SLICE;
  }
}

class MergedGroup {
  readonly #keys: Buffer[] = [];
  readonly #payloads: Buffer[] = [];
  #bytes = 0;

  get key(): Buffer | undefined {
    return this.#keys[0];
  }

  /** False when the group is no part of this one: one of them is full, or it is damaged. */
  add(key: Buffer, value: Buffer): boolean {
    if (this.#bytes >= FULL_BYTES || (this.key && value.length >= FULL_BYTES)) return false;
    try {
      this.#payloads.push(unseal(value));
    } catch {
      return false;
    }
    this.#keys.push(key);
    this.#bytes += value.length;
    return true;
  }

  write(ops: Op[]): void {
    const [first, ...others] = this.#keys;
    if (!first || others.length === 0) return;
    ops.push({ table: 'recipients', key: first, value: seal(Buffer.concat(this.#payloads)) });
    for (const key of others) ops.push({ table: 'recipients', key, value: undefined });
  }
}
