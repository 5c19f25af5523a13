import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { interruption, SAME_MS } from '../../../src/cli/interruption.ts';

/** The exit codes asked for after signals at the given times. */
function after(signals: readonly (readonly ['SIGINT' | 'SIGTERM', number])[]): {
  readonly aborted: boolean;
  readonly exits: readonly number[];
} {
  const process = new EventEmitter();
  const exits: number[] = [];
  let now = 1000;
  const signal = interruption({ process, mono: () => now, again: (code) => void exits.push(code) });
  assert.equal(signal.aborted, false);
  for (const [name, at] of signals) {
    now = 1000 + at;
    process.emit(name, name);
  }
  return { aborted: signal.aborted, exits };
}

describe('an interruption', () => {
  test('is none before a signal', () => assert.deepEqual(after([]), { aborted: false, exits: [] }));

  test('lets the command end by itself', () => {
    assert.deepEqual(after([['SIGINT', 0]]), { aborted: true, exits: [] });
    assert.deepEqual(after([['SIGTERM', 0]]), { aborted: true, exits: [] });
  });

  test('that arrives twice at once is one', () => {
    const twice = after([
      ['SIGINT', 0],
      ['SIGINT', SAME_MS - 1],
    ]);
    assert.deepEqual(twice, { aborted: true, exits: [] });
  });

  test('that is repeated later ends the process', () => {
    const again = after([
      ['SIGINT', 0],
      ['SIGINT', 1],
      ['SIGINT', 1 + SAME_MS],
    ]);
    assert.deepEqual(again.exits, [130]);
    const term = after([
      ['SIGINT', 0],
      ['SIGTERM', SAME_MS],
    ]);
    assert.deepEqual(term.exits, [143]);
  });
});
