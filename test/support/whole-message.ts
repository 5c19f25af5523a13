/**
 * Whole messages as clients write them: a multipart with boundaries of its own, and each text in the transfer encoding
 * that is asked for. Shares no code with us.
 */

export interface WholeMessage {
  readonly name: string;
  readonly subject: string;
  readonly custom: string;
  readonly texts: readonly { readonly type: string; readonly text: string }[];
  readonly files: readonly {
    readonly type: string;
    readonly filename: string | null;
    readonly cid: string | null;
    readonly bytes: Buffer;
  }[];
}

export type Encoding = 'quoted-printable' | 'base64' | '8bit';

/** How its client writes it. */
export interface Writing {
  readonly boundaries: readonly [string, string];
  readonly text: Encoding;
  readonly html: Encoding;
  /** Header texts in encoded words, even where they need none. */
  readonly encodedHeader: boolean;
  /** Without a multipart where there is one part only. */
  readonly alone: boolean;
}

/** A header text in one line. */
export const oneLine = (text: string): string => text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').trim();
/** A body's text with CRLF at the end of each line. */
export const withLines = (text: string): string => {
  const lines = text.replaceAll(/\r\n?|\n/g, '\r\n');
  return lines.endsWith('\r\n') ? lines : `${lines}\r\n`;
};

/** Parameters that the type of each text has besides its charset. */
export const KEPT = { 'x-p': 'a; "b" \\c', 'x-q': 'Grüße' };
const KEPT_TEXT = `x-p="a; \\"b\\" \\\\c"; x-q*=utf-8''Gr%C3%BC%C3%9Fe`;

/** As it is, or in encoded words where it must or shall be. */
function headerText(text: string, { encodedHeader }: Writing): string {
  const line = oneLine(text);
  if (!encodedHeader && !line.includes('=?') && line.length < 300) return line;
  const words = [...line].map((_, i, all) => (i % 10 === 0 ? all.slice(i, i + 10).join('') : ''));
  const encoded = words.filter(Boolean).map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`);
  return encoded.join('\r\n ');
}

const base64Lines = (bytes: Buffer): string => bytes.toString('base64').replaceAll(/.{1,76}/g, '$&\r\n');

/** Soft breaks wherever they fall, inside names of variables as well. */
const quotedPrintable = (text: string): string =>
  text
    .split('\r\n')
    .map((line) =>
      (
        Buffer.from(line)
          .toString('latin1')
          .replaceAll(/[^\w{}|.]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
          .match(/(?:=..|[^=]){1,25}/g) ?? []
      ).join('=\r\n'),
    )
    .join('\r\n');

function textEntity(type: string, template: string, encoding: Encoding): string {
  const text = withLines(template);
  const needsEncoding = text.split('\r\n').some((line) => line.startsWith('--') || line.length > 300);
  const used = encoding === '8bit' && needsEncoding ? 'quoted-printable' : encoding;
  const encode = {
    base64: () => base64Lines(Buffer.from(text)),
    'quoted-printable': () => quotedPrintable(text),
    '8bit': () => text,
  };
  const fields = [
    `Content-Transfer-Encoding: ${used}`,
    `Content-Type: ${type}; ${KEPT_TEXT}; charset="UTF-8"`,
  ];
  return `${fields.join('\r\n')}\r\n\r\n${encode[used]()}`;
}

const multipartEntity = (subtype: string, boundary: string, parts: readonly string[]): string =>
  `Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n\r\nPreamble\r\n` +
  `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\nEpilogue\r\n`;

function fileEntity({ type, filename, cid, bytes }: WholeMessage['files'][number]): string {
  const name = encodeURIComponent(filename ?? '').replaceAll("'", '%27');
  return [
    `Content-Type: ${type}`,
    `Content-Disposition: attachment; filename*=utf-8''${name}`,
    `Content-Transfer-Encoding: base64${cid === null ? '' : `\r\nContent-ID: ${cid}`}`,
    `\r\n${base64Lines(bytes)}`,
  ].join('\r\n');
}

export function wholeMessage(given: WholeMessage, how: Writing): Buffer {
  const texts = given.texts.map(({ type, text }) =>
    textEntity(type, text, type === 'text/plain' ? how.text : how.html),
  );
  const files = given.files.map(fileEntity);
  const [outer, inner] = how.boundaries;
  const entity =
    how.alone && texts.length === 1 && files.length === 0
      ? texts[0]!
      : multipartEntity('mixed', outer, [multipartEntity('alternative', inner, texts), ...files]);
  const name = headerText(given.name, how);
  return Buffer.from(
    [
      `From: ${how.encodedHeader || name.startsWith('=?') ? name : `"${name}"`} <news@example.com>`,
      `Subject: ${headerText(given.subject, how)}`,
      `X-Custom: ${headerText(given.custom, how)}`,
      'MIME-Version: 1.0',
      entity,
    ].join('\r\n'),
  );
}
