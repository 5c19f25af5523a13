import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { DeliveryLog, type DeliveryLogOptions } from '../../../src/cli/delivery-log.ts';
import type { Event } from '../../../src/core/index.ts';
import { JournalReaders } from '../../../src/queue/journal-readers.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { scratch } from '../../support/mta.ts';

const DAY = 86_400_000;

class FakeJournal {
  readonly readers = new JournalReaders();
  readonly all: string[] = [];
  first = 1;
  get last(): number {
    return this.all.length;
  }
  add(count: number, fields: object = {}): void {
    for (let i = 0; i < count; i++) {
      const seq = this.all.length + 1;
      const event = {
        seq,
        type: 'delivered',
        delivery_id: `d${seq}`,
        recipient: `person${seq}@a.test`,
        ...fields,
      };
      this.all.push(JSON.stringify(event));
    }
  }
  *lines(after: number): Generator<{ seq: number; line: string }> {
    for (let seq = after + 1; seq <= this.all.length; seq++) yield { seq, line: this.all[seq - 1]! };
  }
  waitFor(): Promise<void> {
    return Promise.resolve();
  }
}

function world(t: TestContext, more: Partial<DeliveryLogOptions> = {}) {
  const file = join(scratch(t), 'log/deliveries.log');
  const journal = new FakeJournal();
  const clock = createFakeClock();
  const told: string[] = [];
  const tell = (_details: object, text: string): void => void told.push(text);
  const make = (): DeliveryLog =>
    new DeliveryLog({
      file,
      rotateBytes: 1e9,
      rotateAgeMs: DAY,
      keepAgeMs: 30 * DAY,
      keepBytes: 1e9,
      recipients: true,
      journal,
      clock,
      log: { error: tell, warn: tell },
      ...more,
    });
  const open = (): DeliveryLog => {
    const log = make();
    log.open();
    return log;
  };
  const names = (): string[] => readdirSync(join(file, '..')).sort();
  const events = (): Event[] =>
    names()
      .map((name) => (name === 'deliveries.log' ? `${name}~` : name))
      .sort()
      .flatMap((name) => readFileSync(join(file, '..', name.replace('~', '')), 'utf8').split('\n'))
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event);
  return {
    file,
    journal,
    clock,
    told,
    make,
    open,
    names,
    seqs: () => events().map(({ seq }) => seq),
    events,
  };
}
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe('delivery log', () => {
  test('has each line once, whatever the last run left', async (t) => {
    const one = world(t);
    one.journal.add(1200);
    await one.open().write();
    assert.deepEqual(one.seqs(), upTo(1200));
    for (const torn of ['', '{"seq":1201,"ty', '{"seq":1201,"type":"x"}', '\0\0\0\0', 'garbage\n']) {
      appendFileSync(one.file, torn);
      one.journal.add(3);
      await one.open().write();
      assert.deepEqual(one.seqs(), upTo(one.journal.last), JSON.stringify(torn));
    }
    assert.deepEqual(one.told, []);
    for (const torn of ['{"s', '{"seq":1,"type":"deliv', '\0\0\0']) {
      const first = world(t);
      mkdirSync(join(first.file, '..'));
      writeFileSync(first.file, torn);
      first.journal.add(2);
      await first.open().write();
      assert.deepEqual(first.seqs(), [1, 2], JSON.stringify(torn));
    }
  });

  test('goes on after a crash between the rotation and the first line of the new file', async (t) => {
    const one = world(t, { rotateBytes: 1 });
    one.journal.add(5);
    const log = one.open();
    await log.write();
    one.journal.add(1);
    await log.write();
    assert.equal(one.names().length, 2);
    await one.open().write();
    assert.deepEqual(one.seqs(), upTo(6));
  });

  test('begins a file at a size and an age, and removes old ones by both', async (t) => {
    const one = world(t, { rotateBytes: 4_000, keepBytes: 9_000 });
    const log = one.open();
    for (let day = 0; day < 40; day++) {
      one.journal.add(50);
      await log.write();
      one.clock.advance(1_000);
    }
    const old = one.names().filter((name) => name !== 'deliveries.log');
    assert.ok(old.length >= 1 && old.length <= 3, old.join());
    assert.equal(one.seqs().at(-1), 2000);
    const two = world(t);
    const daily = two.open();
    for (let day = 0; day < 40; day++) {
      two.journal.add(1);
      await daily.write();
      two.clock.advance(DAY);
    }
    assert.deepEqual(two.seqs(), upTo(40).slice(-32));
  });

  test('names nobody unless it is allowed', async (t) => {
    const one = world(t, { recipients: false });
    const reply = { code: 550, text: 'no such person1@a.test here', phase: 'rcpt' };
    one.journal.add(1, { reply, metadata: { customer: 'person1' } });
    one.journal.add(1, { delivery_id: undefined, type: 'config' });
    await one.open().write();
    const [event, ...rest] = one.events() as (Event & { domain?: string })[];
    assert.deepEqual(rest, []);
    assert.equal(event?.domain, 'a.test');
    assert.equal(event?.reply?.code, 550);
    assert.ok(!readFileSync(one.file, 'utf8').includes('person1'));
  });

  test('a new store gets a new file, and a file of somebody else is left alone', async (t) => {
    const one = world(t);
    one.journal.add(9);
    await one.open().write();
    one.journal.all.length = 0;
    one.journal.add(2);
    await one.open().write();
    assert.deepEqual(one.seqs(), [...upTo(9), 1, 2]);
    assert.match(one.told.join(), /of another store/);
    for (const notes of ['my notes\nof today\n', 'one line without an end']) {
      const other = world(t);
      mkdirSync(join(other.file, '..'));
      writeFileSync(other.file, notes);
      assert.throws(() => other.open(), /not of a delivery log: move it away/);
      other.journal.add(1);
      const log = other.make();
      log.start();
      await log.stop();
      assert.equal(readFileSync(other.file, 'utf8'), notes);
    }
  });

  test('says once that it cannot write, and goes on when it can', async (t) => {
    const one = world(t, { file: '/proc/nothing/deliveries.log' });
    one.journal.add(1);
    const log = one.make();
    log.start();
    await log.stop();
    assert.equal(one.told.length, 1, one.told.join());
    assert.ok(!existsSync(one.file));
  });
});
