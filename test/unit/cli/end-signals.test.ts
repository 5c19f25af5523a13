import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { EndSignals } from '../../../src/cli/end-signals.ts';
import { SAME_MS } from '../../../src/cli/interruption.ts';

/** Signals that come to a program, what it says of them, and what its service is told. */
class Rig {
  readonly #process = new EventEmitter();
  #now = 1000;
  readonly told: string[] = [];
  stopped: () => void = () => undefined;
  readonly signals = new EndSignals({
    log: pino({}, { write: (line) => void this.told.push((JSON.parse(line) as { msg: string }).msg) }),
    drainMs: 30_000,
    process: this.#process,
    mono: () => this.#now,
  });

  signal(name: NodeJS.Signals, afterMs = 0): void {
    this.#now += afterMs;
    this.#process.emit(name, name);
  }

  run(): Promise<number> {
    return this.signals.ended({
      stop: (drainMs) => {
        this.told.push(`stop ${drainMs}`);
        return new Promise<void>((resolve) => (this.stopped = resolve));
      },
      hurry: () => void this.told.push('hurry'),
      reloadBySignal: () => {
        this.told.push('reload');
        return Promise.resolve();
      },
    });
  }
}

const ENDING = 'SIGTERM: ending; transactions under way may take 30s, a second signal cuts them';

describe('a signal to end', () => {
  test('stops what runs; a second one cuts it, one that comes at once is the same', async () => {
    const rig = new Rig();
    const ended = rig.run();
    rig.signal('SIGTERM');
    rig.signal('SIGINT', SAME_MS - 1);
    assert.deepEqual(rig.told, [ENDING, 'stop 30000']);
    rig.signal('SIGINT', 1);
    assert.deepEqual(rig.told.splice(2), ['SIGINT again: open sessions are cut', 'hurry']);
    rig.stopped();
    assert.equal(await ended, 0);
    assert.equal(rig.told.at(-1), 'ended in order');
  });

  test('that comes during the start is told at once and gives it up', () => {
    const rig = new Rig();
    assert.equal(rig.signals.ending.aborted, false);
    rig.signal('SIGINT');
    assert.equal(rig.signals.ending.aborted, true);
    assert.deepEqual(rig.told, ['SIGINT: ends as soon as the store is open']);
  });

  test('that comes when the store is open already stops what was started; a second one has cut it', async () => {
    for (const again of [false, true]) {
      const rig = new Rig();
      rig.signal('SIGTERM');
      if (again) rig.signal('SIGTERM', SAME_MS);
      rig.told.length = 0;
      const ended = rig.run();
      assert.deepEqual(rig.told, ['stop 30000', ...(again ? ['hurry'] : [])]);
      rig.stopped();
      assert.equal(await ended, 0);
    }
  });
});

test('a signal to reload that comes during the start is obeyed after it', () => {
  const rig = new Rig();
  rig.signal('SIGHUP');
  assert.deepEqual(rig.told, []);
  void rig.run();
  assert.deepEqual(rig.told, ['reload']);
  rig.signal('SIGHUP');
  assert.deepEqual(rig.told, ['reload', 'reload']);
});
