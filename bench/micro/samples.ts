/** Messages of 10 KB: plain text, and HTML with indentation, which gives DKIM's relaxed form something to do. */

export const MESSAGE_BYTES = 10 * 1024;

const HEADER = [
  'From: Shop <source@source.test>',
  'To: Anna <u1@d1.test>',
  'Subject: The offers of this week',
  'Date: Sat, 21 Nov 2026 10:00:00 +0000',
  'Message-ID: <1@source.test>',
  'MIME-Version: 1.0',
];

const message = (type: string, line: string): Buffer => {
  const head = [...HEADER, `Content-Type: ${type}; charset=us-ascii`, '', ''].join('\r\n');
  const lines = Math.round((MESSAGE_BYTES - head.length) / (line.length + 2));
  return Buffer.from(head + `${line}\r\n`.repeat(lines));
};

export const plainText = message('text/plain', 'x'.repeat(76));
export const indentedHtml = message(
  'text/html',
  '        <td  class="offer"><a href="https://shop.test/o/1">new</a></td>',
);
export const dottedText = message('text/plain', `.${'x'.repeat(75)}`);
export const bodyStartOf = (content: Buffer): number => content.indexOf('\r\n\r\n') + 4;

/** As large as any of them; the target of copies. */
export const target = Buffer.alloc(2 * MESSAGE_BYTES);
