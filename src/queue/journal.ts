/**
 * The journal: every event, in the order of the commits, written in the transaction that changes the queue.
 * One value per commit, keyed by the sequence number of its first event: the events as lines of JSON.
 *
 * Who reads it is told of what is missing, by a line of the type `sink_gap`: of a damaged group, and of events that
 * were trimmed before a follower had come to them.
 */
import type { Event } from '../core/index.ts';
import type { EventDraft, Transaction, EventRun } from './committer.ts';
import { EventLines } from './event-lines.ts';
import { JournalReaders } from './journal-readers.ts';
import type { Kv, Op, RangeOptions, Table } from './kv.ts';
import { numberKey, parseNumberKey, textKey } from './keys.ts';
import { eventAfterRecipients } from './recipient-index.ts';
import { encode, healthy, sealText, unseal } from './records.ts';
import type { Skip, StoreMark } from './store-mark.ts';

/** Where the stored counts stand, and how large the journal was then. */
export interface JournalMark {
  readonly seq: number;
  readonly bytes: number;
}

export interface JournalBounds {
  readonly before: number;
  /** Wall ms. */
  readonly now: number;
  readonly maxBytes: number;
  /** Events after this one stay: somebody has not seen them yet. */
  readonly seen?: number | undefined;
}

/** What is kept; `onFull` says what happens when a follower is behind at the bound. */
export interface JournalKept {
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly onFull: 'gap' | 'stop';
}

const MARK = textKey('counted');
const NO_MARK: JournalMark = { seq: 0, bytes: 0 };
/** Of a gap with nothing beside it. */
export const NO_TIME = new Date(0).toISOString();

export const markOp = (mark: JournalMark): Op => ({ table: 'meta', key: MARK, value: encode(mark) });

/** Undefined when it is damaged, or lost: stored counts have one, and only what they include is trimmed. */
export function readMark(kv: Kv): JournalMark | undefined {
  const value = kv.get('meta', MARK);
  if (value) return healthy<JournalMark>(value);
  const first = keyOf(kv, 'journal', { limit: 1 });
  const trimmed = first !== undefined && parseNumberKey(first) > 1;
  const counted = keyOf(kv, 'totals', { limit: 1 }) ?? keyOf(kv, 'rows', { limit: 1 });
  return trimmed || counted ? undefined : NO_MARK;
}

function keyOf(kv: Kv, table: Table, range: RangeOptions): Buffer | undefined {
  for (const { key } of kv.range(table, range)) return key;
  return undefined;
}

export class Journal {
  /** What the configuration keeps of it; told by who trims. */
  kept: JournalKept = { maxAgeMs: Infinity, maxBytes: Infinity, onFull: 'gap' };
  /** Who follows it. */
  readonly readers = new JournalReaders();
  readonly #kv: Kv;
  readonly #storeId: string;
  readonly #skipped: readonly Skip[];
  #next = 1;
  /** The last event of an end that was lost or left out before the start, behind which it goes on; 0 where none was. */
  readonly #lost: number;
  readonly #waiting = new Set<() => void>();
  #counted: number;
  #bytes: number;
  /** Of these, up to the last counted event: what the mark says, since a start adds the groups behind it. */
  #countedBytes: number;
  /** Bytes that the commit under way adds, and that it removes. */
  #sealing = 0;
  #trimming = 0;
  #time = { ms: 0, iso: new Date(0).toISOString() };

  /** `mark` is what `mark()` gave when the counts were stored last. */
  constructor(kv: Kv, { storeId, skipped = [] }: Omit<StoreMark, 'format'>, mark: JournalMark = NO_MARK) {
    this.#kv = kv;
    this.#storeId = storeId;
    this.#skipped = skipped;
    this.#counted = mark.seq;
    this.#countedBytes = mark.bytes;
    this.#bytes = mark.bytes;
    for (const { value } of kv.range('journal', { start: numberKey(mark.seq + 1) }))
      this.#bytes += value.length;
    for (const { key, value } of kv.range('journal', { reverse: true, limit: 1 })) {
      const lines = linesOf(value);
      // Of a damaged group a line break more may have been damaged away: no number is given twice.
      this.#next = parseNumberKey(key) + (lines?.length ?? value.toString('latin1').split('\n').length + 1);
    }
    const next = Math.max(mark.seq + 1, eventAfterRecipients(kv), (skipped.at(-1)?.to ?? 0) + 1);
    this.#lost = next > this.#next ? next - 1 : 0;
    this.#next = Math.max(this.#next, next);
  }

  /** Sequence number of the last event that is durable; 0 when there is none. */
  get last(): number {
    return this.#next - 1;
  }

