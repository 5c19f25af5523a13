/**
 * What operators did: who, when, what, and what came of it. An entry is written before the action and completed after
 * it, so an action that the end of the process cut off is there too, as `started`.
 */
import { base32, messageNumberAt, messageNumbers, parseBase32 } from '../core/index.ts';
import type { Committer, Transaction } from './committer.ts';
import { numberKey, parseNumberKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { encode, healthy } from './records.ts';

export interface Operator {
  /** How they came: the control socket, a token, the status page, a signal. */
  readonly kind: 'socket' | 'token' | 'page' | 'signal';
  /** Name of the token, session of the page, or the user that the command line says it is. */
  readonly name: string;
  readonly address?: string | undefined;
}

export interface OperatorAction {
  readonly operator: Operator;
  /** `queue hold` */
  readonly action: string;
  /** What was meant. */
  readonly selector: Readonly<Record<string, unknown>>;
}

export interface OperatorResult {
  readonly result: 'done' | 'refused' | 'failed';
  readonly count?: number | undefined;
  /** The job that goes on with it. */
  readonly job?: string | undefined;
  /** Why it was refused. */
  readonly message?: string | undefined;
}

export interface OperatorEntry extends OperatorAction, Omit<OperatorResult, 'result'> {
  readonly id: string;
  /** Wall time, ms. */
  readonly at: number;
  readonly result: OperatorResult['result'] | 'started';
}

export interface OperatorLogQuery {
  readonly name?: string | undefined;
  readonly action?: string | undefined;
  /** Continue with what is older than this entry. */
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface OperatorLogPage {
  /** The newest first. */
  readonly entries: readonly OperatorEntry[];
  readonly next: string | undefined;
}

type Stored = Omit<OperatorEntry, 'id'>;

const TABLE = 'operator_log';
const ID_CHARS = 11;
const SLICE = 1_000;
/** Entries read for one page at most. */
const SCAN = 20_000;

export const parseEntryId = (id: string): number | undefined =>
  id.length === ID_CHARS ? parseBase32(id) : undefined;

export class OperatorLog {
  readonly #kv: Kv;
  readonly #now: () => number;
  readonly #committer: Committer;
  readonly #nextNumber: () => number;
  /** What a commit under way writes of entries: a job may end in the commit of its first answer. */
  readonly #writing = new WeakMap<readonly Op[], Map<number, Stored>>();

  constructor(kv: Kv, now: () => number, committer: Committer) {
    this.#kv = kv;
    this.#now = now;
    this.#committer = committer;
    const [last] = kv.range(TABLE, { reverse: true, limit: 1 });
    this.#nextNumber = messageNumbers(now, last ? parseNumberKey(last.key) : 0);
  }

  /** Resolves to the number of the entry when it is durable. */
  async begin(action: OperatorAction): Promise<number> {
    const number = this.#nextNumber();
    const stored: Stored = { ...action, at: this.#now(), result: 'started' };
    await this.#committer.submit({
      build: ({ ops }) => void ops.push({ table: TABLE, key: numberKey(number), value: encode(stored) }),
    });
    return number;
  }

  /** Says what came of it. */
  end(number: number, result: OperatorResult): Promise<void> {
    return this.#committer.submit({
      build: ({ ops }) => {
        const before = this.#read(ops, number);
        if (!before) return;
        // The job may have ended before its first answer was sent: its count stands.
        const after = { ...before, ...result, count: before.count ?? result.count };
        this.#write(ops, number, after);
      },
    });
  }

  /** Adds the count of a job that is done to its transaction. */
  jobDone({ ops }: Pick<Transaction, 'ops'>, number: number, count: number): void {
    const before = this.#read(ops, number);
    if (before) this.#write(ops, number, { ...before, count });
  }

  list({ name, action, before, limit }: OperatorLogQuery): OperatorLogPage {
    const end = before === undefined ? undefined : parseEntryId(before);
    const entries: OperatorEntry[] = [];
    let seen = 0;
    for (const { key, value } of this.#kv.range(TABLE, {
      reverse: true,
      ...(end !== undefined && { end: numberKey(end) }),
    })) {
      const id = base32(parseNumberKey(key), ID_CHARS);
      const stored = healthy<Stored>(value);
      if (
        stored &&
        (name === undefined || stored.operator.name === name) &&
        (action === undefined || stored.action === action)
      )
        entries.push({ id, ...stored });
      if (entries.length >= limit || ++seen >= SCAN) return { entries, next: id };
    }
    return { entries, next: undefined };
  }

  /** Removes what is older than a time; one slice. Resolves to the number of entries that went. */
  async trim(before: number): Promise<number> {
    const end = numberKey(messageNumberAt(before));
    const due = [...this.#kv.range(TABLE, { end, limit: SLICE })];
    if (due.length === 0) return 0;
    await this.#committer.submit({
      build: ({ ops }) => {
        for (const { key } of due) ops.push({ table: TABLE, key, value: undefined });
      },
    });
    return due.length;
  }

  #write(ops: Op[], number: number, stored: Stored): void {
    const writing = this.#writing.get(ops) ?? new Map<number, Stored>();
    this.#writing.set(ops, writing.set(number, stored));
    ops.push({ table: TABLE, key: numberKey(number), value: encode(stored) });
  }

  #read(ops: readonly Op[], number: number): Stored | undefined {
    const writing = this.#writing.get(ops)?.get(number);
    if (writing) return writing;
    const value = this.#kv.get(TABLE, numberKey(number));
    return value && healthy<Stored>(value);
  }
}
