import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { codes, dialogue, type Dialogue } from './dialogue.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const auth = {
  verify: (user: string, password: string): Promise<string | undefined> =>
    password === 'fault'
      ? Promise.reject(new Error('directory is down'))
      : Promise.resolve(user === 'joe' && password === 'secret' ? 'joe' : undefined),
};

function local(peerAddress = '127.0.0.1'): Dialogue {
  const d = dialogue({ auth, peerAddress });
  d.answered();
  d.send('EHLO me.test\r\n');
  return d;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function exchange(d: Dialogue, ...lines: string[]): Promise<number[]> {
  let replies = '';
  for (const line of lines) {
    replies += d.send(`${line}\r\n`);
    await turn();
    replies += d.answered();
  }
  return codes(replies);
}

describe('AUTH', () => {
  const good: readonly (readonly [string, readonly string[], readonly number[]])[] = [
    ['PLAIN with an initial response', [`AUTH PLAIN ${base64('\0joe\0secret')}`], [235]],
    ['PLAIN', ['AUTH plain', base64('joe\0joe\0secret')], [334, 235]],
    ['LOGIN', ['AUTH LOGIN', base64('joe'), base64('secret')], [334, 334, 235]],
    ['LOGIN with an initial response', [`AUTH LOGIN ${base64('joe')}`, base64('secret')], [334, 235]],
  ];
  for (const [name, lines, expected] of good)
    test(name, async () => {
      const d = local();
      assert.deepEqual(await exchange(d, ...lines), expected);
      assert.equal(d.c.identity, 'joe');
      assert.deepEqual(await exchange(d, 'AUTH PLAIN'), [503]);
    });

  const bad: readonly (readonly [string, readonly string[], readonly number[]])[] = [
    ['wrong password', [`AUTH PLAIN ${base64('\0joe\0wrong')}`], [535]],
    ['in the name of another', [`AUTH PLAIN ${base64('root\0joe\0secret')}`], [535]],
    ['no base64', ['AUTH PLAIN ????'], [501]],
    ['too few parts', [`AUTH PLAIN ${base64('joe')}`], [501]],
    ['cancelled', ['AUTH LOGIN', '*', 'NOOP'], [334, 501, 250]],
    ['empty initial response', ['AUTH PLAIN ='], [501]],
    ['unknown mechanism', ['AUTH CRAM-MD5'], [504]],
    ['no mechanism', ['AUTH'], [504]],
    ['the directory is down', [`AUTH PLAIN ${base64('\0joe\0fault')}`], [454]],
  ];
  for (const [name, lines, expected] of bad)
    test(name, async () => {
      const d = local();
      assert.deepEqual(await exchange(d, ...lines), expected);
      assert.equal(d.c.identity, undefined);
    });

  test('not in clear over a network', async () => {
    const d = local('192.0.2.7');
    assert.deepEqual(await exchange(d, 'AUTH PLAIN'), [538]);
    assert.doesNotMatch(d.send('EHLO me\r\n'), /AUTH/);
    d.c.secured({ version: 'TLSv1.3', cipher: 'x' });
    assert.match(d.send('EHLO me\r\n'), /AUTH PLAIN LOGIN/);
  });

  test('guessing ends with 421', async () => {
    const d = local();
    const guess = `AUTH PLAIN ${base64('\0joe\0wrong')}`;
    const replies = await exchange(d, ...Array<string>(12).fill(guess));
    assert.deepEqual(replies, [...Array<number>(10).fill(535), 421]);
  });
});
