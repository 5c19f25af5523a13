import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fold, folded } from '../../../src/cli/fold.ts';
import { clean } from '../../../src/cli/io.ts';

test('words are not cut: lines are broken between them, colours take no room', () => {
  const line = '  ALERT: \x1b[31mstuck\x1b[39m mail waits for a very-long-word-that-does-not-fit here';
  const lines = fold(line, 20);
  for (const one of lines) assert.ok(clean(one.replaceAll(/\x1b\[\d+m/g, '')).length <= 20, one);
  assert.equal(lines.join('').replaceAll(/\s/g, ''), line.replaceAll(/\s/g, ''));
  assert.equal(lines[1], '    waits for a');
  assert.deepEqual(fold('short', 20), ['short']);
  assert.equal(folded('a b c', undefined), 'a b c');
});
