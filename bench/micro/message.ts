/** What a message meets on its way in, and the dots on its way out. */
import { checkBytes, prepareContent, stuffDots } from '../../src/mta/message/index.ts';
import type { Part } from './index.ts';
import { dottedText, plainText, target } from './samples.ts';

const LF = 10;

function countLines(content: Buffer): number {
  let lines = 0;
  for (let at = content.indexOf(LF); at !== -1; at = content.indexOf(LF, at + 1)) lines++;
  return lines;
}

const PREPARE = {
  hostname: 'mta.bench.test',
  messageIdText: '1',
  now: 0,
  received: { helo: 'source.test', peerAddress: '127.0.0.1', protocol: 'ESMTP', queueId: '00000000001' },
} as const;

export const MESSAGE: readonly Part[] = [
  {
    name: 'check',
    work: 'line ends, NUL, 8-bit, long lines of 10 KB',
    run: () => checkBytes(plainText),
    limit: { work: 'every LF by Buffer.indexOf', run: () => countLines(plainText) },
  },
  {
    name: 'prepare',
    work: 'a message of 10 KB as it is stored, with Received',
    run: () => prepareContent(plainText, PREPARE),
    limit: { work: 'copy of the bytes', run: () => plainText.copy(target) },
  },
  {
    name: 'dots-none',
    work: 'dot-stuffing of 10 KB that needs none',
    run: () => stuffDots([plainText]),
    limit: { work: 'search for a string by Buffer.indexOf', run: () => plainText.indexOf('\r\n.') },
  },
  {
    name: 'dots-all',
    work: 'dot-stuffing of 10 KB, every line',
    run: () => stuffDots([dottedText]),
    limit: { work: 'copy of the bytes', run: () => dottedText.copy(target) },
  },
];