  /** Whether a gap is of numbers that were never given in this store: nothing is missing then. */
  leftOut({ from, to }: Pick<Event, 'from' | 'to'>): boolean {
    return this.#skipped.some((skip) => skip.from === from && skip.to === to);
  }

  /** How many of the numbers behind `after`, up to the last, were given to events. */
  givenAfter(after: number): number {
    const leftOut = ({ from, to }: Skip): number => Math.max(0, to - Math.max(from - 1, after));
    return this.#skipped.reduce((given, skip) => given - leftOut(skip), this.last - after);
  }

  /** Sequence number of the oldest event that is still kept. */
  get first(): number {
    for (const { key } of this.#kv.range('journal', { limit: 1 })) return parseNumberKey(key);
    return this.#next;
  }

  /** Bytes of the groups that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The stored counts include the events up to this one; a restart replays the later ones, so they are not trimmed. */
  get counted(): number {
    return this.#counted;
  }

  /** To be stored with the counts that include all events so far. */
  mark(): JournalMark {
    return { seq: this.last, bytes: this.#bytes - this.#trimming };
  }

  /** The commit that carried `mark()` is durable; told before `written` and `trimmed`. */
  marked(): void {
    this.#counted = this.last;
    this.#countedBytes = this.#bytes;
  }

  /** Adds the transaction's events to it; they count only once `written` is told. */
  seal({ events, runs, ops }: Transaction): void {
    this.#sealing = 0;
    const texts = new EventLines();
    const parts: string[] = [];
    let [told, seq] = [0, this.#next];
    for (const run of runs) {
      for (; told < run.after; told++) parts.push(this.#line(events[told]!, seq++, texts));
      parts.push(this.#run(run, seq, texts));
      seq += run.indexes.length;
    }
    for (; told < events.length; told++) parts.push(this.#line(events[told]!, seq++, texts));
    if (parts.length === 0) return;
    const value = sealText(parts.join('\n'));
    this.#sealing = value.length;
    ops.push({ table: 'journal', key: numberKey(this.#next), value });
  }

  written(count: number): void {
    if (count === 0) return;
    this.#next += count;
    this.#bytes += this.#sealing;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /** Resolves when there is an event after `seq`, or the signal ends the wait. */
  async waitFor(seq: number, signal: AbortSignal): Promise<void> {
    while (this.last <= seq && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const abort = (): void => resolve();
      signal.addEventListener('abort', abort);
      await promise;
      signal.removeEventListener('abort', abort);
      this.#waiting.delete(resolve);
    }
  }

  /** Events after `seq`, oldest first, each as its line of JSON. Stops at the end of the journal. */
  *lines(after: number): Generator<{ seq: number; line: string }> {
    let next = after + 1;
    // Whoever reads from the beginning misses nothing of what was there before.
    let begun = after > 0;
    let beside: string | undefined;
    for (const { key, value } of this.#kv.range('journal', { start: this.#groupKey(after) })) {
      const first = parseNumberKey(key);
      const lines = linesOf(value);
      if (!begun) next = first;
      begun = true;
      if (lines && first > next) yield this.#gap({ from: next, to: first - 1, beside: beside ?? lines[0] });
      if (!lines) continue;
      for (let i = Math.max(0, next - first); i < lines.length; i++)
        yield { seq: first + i, line: lines[i]! };
      next = Math.max(next, first + lines.length);
      beside = lines.at(-1);
    }
    // Not up to `last` otherwise: what is read may be older than that.
    const to = this.#endIsDamaged() ? this.last : this.#lost;
    if (next <= to) yield this.#gap({ from: next, to, beside });
  }

  *events(after: number): Generator<Event> {
    for (const { line } of this.lines(after)) yield JSON.parse(line) as Event;
  }

  /** Up to `limit` events after `seq`. */
  take(seq: number, limit: number): Event[] {
    const events: Event[] = [];
    for (const event of this.events(seq)) {
      if (events.push(event) >= limit) break;
    }
    return events;
  }

  /**
   * Adds the removal of the oldest groups that ended before `before` (wall ms), or that are too many for `maxBytes`;
   * at most `limit` of them, once in a commit. What a clock that was ahead has dated is older than what came behind it.
   * The last group stays: the numbers go on from it. The commit ends with `trimmed` or `untrimmed`.
   */
  trim(
    { before, now, maxBytes, seen = Infinity }: JournalBounds,
    { ops }: Transaction,
    limit: number,
  ): { groups: number; bytes: number } {
    let [groups, bytes] = [0, 0];
    if (this.#trimming > 0) return { groups, bytes };
    let behind: Event | undefined;
    for (const { key, value } of this.#kv.range('journal', { limit })) {
      const last = linesOf(value)?.at(-1);
      // A damaged group goes when it is the oldest one: nothing can be read of it.
      const event = last === undefined ? undefined : (JSON.parse(last) as Event);
      const seq = event?.seq ?? parseNumberKey(key);
      const ahead = event !== undefined && Date.parse(event.time) > now;
      if (ahead && !(behind && behind.seq > seq)) behind = this.#behindAhead(seq, now);
      const dated = ahead ? behind : event;
      const young = event !== undefined && !(dated && Date.parse(dated.time) < before);
      const wanted = young && this.#bytes - bytes <= maxBytes;
      if (wanted || seq > Math.min(seen, this.#counted) || this.#isLastGroup(key)) break;
      ops.push({ table: 'journal', key, value: undefined });
      groups++;
      bytes += value.length;
    }
    if (groups > 0) ops.push(markOp({ seq: this.#counted, bytes: this.#countedBytes - bytes }));
    this.#trimming = bytes;
    return { groups, bytes };
  }

  /** The commit that carried a trim of so many bytes is durable. */
  trimmed(bytes: number): void {
    this.#bytes -= bytes;
    this.#countedBytes -= bytes;
    this.#trimming -= bytes;
  }

  /** The commit that carried it failed. */
  untrimmed(bytes: number): void {
    this.#trimming -= bytes;
  }

  /** After event `seq`, which is dated ahead of now, the first that is not; undefined while there is none. */
  #behindAhead(seq: number, now: number): Event | undefined {
    let [ahead, end] = [seq, this.last + 1];
    let found: Event | undefined;
    while (end - ahead > 1) {
      const middle = Math.floor((ahead + end) / 2);
      const event = this.#endOfGroup(middle);
      if (event && Date.parse(event.time) <= now) [found, end] = [event, middle];
      else ahead = Math.max(middle, event?.seq ?? 0);
    }
    return found;
  }

  /** The last event of the group that has event `seq`; undefined where that is damaged. */
  #endOfGroup(seq: number): Event | undefined {
    for (const { value } of this.#kv.range('journal', { start: this.#groupKey(seq - 1), limit: 1 })) {
      const last = linesOf(value)?.at(-1);
      return last === undefined ? undefined : (JSON.parse(last) as Event);
    }
    return undefined;
  }

  #isLastGroup(key: Buffer): boolean {
    for (const last of this.#kv.range('journal', { reverse: true, limit: 1 })) return last.key.equals(key);
    return true;
  }

  #endIsDamaged(): boolean {
    for (const { value } of this.#kv.range('journal', { reverse: true, limit: 1 }))
      return linesOf(value) === undefined;
    return false;
  }

  /** In place of events that are not there; its time is that of the line beside them, if there is one. */
  #gap({ from, to, beside }: { from: number; to: number; beside: string | undefined }): {
    seq: number;
    line: string;
  } {
    const time = beside === undefined ? NO_TIME : (JSON.parse(beside) as Event).time;
    const id = `${this.#storeId}-${to}`;
    return { seq: to, line: JSON.stringify({ seq: to, id, time, type: 'sink_gap', from, to }) };
  }

  /** Key of the group that holds the event after `after`. */
  #groupKey(after: number): Buffer {
    for (const { key } of this.#kv.range('journal', { end: numberKey(after + 2), reverse: true, limit: 1 }))
      return key;
    return numberKey(0);
  }

  #line(draft: EventDraft, seq: number, texts: EventLines): string {
    return `{"seq":${seq},"id":"${this.#storeId}-${seq}","time":"${this.#iso(draft.time)}",${texts.fields(draft)}}`;
  }

  /** The lines of a run, the first of them with number `first`. */
  #run(run: EventRun, first: number, texts: EventLines): string {
    const of = texts.ofRun(run);
    const [id, time] = [`,"id":"${this.#storeId}-`, `","time":"${this.#iso(run.draft.time)}",`];
    // One text that grows: thousands of lines that are joined would each be put together by itself before.
    let text = '';
    for (let i = 0; i < run.indexes.length; i++) {
      const seq = first + i;
      text += `${i === 0 ? '' : '\n'}{"seq":${seq}${id}${seq}${time}${of(i)}}`;
    }
    return text;
  }

  /** Events of one commit mostly have one time. */
  #iso(time: number): string {
    if (time !== this.#time.ms) this.#time = { ms: time, iso: new Date(time).toISOString() };
    return this.#time.iso;
  }
}

/** The events of a group; undefined when it is damaged. */
function linesOf(value: Buffer): string[] | undefined {
  try {
    return unseal(value).toString().split('\n');
  } catch {
    return undefined;
  }
}
