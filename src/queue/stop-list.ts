/**
 * The stop list: addresses, domains and patterns that are not mailed, for the whole platform or for one account.
 *
 * Entries are in the store; a look-up reads at most four keys, so millions of entries cost the memory of none. Only
 * patterns are held in memory, and there are few of them. While no entry was ever made a look-up reads nothing.
 *
 * An entry that ends at a time also has a key by that time, so that what is over is found without a search. An entry
 * that came by itself (a bounce, a complaint) never shortens one that is there.
 */
import { domainOf, err, ok, type Result } from '../core/index.ts';
import type { Committer, Transaction } from './committer.ts';
import type { Kv, Op } from './kv.ts';
import { textKey } from './keys.ts';
import { encode, healthy } from './records.ts';
import { comparable, covers, type StopKind, type StopTarget } from './stop-target.ts';

export type StopSource = 'hard_bounce' | 'complaint' | 'unsubscribe' | 'operator' | 'import';

export interface StopEntry extends StopTarget {
  /** The account it is for; undefined: the whole platform. */
  readonly accountId?: string | undefined;
  readonly source: StopSource;
  readonly reason?: string | undefined;
  /** Wall times, ms. */
  readonly at: number;
  readonly expiresAt?: number | undefined;
}

/** Which entry is meant. */
export type StopKey = StopTarget & Pick<StopEntry, 'accountId'>;

export interface StopListPage {
  readonly entries: readonly StopEntry[];
  /** Where the next page starts; undefined at the end. */
  readonly next: string | undefined;
}

export interface StopListQuery {
  readonly kind?: StopKind | undefined;
  readonly accountId?: string | undefined;
  readonly source?: StopSource | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

type Stored = Pick<StopEntry, 'source' | 'reason' | 'at' | 'expiresAt'>;

const TABLE = 'stop_list';
const LETTERS: Readonly<Record<StopKind, string>> = { address: 'a', domain: 'd', pattern: 'p' };
const KINDS = new Map(Object.entries(LETTERS).map(([kind, letter]) => [letter, kind as StopKind]));
/** Keys by time of expiry begin with it; behind the letters of the kinds. */
const BY_TIME = 'x';
export const MAX_PATTERNS = 1000;
/** Entries written, or looked at, in one go. */
const SLICE = 1000;
const SCAN = 20_000;

/** What is stopped stands in the key, so a damaged entry goes on stopping it. */
const storedOf = (value: Buffer): Stored =>
  healthy<Stored>(value) ?? { source: 'operator', reason: 'the entry is damaged', at: 0 };

/** kind, value, account: all that is said of one address lies together. */
const keyOf = ({ kind, value, accountId = '' }: StopKey): Buffer => textKey(LETTERS[kind], value, accountId);

/** Whether it is the key of an entry's end, which has no value of its own. */
export const isTimeMark = (key: Buffer): boolean => key.subarray(0, 1).toString() === BY_TIME;

function timeKey(expiresAt: number, key: Buffer): Buffer {
  const time = Buffer.alloc(7);
  time.write(BY_TIME);
  time.writeUIntBE(Math.min(Math.max(0, Math.floor(expiresAt)), 2 ** 48 - 1), 1, 6);
  return Buffer.concat([time, key]);
}

function entryOf(key: Buffer, value: Buffer): StopEntry {
  const [letter = '', text = '', account = ''] = key.toString().split('\0');
  const accountId = account === '' ? undefined : account;
  return { kind: KINDS.get(letter)!, value: text, accountId, ...storedOf(value) };
}

export class StopList {
  readonly #kv: Kv;
  readonly #now: () => number;
  readonly #committer: Committer;
  readonly #patterns = new Map<string, StopEntry>();
  /** Kinds of which there may be an entry. */
  readonly #used = new Set<StopKind>();
  /** One byte, 1 when there may be entries at all: other threads look here before they ask. */
  readonly inUse = new SharedArrayBuffer(1);

  constructor(kv: Kv, now: () => number, committer: Committer) {
    this.#kv = kv;
    this.#now = now;
    this.#committer = committer;
    for (const kind of KINDS.values())
      for (const _ of kv.range(TABLE, { ...rangeOf(kind), limit: 1 })) this.#use(kind);
    for (const { key, value } of kv.range(TABLE, rangeOf('pattern')))
      this.#patterns.set(key.toString(), entryOf(key, value));
  }

