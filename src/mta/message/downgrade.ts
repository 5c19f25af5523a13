/**
 * An 8-bit message for a receiver without 8BITMIME (RFC 6152 §3): the leaf parts with 8-bit bytes are re-encoded,
 * everything else stays byte for byte. Must come before signing.
 *
 * Refuses rather than guesses: 8-bit bytes in a header (RFC 6532 mail can not be downgraded), in a signed part
 * (RFC 1847 §2.1: changing it breaks the signature), in a part that claims another encoding, or outside all parts.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { err, ok, type Result } from '../../core/index.ts';
import { headerChunks } from './header-edit.ts';
import { MAX_HEADER_BYTES, scanHeader, scanPart, type HeaderScan } from './header.ts';
import {
  contentTypeOf,
  MAX_MIME_DEPTH,
  MAX_MIME_PARTS,
  type MimePlace,
  splitMultipart,
  transferEncodingOf,
  type ContentType,
} from './mime.ts';
import { encodeBase64Lines, encodeQuotedPrintable } from './transfer-encoding.ts';

interface Entity {
  readonly bytes: Buffer;
  readonly scan: HeaderScan;
  readonly place: MimePlace;
  /** A message, not a part: its header needs MIME-Version. */
  readonly isMessage: boolean;
}

/** The content with 7-bit bytes only; the content itself when it has no others. The error is one sentence. */
export const downgrade = (content: Buffer): Result<Buffer, string> =>
  downgradeEntity(content, 'message', { depth: 0, left: { parts: MAX_MIME_PARTS } });

function downgradeEntity(bytes: Buffer, kind: 'message' | 'part', place: MimePlace): Result<Buffer, string> {
  // A label `8bit` over 7-bit bytes does no harm and stays.
  if (isAscii(bytes)) return ok(bytes);
  if (place.depth > MAX_MIME_DEPTH) return err(`parts are nested deeper than ${MAX_MIME_DEPTH} levels`);
  const scan = place.depth === 0 ? scanHeader(bytes) : scanPart(bytes);
  if (!scan) return err(`the header of a part is larger than ${MAX_HEADER_BYTES} bytes`);
  if (!isAscii(bytes.subarray(0, scan.headerEnd))) return err('a header has 8-bit bytes');
  if (scan.malformed !== undefined) return err('a header has a line that is not a header field');
  const encoding = transferEncodingOf(bytes, scan);
  if (encoding !== '7bit' && encoding !== '8bit' && encoding !== 'binary')
    return err('a part has 8-bit bytes in spite of its transfer encoding');
  const entity = { bytes, scan, place, isMessage: kind === 'message' };
  const contentType = contentTypeOf(bytes, scan);
  const type = contentType?.type ?? 'text/plain';
  if (type === 'multipart/signed') return err('a signed part has 8-bit bytes');
  if (type.startsWith('multipart/'))
    return downgradeMultipart(entity, contentType?.parameters.get('boundary'));
  if (type === 'message/rfc822') return downgradeMessage(entity);
  if (type.startsWith('message/')) return err('a part of type message has 8-bit bytes');
  return ok(downgradeLeaf(entity, contentType));
}

function downgradeMultipart(entity: Entity, boundary: string | undefined): Result<Buffer, string> {
  if (boundary === undefined || boundary === '') return err('a multipart has no boundary');
  const body = entity.bytes.subarray(entity.scan.bodyStart);
  const parts = splitMultipart(body, boundary, entity.place);
  if (!parts) return err(`there are more than ${MAX_MIME_PARTS} parts`);
  const chunks = relabelled(entity, '7bit', '');
  let from = 0;
  for (const part of [...parts, { start: body.length, end: body.length }]) {
    const between = body.subarray(from, part.start);
    if (!isAscii(between)) return err('there are 8-bit bytes between the parts of a multipart');
    const bytes = body.subarray(part.start, part.end);
    const converted = downgradeEntity(bytes, 'part', inside(entity));
    if (!converted.ok) return converted;
    chunks.push(between, converted.value);
    from = part.end;
  }
  return ok(Buffer.concat(chunks));
}

const inside = ({ place: { depth, left } }: Entity): MimePlace => ({ depth: depth + 1, left });

function downgradeMessage(entity: Entity): Result<Buffer, string> {
  const bytes = entity.bytes.subarray(entity.scan.bodyStart);
  const inner = downgradeEntity(bytes, 'message', inside(entity));
  return inner.ok ? ok(Buffer.concat([...relabelled(entity, '7bit', ''), inner.value])) : inner;
}

function downgradeLeaf(entity: Entity, contentType: ContentType | undefined): Buffer {
  const body = entity.bytes.subarray(entity.scan.bodyStart);
  const isText = contentType === undefined || contentType.type.startsWith('text/');
  let added = '';
  // Without these a reader would not decode what comes out (RFC 2045 §4), or take it for ASCII (RFC 1428 §4).
  if (entity.isMessage && !has(entity.scan, 'mime-version')) added += 'MIME-Version: 1.0\r\n';
  if (!has(entity.scan, 'content-type'))
    added += `Content-Type: text/plain; charset=${isUtf8(body) ? 'utf-8' : 'unknown-8bit'}\r\n`;
  const encoding = isText ? 'quoted-printable' : 'base64';
  const encoded = isText ? encodeQuotedPrintable(body) : encodeBase64Lines(body);
  return Buffer.concat([...relabelled(entity, encoding, added), encoded]);
}

const has = (scan: HeaderScan, name: string): boolean => scan.fields.some((field) => field.name === name);

/** The entity's header with another transfer encoding; `7bit` needs no field. */
function relabelled(entity: Entity, encoding: string, added: string): Buffer[] {
  const label = encoding === '7bit' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`;
  return headerChunks(entity.bytes, entity.scan, {
    drop: (name) => name === 'content-transfer-encoding',
    bottom: added + label,
  });
}
