/**
 * Messages on which DKIM signers are known to go wrong, and the keys that tests sign them with. All have CRLF line
 * ends: content is normalised before it is signed.
 */
import assert from 'node:assert/strict';
import { generateKeyPem, loadKey, publicRecord, type DkimKey } from '../../../src/mta/dkim/index.ts';

const HEADER =
  'From: Ann <ann@example.com>\r\nTo: bob@example.org\r\nSubject: odd\r\n' +
  'Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <1@example.com>\r\n';

const odd = (header: string, body: string, encoding: BufferEncoding = 'latin1'): Buffer =>
  Buffer.from(`${header}\r\n${body}`, encoding);

export const oddMessages: Readonly<Record<string, Buffer>> = {
  plain: odd(HEADER, 'Hello\r\n'),
  'empty body': odd(HEADER, ''),
  'only one CRLF': odd(HEADER, '\r\n'),
  'only CRLFs': odd(HEADER, '\r\n\r\n\r\n'),
  'only blanks': odd(HEADER, ' \t \r\n\t\r\n'),
  'no newline at the end': odd(HEADER, 'Hello'),
  'trailing empty lines': odd(HEADER, 'Hello\r\n\r\n\r\n'),
  'trailing lines of blanks': odd(HEADER, 'Hello\r\n \r\n\t \r\n'),
  'trailing white space': odd(HEADER, 'a \r\nb\t\r\nc \t \r\n'),
  'runs of blanks': odd(HEADER, '  a  b\t\tc \t d\r\n\t e\r\n'),
  'a single tab': odd(HEADER, 'a\tb\r\n'),
  'leading empty lines': odd(HEADER, '\r\n\r\na\r\n\r\nb\r\n'),
  '8-bit UTF-8': odd(HEADER, 'Gr\u00fc\u00dfe \u{1f389}  x\r\n', 'utf8'),
  '8-bit Latin-1': odd(HEADER, 'Gr\xfc\xdfe \x85 \r\n'),
  'no-break spaces': odd(HEADER, 'a\xa0\xa0b\xa0\r\n\xa0\r\n'),
  'no-break spaces in UTF-8': odd(HEADER, 'a\u00a0 \u00a0b\u00a0\r\n\u2003\r\n', 'utf8'),
  'control characters': odd(HEADER, 'a\x0b\x0c b\x1c\r\n\x0b\r\n'),
  'lines of dots': odd(HEADER, '.\r\n..\r\n.a\r\n'),
  'folded fields': odd(
    'From: Ann\r\n <ann@example.com>\r\nSubject:  a\r\n\tb \r\n  c\t\r\nTo:\r\n bob@example.org\r\nReferences: <1@x>\r\n\t<2@x>\r\n',
    'x\r\n',
  ),
  'repeated fields': odd(
    `${HEADER}To: second@example.org\r\nCc: c@d.ee\r\nCc: f@g.hh\r\nTo: third@example.org\r\n`,
    'x\r\n',
  ),
  'odd field values': odd('FROM:ann@example.com\r\nsubject:\r\nTo:   b@c.dd  \r\nCc: \t\r\n', 'x\r\n'),
  '8-bit header': odd(
    'From: J\u00f6rg <j@example.com>\r\nSubject: \u00a0 Gr\u00fc\u00dfe\u00a0\r\n',
    'x\r\n',
    'utf8',
  ),
  'a long line': odd(HEADER, `${'word  '.repeat(150)}\r\n${'x'.repeat(900)}\r\n`),
  'a large body': odd(HEADER, '<td>  some text\t</td> \r\n'.repeat(15_000)),
  'every list field': odd(
    `${HEADER}List-Unsubscribe: <https://u.example.com/x>,\r\n <mailto:u@example.com>\r\n` +
      'List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Id: <l.example.com>\r\nFeedback-ID: a:b:c:d\r\n' +
      'MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nReply-To: r@example.com\r\n' +
      'Sender: s@example.com\r\nIn-Reply-To: <0@x>\r\nReferences: <0@x>\r\n',
    'x\r\n',
  ),
};

export interface SigningKeys {
  readonly rsa: DkimKey;
  readonly ed25519: DkimKey;
  /** TXT texts by DNS name. */
  readonly records: ReadonlyMap<string, string>;
}

export function makeKeys(): SigningKeys {
  const [rsa, ed25519] = (['rsa-sha256', 'ed25519-sha256'] as const).map((algorithm) => {
    const key = loadKey(generateKeyPem(algorithm), {
      domain: 'example.com',
      selector: algorithm.slice(0, 3),
    });
    assert.ok(key.ok);
    return key.value;
  });
  const records = [rsa!, ed25519!].map(publicRecord).map(({ name, text }) => [name, text] as const);
  return { rsa: rsa!, ed25519: ed25519!, records: new Map(records) };
}