  /** The entry that stops a recipient of mail of that account; undefined when none does. */
  find(recipient: string, accountId: string | undefined): StopEntry | undefined {
    if (this.#used.size === 0) return undefined;
    const address = comparable(recipient);
    return (
      this.#read({ kind: 'address', value: address }, accountId) ??
      this.#read({ kind: 'domain', value: domainOf(address) }, accountId) ??
      this.#matching(address, accountId)
    );
  }

  /** Adds an entry to a transaction that is being built, so it comes with what caused it. Not for patterns. */
  put(transaction: Pick<Transaction, 'ops'>, entry: StopEntry): void {
    const { kind, value, accountId, ...stored } = entry;
    const key = keyOf({ kind, value, accountId });
    const before = this.#stored(key);
    const manual = entry.source === 'operator' || entry.source === 'import';
    if (before && !manual && lastsAsLong(before, entry)) return;
    if (before?.expiresAt !== undefined) transaction.ops.push(removal(timeKey(before.expiresAt, key)));
    transaction.ops.push({ table: TABLE, key, value: encode(stored) });
    if (entry.expiresAt !== undefined)
      transaction.ops.push({ table: TABLE, key: timeKey(entry.expiresAt, key), value: Buffer.of(1) });
    this.#use(kind);
  }

  /** Resolves when all are durable. The error says why none was added. */
  async add(entries: readonly StopEntry[]): Promise<Result<number, string>> {
    const patterns = entries.filter(({ kind }) => kind === 'pattern');
    const fresh = patterns.filter((one) => !this.#patterns.has(keyOf(one).toString()));
    if (this.#patterns.size + fresh.length > MAX_PATTERNS)
      return err(
        `there may be ${MAX_PATTERNS} patterns: use addresses and domains, of which there may be millions`,
      );
    await this.#inSlices(entries, (transaction, entry) => this.put(transaction, entry));
    for (const pattern of patterns) this.#patterns.set(keyOf(pattern).toString(), pattern);
    return ok(entries.length);
  }

  /** Resolves to the number of entries that were there. */
  async remove(keys: readonly StopKey[]): Promise<number> {
    let removed = 0;
    await this.#inSlices(keys, (transaction, one) => {
      const key = keyOf(one);
      const before = this.#stored(key);
      if (!before) return;
      removed++;
      this.#drop(transaction, key, before);
    });
    for (const one of keys) this.#patterns.delete(keyOf(one).toString());
    return removed;
  }

  /** Entries in the order of their keys. A page may have fewer than `limit` although there are more. */
  list({ kind, accountId, source, cursor, limit }: StopListQuery): StopListPage {
    const range = rangeOf(kind);
    const given = Buffer.from(cursor ?? '', 'base64url');
    const start = given.compare(range.start) > 0 ? given : range.start;
    const entries: StopEntry[] = [];
    let seen = 0;
    for (const { key, value } of this.#kv.range(TABLE, { ...range, start })) {
      if (entries.length >= limit || seen++ >= SCAN) return { entries, next: key.toString('base64url') };
      const entry = entryOf(key, value);
      if (this.#over(entry)) continue;
      if (accountId !== undefined && (entry.accountId ?? '') !== accountId) continue;
      if (source === undefined || entry.source === source) entries.push(entry);
    }
    return { entries, next: undefined };
  }

  /** Removes what is over; one slice. Resolves to the number of entries that went. */
  async expire(): Promise<number> {
    const end = timeKey(this.#now() + 1, Buffer.alloc(0));
    const due = [...this.#kv.range(TABLE, { start: Buffer.from(BY_TIME), end, limit: SLICE })];
    if (due.length === 0) return 0;
    await this.#inSlices(due, (transaction, { key: at }) => {
      const key = at.subarray(7);
      const stored = this.#stored(key);
      // Made again meanwhile, with another end: then only this key is left over.
      if (stored?.expiresAt !== undefined && timeKey(stored.expiresAt, key).equals(at))
        this.#drop(transaction, key, stored);
      else transaction.ops.push(removal(at));
    });
    for (const [key, entry] of this.#patterns) if (this.#over(entry)) this.#patterns.delete(key);
    return due.length;
  }

  #drop({ ops }: Pick<Transaction, 'ops'>, key: Buffer, { expiresAt }: Stored): void {
    ops.push(removal(key));
    if (expiresAt !== undefined) ops.push(removal(timeKey(expiresAt, key)));
  }

  async #inSlices<T>(all: readonly T[], one: (transaction: Transaction, item: T) => void): Promise<void> {
    for (let at = 0; at < all.length; at += SLICE) {
      const slice = all.slice(at, at + SLICE);
      await this.#committer.submit({
        build: (transaction) => {
          for (const item of slice) one(transaction, item);
        },
      });
    }
  }

  #use(kind: StopKind): void {
    this.#used.add(kind);
    new Uint8Array(this.inUse)[0] = 1;
  }

  #read(target: StopTarget, accountId: string | undefined): StopEntry | undefined {
    if (!this.#used.has(target.kind)) return undefined;
    for (const scope of accountId === undefined ? [undefined] : [undefined, accountId]) {
      const stored = this.#stored(keyOf({ ...target, accountId: scope }));
      if (stored && !this.#over(stored)) return { ...target, accountId: scope, ...stored };
    }
    return undefined;
  }

  #matching(address: string, accountId: string | undefined): StopEntry | undefined {
    const domain = domainOf(address);
    for (const entry of this.#patterns.values()) {
      if (entry.accountId !== undefined && entry.accountId !== accountId) continue;
      if (!this.#over(entry) && covers(entry.value, address, domain)) return entry;
    }
    return undefined;
  }

  #stored(key: Buffer): Stored | undefined {
    const value = this.#kv.get(TABLE, key);
    return value && storedOf(value);
  }

  #over({ expiresAt }: Pick<Stored, 'expiresAt'>): boolean {
    return expiresAt !== undefined && expiresAt <= this.#now();
  }
}

const removal = (key: Buffer): Op => ({ table: TABLE, key, value: undefined });

const lastsAsLong = (before: Stored, entry: Stored): boolean =>
  (before.expiresAt ?? Infinity) >= (entry.expiresAt ?? Infinity);

/** The keys of one kind, or of all of them. */
function rangeOf(kind: StopKind | undefined): { readonly start: Buffer; readonly end: Buffer } {
  const letter = kind && LETTERS[kind];
  return letter
    ? { start: Buffer.from(`${letter}\0`), end: Buffer.from(`${letter}\x01`) }
    : { start: Buffer.from(LETTERS.address), end: Buffer.from('q') };
}
