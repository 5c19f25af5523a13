import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { type InputLine, InputLines, LineSplitter } from '../../../src/api/input-lines.ts';

const LIMIT = 10;
const text = (lines: readonly InputLine[]): [number, string | undefined][] =>
  lines.map(({ number, bytes }) => [number, bytes?.toString()]);

function split(chunks: readonly string[], limit = LIMIT): [number, string | undefined][] {
  const splitter = new LineSplitter(() => limit);
  return text([...chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))), ...splitter.end()]);
}

const linesOf = (
  body: Readable,
  closing = new AbortController().signal,
  mayHold = (_: number): boolean => true,
): InputLines => new InputLines(body, { limitOf: () => LIMIT, closing, mayHold });

describe('lines of a body', () => {
  test('lines across chunks, and a last one without line feed', () => {
    assert.deepEqual(split(['ab', 'c\nd', '\ne']), [
      [1, 'abc'],
      [2, 'd'],
      [3, 'e'],
    ]);
  });

  test('blank lines count but do not come out', () => {
    assert.deepEqual(split(['\n \r\n\t\nx\n\n']), [[4, 'x']]);
  });

  test('a line over the limit comes out without bytes, wherever the chunks end', () => {
    assert.deepEqual(split(['12345678901\nok\n']), [
      [1, undefined],
      [2, 'ok'],
    ]);
    assert.deepEqual(split(['123456', '789012', '34', '\nok']), [
      [1, undefined],
      [2, 'ok'],
    ]);
    assert.deepEqual(split(['1234567890\n']), [[1, '1234567890']]);
  });

  test('how a body is cut into chunks does not change its lines', () => {
    const body = fc.stringMatching(/^[ab \n]{0,60}$/);
    fc.assert(
      fc.property(body, fc.array(fc.nat(60), { maxLength: 10 }), (whole, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
        const chunks = at.slice(1).map((end, i) => whole.slice(at[i], end));
        assert.deepEqual(split(chunks), split([whole]));
      }),
    );
  });

  test('a closing server ends the wait for lines', async () => {
    const closing = new AbortController();
    const body = new Readable({ read: () => undefined });
    const lines = linesOf(body, closing.signal);
    const next = lines.next();
    closing.abort();
    assert.deepEqual(await next, { kind: 'closing' });
  });

  test('what finds no room ends it; what is held is the line under way and the lines given out', async () => {
    const body = new Readable({ read: () => undefined });
    const held: number[] = [];
    const lines = linesOf(body, undefined, (bytes) => held.push(bytes) < 3);
    body.push('abc');
    const first = lines.next();
    await setImmediate();
    body.push('d\nef\ng');
    assert.equal((await first).kind, 'lines');
    body.push('h');
    assert.deepEqual(await lines.next(), { kind: 'full' });
    assert.deepEqual(held, [3, 7, 2]);
  });

  test('a broken connection is not an end', async () => {
    const body = new Readable({ read: () => undefined });
    const lines = linesOf(body);
    body.push('a\nhalf');
    assert.deepEqual(await lines.next(), { kind: 'lines', lines: [{ number: 1, bytes: Buffer.from('a') }] });
    body.destroy();
    assert.deepEqual(await lines.next(), { kind: 'broken' });
  });

  test('lines that were taken are kept by nobody, however long the body is', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const body = new Readable({ read: () => undefined });
    const lines = linesOf(body);
    const taken: WeakRef<object>[] = [];
    for (let i = 0; i < 20; i++) {
      body.push(`line ${i}\n`);
      taken.push(new WeakRef(await lines.next()));
    }
    await setImmediate(); // a target of a weak reference lives until the end of its turn
    collect();
    // The last one may still be in a register.
    assert.deepEqual(
      taken.slice(0, -2).filter((ref) => ref.deref() !== undefined),
      [],
    );
  });
});
