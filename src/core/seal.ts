/**
 * A payload behind its CRC-32, so that a damaged value is noticed when it is read. Not in the store's folder, because
 * the thread that receives mail seals what it hands over, and must not load the store.
 */
import { crc32 } from 'node:zlib';

/** Bytes of the checksum in front of a payload. */
export const SEAL_BYTES = 4;

/** Writes the checksum of what follows it. */
export function sealed(value: Buffer): Buffer {
  value.writeUInt32BE(crc32(value.subarray(SEAL_BYTES)), 0);
  return value;
}

/** What has the payload behind SEAL_BYTES that are the caller's to give, in the same memory. */
export const withFront = (payload: Buffer): Buffer =>
  Buffer.from(payload.buffer, payload.byteOffset - SEAL_BYTES, payload.length + SEAL_BYTES);
