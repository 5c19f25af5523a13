/** Byte keys of the tables; big-endian, so that byte order is number order. */
const HIGH = 2 ** 32;

function writeNumber(key: Buffer, value: number, offset: number): void {
  key.writeUInt32BE(Math.floor(value / HIGH), offset);
  key.writeUInt32BE(value % HIGH, offset + 4);
}
const readNumber = (key: Buffer, offset: number): number =>
  key.readUInt32BE(offset) * HIGH + key.readUInt32BE(offset + 4);

/** 8 bytes: a message number, a journal sequence number or a lease id. */
export function numberKey(value: number): Buffer {
  const key = Buffer.allocUnsafe(8);
  writeNumber(key, value, 0);
  return key;
}
export const parseNumberKey = (key: Buffer): number => readNumber(key, 0);

/** 12 bytes: message number, recipient index. */
export function deliveryKey(number: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(12);
  writeNumber(key, number, 0);
  key.writeUInt32BE(index, 8);
  return key;
}
export const parseDeliveryKey = (key: Buffer): { number: number; index: number } => ({
  number: readNumber(key, 0),
  index: key.readUInt32BE(8),
});

export interface Slot {
  readonly queueId: number;
  /** Wall time, ms since the epoch. */
  readonly wakeAt: number;
  readonly number: number;
  readonly index: number;
}

export const SLOT_BYTES = 22;

/** 22 bytes: queue, wake time (48 bits), delivery: the order in which a queue is worked off. */
export function slotKey(slot: Slot): Buffer {
  const key = Buffer.allocUnsafe(SLOT_BYTES);
  key.writeUInt32BE(slot.queueId, 0);
  key.writeUIntBE(Math.max(0, Math.floor(slot.wakeAt)), 4, 6);
  writeNumber(key, slot.number, 10);
  key.writeUInt32BE(slot.index, 18);
  return key;
}
export const parseSlotKey = (key: Buffer): Slot => ({
  queueId: key.readUInt32BE(0),
  wakeAt: key.readUIntBE(4, 6),
  number: readNumber(key, 10),
  index: key.readUInt32BE(18),
});

/** Lower bound of the slots of a queue that wake at `wakeAt` or later. */
export function slotBound(queueId: number, wakeAt: number): Buffer {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt32BE(queueId, 0);
  key.writeUIntBE(wakeAt, 4, 6);
  return key;
}

export const textKey = (...parts: readonly string[]): Buffer => Buffer.from(parts.join('\0'));
export const parseTextKey = (key: Buffer): string[] => key.toString().split('\0');

/** The smallest key behind another. */
export const keyAfter = (key: Buffer): Buffer => Buffer.concat([key, Buffer.of(0)]);
