/** Refusals as receivers send them: eight wordings, each time with another address or id in them. */
import type { Refusal } from '../src/core/index.ts';

const REPLIES: readonly (readonly [code: number, enhanced: string | undefined, text: string])[] = [
  [550, '5.1.1', '<ADDRESS>: Recipient address rejected: User unknown in virtual mailbox table'],
  [
    550,
    '5.1.1',
    'The email account that you tried to reach does not exist. See https://mail.example/?p=NoSuchUser ID',
  ],
  [552, '5.2.2', '<ADDRESS>: user is over quota'],
  [421, '4.7.0', '[TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints - ID'],
  [550, '5.7.1', 'Service unavailable; Client host [192.0.2.1] blocked using zen.example.org; ID'],
  [554, undefined, 'Message rejected because it looks like spam, ID'],
  [450, '4.2.0', '<ADDRESS>: Recipient address rejected: Greylisted, try again in 300 seconds'],
  [550, undefined, 'something that nobody has ever said before, ID'],
];

export const refusals = (count: number): readonly Refusal[] =>
  Array.from({ length: count }, (_, i) => {
    const [code, enhanced, text] = REPLIES[i % REPLIES.length]!;
    const said = text
      .replace('ADDRESS', `user${i * 7}@example${i % 13}.com`)
      .replace('ID', (i * 7_919).toString(36));
    const reply = { code, enhanced, text: said };
    return { scope: 'recipient', permanent: code >= 500, phase: 'rcpt', reply, cause: undefined, text: said };
  });
