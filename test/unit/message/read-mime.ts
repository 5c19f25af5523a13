/** A small independent reader of composed messages for tests: strings and regular expressions, no code of src. */
import assert from 'node:assert/strict';

export interface Part {
  readonly header: Readonly<Record<string, string>>;
  readonly type: string;
  /** Decoded bytes of a leaf. */
  readonly bytes: Buffer;
  readonly children: readonly Part[];
}

export function readMime(content: Buffer): Part {
  const text = content.toString('latin1');
  const split = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  assert.ok(split !== 1, 'there is a blank line');
  const header: Record<string, string> = {};
  for (const line of text
    .slice(0, split)
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n')
    .filter(Boolean)) {
    const match = /^([!-9;-~]+):[ \t]*(.*)$/s.exec(line);
    assert.ok(match, `a header field: ${JSON.stringify(line)}`);
    const name = match[1]!.toLowerCase();
    assert.ok(name === 'received' || !(name in header), `${name} occurs once`);
    header[name] = match[2]!;
  }
  const body = text.slice(split + 2);
  const type = /^[^;]*/
    .exec(header['content-type'] ?? 'text/plain')![0]
    .trim()
    .toLowerCase();
  const boundary = /boundary="?([^";]+)"?/.exec(header['content-type'] ?? '')?.[1];
  if (boundary === undefined) return { header, type, bytes: decode(header, body), children: [] };
  const pieces = `\r\n${body}`.split(`\r\n--${boundary}`);
  assert.match(pieces.at(-1)!, /^--\s*/, 'the multipart is closed');
  const children = pieces.slice(1, -1).map((piece) => {
    assert.ok(piece.startsWith('\r\n'));
    return readMime(Buffer.from(piece.slice(2), 'latin1'));
  });
  return { header, type, bytes: Buffer.alloc(0), children };
}

function decode(header: Readonly<Record<string, string>>, body: string): Buffer {
  const encoding = (header['content-transfer-encoding'] ?? '7bit').toLowerCase();
  if (encoding === 'base64') return Buffer.from(body, 'base64');
  if (encoding !== 'quoted-printable') return Buffer.from(body, 'latin1');
  for (const line of body.split('\r\n')) assert.ok(line.length <= 76, `a short line: ${line}`);
  const joined = body.replace(/[ \t]+(?=\r\n|$)/g, '').replace(/=\r\n/g, '');
  const bytes = joined.replace(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1');
}

/** Types of a tree: `mixed(alternative(plain,html),pdf)`. */
export function shapeOf(part: Part): string {
  const name = part.type.slice(part.type.indexOf('/') + 1);
  return part.children.length === 0 ? name : `${name}(${part.children.map(shapeOf).join(',')})`;
}
