/** Reads a JSON body up to a limit. The error is a Refused, so that bad JSON and size speak as all else does. */
import type { Readable } from 'node:stream';
import { isUtf8 } from 'node:buffer';
import { err, ok, type Result } from '../core/index.ts';
import { invalid, type Refused, tooLarge } from './refused.ts';

/** Undefined for an empty body. Rejects when the connection breaks. */
export async function readJson(body: Readable, limitBytes: number): Promise<Result<unknown, Refused>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > limitBytes) return err(tooLarge(limitBytes));
    chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks));
}

/** `what` is the subject of the message. */
export function parseJson(bytes: Buffer, what = 'the body'): Result<unknown, Refused> {
  if (bytes.length === 0) return ok(undefined);
  if (!isUtf8(bytes)) return err(invalid([{ field: '', message: `${what} is not UTF-8` }]));
  try {
    return ok(JSON.parse(bytes.toString('utf8')) as unknown);
  } catch (error) {
    return err(invalid([{ field: '', message: `${what} is not JSON: ${(error as Error).message}` }]));
  }
}
