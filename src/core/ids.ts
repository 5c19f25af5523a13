/**
 * Identifiers. A message number is a 53-bit integer that grows with time: milliseconds since 2020 (41 bits) and a
 * counter (12 bits), so the key order in the store is the order of acceptance. Its text form is 11 Crockford
 * base32 characters, lower case, case-insensitive on input. A delivery is `<message>.<index>`, index from 1.
 */
export type MessageId = string & { readonly __brand: 'MessageId' };
export type DeliveryId = string & { readonly __brand: 'DeliveryId' };

const EPOCH = Date.UTC(2020, 0, 1);
const PER_MS = 4096;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 11;

const values = new Map<string, number>();
for (const [i, c] of [...ALPHABET].entries()) values.set(c, i).set(c.toUpperCase(), i);
for (const [alias, digit] of ['i1', 'I1', 'l1', 'L1', 'o0', 'O0'].map((p) => [p[0]!, p[1]!] as const))
  values.set(alias, Number(digit));

const PAIRS = Array.from({ length: 1024 }, (_, i) => ALPHABET[i >> 5]! + ALPHABET[i & 31]!);

/** Lower-case base32 of a non-negative integer, `length` characters. Two at a time: ids are written often. */
export function base32(value: number, length: number): string {
  let text = '';
  let rest = value;
  let left = length;
  for (; left > 1; left -= 2) {
    const above = Math.floor(rest / 1024);
    text = PAIRS[rest - above * 1024]! + text;
    rest = above;
  }
  return left === 1 ? ALPHABET[rest % 32]! + text : text;
}

/** The integer a base32 text stands for; undefined for a foreign character or a value above 2^53. */
export function parseBase32(text: string): number | undefined {
  let value = 0;
  for (const c of text) {
    const digit = values.get(c);
    if (digit === undefined) return undefined;
    value = value * 32 + digit;
  }
  return Number.isSafeInteger(value) ? value : undefined;
}

export const messageIdOf = (number: number): MessageId => base32(number, LENGTH) as MessageId;
export const deliveryIdOf = (number: number, index: number): DeliveryId =>
  `${base32(number, LENGTH)}.${index}` as DeliveryId;

/** The number behind a message id, or undefined when the text is not one. */
export function messageNumberOf(id: string): number | undefined {
  return id.length === LENGTH ? parseBase32(id) : undefined;
}

/** Message number and recipient index behind a delivery id, or undefined when the text is not one. */
export function parseDeliveryId(id: string): { number: number; index: number } | undefined {
  const match = /^([0-9A-Za-z]{11})\.([1-9][0-9]{0,8})$/.exec(id);
  const number = match ? messageNumberOf(match[1]!) : undefined;
  return number === undefined ? undefined : { number, index: Number(match![2]) };
}

/** Time of acceptance (ms since the epoch) that a message number carries. */
export const timeOfMessageNumber = (number: number): number => Math.floor(number / PER_MS) + EPOCH;
/** Of the 2^41 ms, those up to 2085: numbers are left for the mail that comes after a clock that was ahead of them. */
const MAX_MS = 2 ** 41 - 2 ** 37;
/** The smallest message number of a moment (ms since the epoch); a moment beyond 2085 has that of its start. */
export const messageNumberAt = (time: number): number =>
  Math.min(Math.max(0, Math.floor(time - EPOCH)), MAX_MS) * PER_MS;

/**
 * Gives message numbers that only grow, also when the clock steps back; `last` is the largest one ever given. Threads
 * that share the `place` (8 bytes) take turns: none is given twice, and each is larger than all before it.
 */
export function messageNumbers(
  now: () => number,
  last: number,
  place: SharedArrayBuffer = new SharedArrayBuffer(8),
): () => number {
  const largest = new BigInt64Array(place);
  const raise = (to: (before: number) => number): number => {
    for (;;) {
      const before = Atomics.load(largest, 0);
      const next = to(Number(before));
      if (Atomics.compareExchange(largest, 0, before, BigInt(next)) === before) return next;
    }
  };
  raise((before) => Math.max(before, last));
  return () => raise((before) => Math.max(before + 1, messageNumberAt(now())));
}
