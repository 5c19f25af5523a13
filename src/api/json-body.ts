/** Reads a JSON body up to a limit. The error is a Refused, so that bad JSON and size speak as all else does. */
import type { Readable } from 'node:stream';
import { isUtf8 } from 'node:buffer';
import { err, ok, type Result } from '../core/index.ts';
import { tooManyValues } from './json-size.ts';
import { invalid, type Refused, tooLarge } from './refused.ts';
import { noRoom, type Share } from './room.ts';

/** Undefined for an empty body. Rejects when the connection breaks. */
export async function readJson(
  body: Readable,
  limitBytes: number,
  share: Share,
): Promise<Result<unknown, Refused>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) return err(tooLarge(limitBytes));
    if (!share.hold(bytes)) return err(noRoom());
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks));
}

/** `what` is the subject of the message. */
export function parseJson(bytes: Buffer, what = 'the body'): Result<unknown, Refused> {
  if (bytes.length === 0) return ok(undefined);
  const many = tooManyValues(bytes);
  if (many !== undefined) return err(invalid([{ field: '', message: `${what} ${many}` }]));
  if (!isUtf8(bytes)) return err(invalid([{ field: '', message: `${what} is not UTF-8` }]));
  try {
    return ok(JSON.parse(bytes.toString('utf8')) as unknown);
  } catch (error) {
    return err(invalid([{ field: '', message: `${what} is not JSON: ${(error as Error).message}` }]));
  }
}
