/**
 * The format a store is written in, and its id. A store of the two formats before is brought up to this one when it
 * is opened; what is older or newer is refused with the way out, and nothing of it is touched.
 *
 * A migration writes what is missing in slices and the new format last: cut off, it begins again.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/index.ts';
import { Journal, readMark } from './journal.ts';
import { keyAfter, numberKey, parseDeliveryKey } from './keys.ts';
import type { Entry, Kv } from './kv.ts';
import { type DeliveryRecord, healthy, type SharedMessage } from './records.ts';
import { timeOfNewest } from './newest.ts';
import { encodeRuns, runsOf } from './recipient-index.ts';
import type { QueueState } from './state.ts';
import { MARK_KEY, type StoreMark, written } from './store-mark.ts';

export const FORMAT = 4;
const SLICE = 1_000;

/** More events than a store can tell: so many a millisecond, and those of a day for clocks that differ. */
const EVENTS_PER_MS = 1_000;
const CLOCK_MS = 86_400_000;

/** Refused to open: the store is of another version. */
export class StoreVersionError extends Error {}

interface Opened {
  readonly kv: Kv;
  readonly clock: Clock;
  readonly report: QueueState['report'];
}

/** The mark of a store in the format of now: made, mended or migrated. Throws StoreVersionError. */
export async function openFormat({ kv, clock, report }: Opened): Promise<StoreMark> {
  const stored = kv.get('meta', MARK_KEY);
  if (!stored) return written(kv, newMark());
  const mark = healthy<StoreMark>(stored) ?? (await written(kv, mended({ kv, report })));
  if (mark.format === FORMAT) return mark.copy ? written(kv, restored(mark, { kv, clock, report })) : mark;
  const step = MIGRATIONS[mark.format];
  if (!step) throw new StoreVersionError(refusal(mark.format));
  const counts = { from: mark.format, to: FORMAT, records: await step(kv) };
  report('warn', 'the store was written by an earlier version and has been brought up to this one', counts);
  await written(kv, { ...mark, format: FORMAT });
  return openFormat({ kv, clock, report });
}

/**
 * The store that a copy was made of has told events behind the last one of the copy: no number is given twice, and who
 * follows from one that is not here is told of a gap.
 */
function restored({ format, storeId, skipped = [] }: StoreMark, { kv, clock, report }: Opened): StoreMark {
  const journal = new Journal(kv, { storeId, skipped }, readMark(kv));
  const { first, last } = journal;
  if (last === 0) return newMark();
  const sinceMs = Math.max(clock.now() - timeOfNewest(journal), 0) + CLOCK_MS;
  const skip = { from: last + 1, to: last + sinceMs * EVENTS_PER_MS };
  const text = 'the store is a copy: its events go on behind all that the store it was made of can have told';
  report('warn', text, { last_seq: last, next_seq: skip.to + 1 });
  return { format, storeId, skipped: [...skipped.filter(({ to }) => to >= first), skip] };
}

/** What is wrong with the format of a store that is only read; undefined when nothing is. */
export function formatProblem(kv: Kv): string | undefined {
  const stored = kv.get('meta', MARK_KEY);
  if (!stored) return 'the store has no format mark';
  const mark = healthy<StoreMark>(stored);
  if (!mark) return 'the format mark is damaged: a start takes it for one of this version';
  if (mark.format === FORMAT) return undefined;
  return MIGRATIONS[mark.format]
    ? `the store has format ${mark.format}, this version writes format ${FORMAT}: a start of this version migrates it`
    : refusal(mark.format);
}

const refusal = (found: number): string =>
  found > FORMAT
    ? `the store has format ${found}, this version knows formats up to ${FORMAT}: a newer version has written it; ` +
      'run that one, or start with another data_dir'
    : `the store has format ${found}, this version reads formats ${Object.keys(MIGRATIONS).join(', ')} and ${FORMAT}: ` +
      'let the version that wrote it deliver what is queued, then move queue.mdb away; or start with another data_dir';

const newMark = (): StoreMark => ({ format: FORMAT, storeId: randomBytes(5).toString('hex') });

/** A damaged mark of another format would be two damages at once. */
function mended({ kv, report }: Omit<Opened, 'clock'>): StoreMark {
  report('error', 'damage in the store', {
    what: 'its format mark',
    consequence: 'it is taken for one of now',
  });
  for (const { id } of new Journal(kv, { storeId: '' }).events(0)) {
    const storeId = id.slice(0, id.lastIndexOf('-'));
    if (storeId !== '') return { format: FORMAT, storeId };
  }
  return newMark();
}

/** By the format they begin with: brings the store to the format of now and gives the number of records written. */
const MIGRATIONS: Readonly<Record<number, (kv: Kv) => Promise<number>>> = {
  2: addRecipients,
  3: () => Promise.resolve(0), // format 4 has a log of slots, which begins empty
};

/** Format 3 has the hashes of the recipients. The groups get numbers of events that were trimmed or are older. */
async function addRecipients(kv: Kv): Promise<number> {
  let groups = 0;
  for (const table of ['history', 'deliveries'] as const) {
    let from: Buffer | undefined;
    do {
      const slice = [...kv.range(table, { ...(from && { start: from }), limit: SLICE })];
      const runs = slice.flatMap((entry) => runOf(kv, entry));
      if (runs.length > 0)
        await kv.commit([{ table: 'recipients', key: numberKey(++groups), value: encodeRuns(runs) }]);
      const last = slice.at(-1);
      from = slice.length < SLICE ? undefined : keyAfter(last!.key);
    } while (from);
  }
  return groups;
}

/** Nothing for a damaged record: it is found by its id still. */
function runOf(kv: Kv, { key, value }: Entry): ReturnType<typeof runsOf> {
  const { number, index } = parseDeliveryKey(key);
  const record = healthy<DeliveryRecord>(value);
  if (!record) return [];
  const shared = record.message ? undefined : kv.get('messages', numberKey(number));
  const message = record.message ?? (shared && healthy<SharedMessage>(shared)?.message);
  return runsOf(number, message?.campaignId, [{ index, record }]);
}
