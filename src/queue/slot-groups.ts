/**
 * What is stored of the log of slots (slot-log.ts): groups with numbers that have no gap, each sealed, each of what one
 * commit did. A group that is lost, damaged or has a damaged key is noticed when the log is read. After that it begins
 * anew behind all numbers that were there; what of it cannot be removed, as a damaged key on a page that is not in order
 * any more, is remembered, so that it is named once.
 */
import { numberKey, parseNumberKey, SLOT_BYTES, textKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { encode, healthy, seal, unseal } from './records.ts';

/** Groups that can be missing in a row: a number beyond is damaged itself. */
const FAR = 1_000_000;
/** No group has this number or a larger one. */
const NEVER = 2 ** 52;
const MARK = textKey('slots');

/** What the log says: of a slot, its key follows; of a queue, its id. */
const [TAKEN, ADDED, FOLDED] = [0, 1, 2];
const ID_BYTES = 4;

/** Numbers of groups that follow each other. */
interface Numbers {
  readonly first: number;
  last: number;
}

/** Of a log that began anew: keys of the old one, as hex, that could not be removed. */
interface Renewed {
  readonly left: readonly string[];
}

export interface GroupReader {
  folded(queueId: number): void;
  changed(slot: { readonly key: Buffer; readonly added: boolean }): void;
}

export interface ReadLog {
  /** Number of the oldest group, and the one that comes next. */
  readonly first: number;
  readonly next: number;
  /** Groups that are lost. */
  readonly lost: readonly string[];
}

/** Reads the log from its beginning. */
export function readLog(kv: Kv, reader: GroupReader): ReadLog {
  let [first, expected, highest] = [1, undefined as number | undefined, 0];
  const lost: Numbers[] = [];
  const left = new Set(leftOf(kv));
  for (const { key, value } of kv.range('slot_log', {})) {
    const number = parseNumberKey(key);
    if (number < NEVER) highest = Math.max(highest, number);
    if (left.has(hexOf(key))) continue;
    // Keys that are damaged need not stand in their order.
    if (number >= NEVER || (expected !== undefined && (number < expected || number - expected > FAR))) {
      lose(lost, number);
      continue;
    }
    if (expected === undefined) first = number;
    else if (number > expected) lose(lost, expected, number - 1);
    expected = number + 1;
    const group = unsealed(value);
    if (group) readGroup(group, reader);
    else lose(lost, number);
  }
  const named = lost.map((one) =>
    one.first === one.last ? `group ${one.first}` : `groups ${one.first} to ${one.last}`,
  );
  return { first, next: highest + 1, lost: named };
}

/** The number of the newest group; 0 when there is none. */
export function newestGroup(kv: Kv): number {
  const numbers = [...kv.range('slot_log', {})].map(({ key }) => parseNumberKey(key));
  return Math.max(0, ...numbers.filter((number) => number < NEVER));
}

/** Puts one group in the place of all that there are. */
export async function renewLog(kv: Kv, number: number, group: Buffer | undefined): Promise<void> {
  const keys = (): Buffer[] => [...kv.range('slot_log', {})].map(({ key }) => key);
  const removals = keys().map((key): Op => ({ table: 'slot_log', key, value: undefined }));
  await kv.commit([...removals, ...(group ? [groupOp(number, group)] : []), leftOp([])]);
  const left = keys().filter((key) => !key.equals(numberKey(number)));
  if (left.length > 0) await kv.commit([leftOp(left.map(hexOf))]);
}

export const groupOp = (number: number, value: Buffer | undefined): Op => ({
  table: 'slot_log',
  key: numberKey(number),
  value,
});

/** Undefined when there is nothing to say. */
export function encodeGroup(
  folded: readonly number[],
  slots: ReadonlyMap<number, readonly Op[]>,
  count: number,
): Buffer | undefined {
  const group = Buffer.allocUnsafe(folded.length * (1 + ID_BYTES) + count * (1 + SLOT_BYTES));
  let at = 0;
  for (const id of folded) {
    group[at] = FOLDED;
    at = group.writeUInt32BE(id, at + 1);
  }
  for (const ops of slots.values())
    for (const { key, value } of ops) {
      group[at] = value === undefined ? TAKEN : ADDED;
      at += 1 + key.copy(group, at + 1);
    }
  return at > 0 ? seal(group) : undefined;
}

function readGroup(group: Buffer, reader: GroupReader): void {
  for (let at = 0; at < group.length;) {
    const what = group[at++];
    if (what === FOLDED) {
      reader.folded(group.readUInt32BE(at));
      at += ID_BYTES;
      continue;
    }
    reader.changed({ key: group.subarray(at, at + SLOT_BYTES), added: what === ADDED });
    at += SLOT_BYTES;
  }
}

function unsealed(value: Buffer): Buffer | undefined {
  try {
    return unseal(value);
  } catch {
    return undefined;
  }
}

const hexOf = (key: Buffer): string => key.toString('hex');

function leftOf(kv: Kv): readonly string[] {
  const mark = kv.get('meta', MARK);
  return (mark && healthy<Renewed>(mark)?.left) ?? [];
}

const leftOp = (left: Renewed['left']): Op => ({ table: 'meta', key: MARK, value: encode({ left }) });

function lose(lost: Numbers[], first: number, last = first): void {
  const before = lost.at(-1);
  if (before && before.last + 1 === first) before.last = last;
  else lost.push({ first, last });
}
