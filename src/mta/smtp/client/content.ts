/**
 * Puts the content on the wire. Small content goes out in one write; large content in blocks, each of which has a
 * deadline of its own, so a slow receiver is not cut off while it makes progress (RFC 5321 §4.5.3.2.5) and memory
 * of the socket stays bounded.
 */
import type { Connection } from './connection.ts';
import { totalBytes } from './dot-stuffing.ts';

const BLOCK_BYTES = 128 * 1024;
/** Up to here waiting for the network is left to the deadline of the reply. */
const ONE_WRITE_BYTES = 256 * 1024;

const DOT = Buffer.from('.\r\n');
const CRLF_DOT = Buffer.from('\r\n.\r\n');

/** The line that ends the content; preceded by CRLF where the content does not end with one (RFC 5321 §4.1.1.4). */
export function endOfData(parts: readonly Buffer[]): Buffer {
  let last: number | undefined;
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i]!;
    for (let at = part.length - 1; at >= 0; at--) {
      if (last !== undefined) return last === 0x0a && part[at] === 0x0d ? DOT : CRLF_DOT;
      last = part[at]!;
    }
  }
  return CRLF_DOT;
}

/**
 * Writes the parts; one reply will be owed. False when it stopped before the last block because the connection
 * failed or the peer answered early: then the content must not be taken as complete by anyone.
 */
export async function writeContent(
  connection: Connection,
  parts: readonly Buffer[],
  blockTimeoutMs: number,
): Promise<boolean> {
  if (totalBytes(parts) <= ONE_WRITE_BYTES) {
    connection.write(parts, 1);
    return true;
  }
  let owed = 1;
  const blocks = blocksOf(parts);
  for (const block of blocks) {
    connection.write(block, owed);
    owed = 0;
    const isLast = block === blocks[blocks.length - 1];
    const more = await connection.drained(blockTimeoutMs);
    if (!more && !isLast) return false;
  }
  return true;
}

/** Groups parts, and slices of large ones, into blocks of about the same size. No byte is copied. */
function blocksOf(parts: readonly Buffer[]): readonly (readonly Buffer[])[] {
  const blocks: Buffer[][] = [];
  let block: Buffer[] = [];
  let room = BLOCK_BYTES;
  for (const part of parts) {
    for (let start = 0; start < part.length;) {
      const slice = part.subarray(start, start + room);
      block.push(slice);
      start += slice.length;
      room -= slice.length;
      if (room > 0) continue;
      blocks.push(block);
      block = [];
      room = BLOCK_BYTES;
    }
  }
  if (block.length > 0) blocks.push(block);
  return blocks;
}
