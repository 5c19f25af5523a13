import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Alerts, type AlertsOptions } from '../../../src/alerts/index.ts';
import { SLICE, Slices } from '../../../src/api/slices.ts';
import { parseConfig } from '../../../src/config/index.ts';
import {
  type DiskTrouble,
  CommitTimes,
  type EventDraft,
  type Kv,
  openMemoryKv,
  Pressure,
  Queue,
  touch,
} from '../../../src/queue/index.ts';
import type { Op } from '../../../src/queue/kv.ts';
import { Lock } from '../../../src/mta/egress/lock.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { ISPS, largeSite, NODES } from '../../support/large-site.ts';
import { Meter } from '../../support/meter.ts';
import { FakeEgress } from '../api/fake-egress.ts';
import { accept, delivered, HOUR, lease, openRig } from '../queue/fixture.ts';

const parsed = parseConfig('hostname: mta1.example.com\nalerts: { min_volume: 10, clear_after: 1m }\n', {
  file: 'mta.yaml',
});
assert.ok(parsed.ok);
const { alerts: CONFIG } = parsed.value.config;

interface World {
  readonly alerts: Alerts;
  readonly queue: Queue;
  readonly clock: FakeClock;
  readonly logged: string[];
  readonly events: EventDraft[];
}

async function world(
  t: TestContext,
  kv: Kv,
  clock: FakeClock,
  more: Partial<AlertsOptions> = {},
): Promise<World> {
  const events: EventDraft[] = [];
  const { queue } = await Queue.open({
    kv,
    clock,
    report: () => undefined,
    onCommit: (commit) => events.push(...commit.events),
  });
  t.after(() => queue.close());
  const logged: string[] = [];
  const log = (level: string) => (_details: object, text: string) => void logged.push(`${level} ${text}`);
  const alerts = new Alerts({
    queue,
    egress: new FakeEgress(),
    clock,
    config: () => CONFIG,
    log: { warn: log('warn'), info: log('info'), error: log('error') },
    ...more,
  });
  return { alerts, queue, clock, logged, events };
}

const slices = new Slices();

const event = (type: EventDraft['type'], clock: FakeClock): EventDraft => ({
  type,
  time: clock.now(),
  recipient: 'secret-person@gmail.com',
  isp: 'gmail',
});
const bouncing = ({ alerts, clock }: World): void =>
  alerts.onCommit({
    events: Array.from({ length: 20 }, (_, i) => event(i % 2 ? 'delivered' : 'hard_bounce', clock)),
  });

test('an alert is told once, and once more when it is over', async (t) => {
  const one = await world(t, openMemoryKv(), createFakeClock());
  bouncing(one);
  one.alerts.look();
  one.clock.advance(60_000);
  one.alerts.look();
  assert.deepEqual(
    one.alerts.active().map(({ name, isp }) => [name, isp]),
    [['hard_bounces', 'gmail']],
  );
  one.clock.advance(3_600_000);
  one.alerts.look();
  assert.deepEqual(one.alerts.active(), []);
  await one.alerts.stop();
  assert.deepEqual(
    one.events.map(({ type, isp, alert }) => [type, isp, alert?.name, alert?.state]),
    [
      ['alert', 'gmail', 'hard_bounces', 'firing'],
      ['alert', 'gmail', 'hard_bounces', 'resolved'],
    ],
  );
  assert.equal(one.logged.length, 2);
  assert.match(one.logged[0]!, /^warn alert: gmail: 10 of 20 attempts bounced for good \(50 %/);
  assert.match(one.logged[1]!, /^info alert is over: gmail: 10 of 20/);
  assert.ok(!one.logged.join().includes('secret-person'));
  assert.deepEqual(one.queue.controls(), []);
});

test('a cause that comes and goes within clear_after is one alert', async (t) => {
  const pressure: { ofDisk: DiskTrouble | undefined } = { ofDisk: undefined };
  const one = await world(t, openMemoryKv(), createFakeClock(), { pressure });
  const short = { text: '1 MB is free', remedy: 'make room' };
  for (const now of [short, undefined, short, undefined]) {
    pressure.ofDisk = now;
    one.alerts.look();
    one.clock.advance(30_000);
  }
  assert.equal(one.logged.length, 1, one.logged.join('\n'));
  const [alert] = one.alerts.active();
  assert.equal(alert!.goneSince, one.clock.now() - 60_000, 'when its cause was seen last');
  one.alerts.look();
  await one.alerts.stop();
  assert.deepEqual(
    one.events.map(({ alert }) => alert?.state),
    ['firing', 'resolved'],
  );
});

test('a full disk is told also while the journal takes no mail', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'pr-alerts-'));
  t.after(() => rmSync(dir, { recursive: true }));
  let free = 1e12;
  const pressure = new Pressure({
    dir,
    reserveBytes: 1024 * 1024,
    report: () => undefined,
    freeBytes: () => free,
  });
  t.after(() => pressure.close());
  await pressure.reserved;
  const { alerts } = await world(t, openMemoryKv(), createFakeClock(), { pressure });
  pressure.journal('the journal is full');
  alerts.look();
  assert.deepEqual(alerts.active(), [], 'a full journal is no full disk');
  free = 1000;
  pressure.measure();
  assert.equal(pressure.reason, 'the journal is full');
  alerts.look();
  await alerts.stop();
  assert.deepEqual(
    alerts.active().map(({ name, text }) => [name, /are free/.test(text)]),
    [['disk_reserve', true]],
  );
});

test('a disk that comes and goes slow is one alert, and the end says how quick it is', async (t) => {
  const clock = createFakeClock();
  const commitTimes = new CommitTimes({ mono: () => clock.mono(), slowMs: 500 });
  let ms = 1;
  const kv = openMemoryKv();
  const disk = { ...kv, commit: (ops: readonly Op[]) => (clock.advance(ms), kv.commit(ops)) };
  const one = await world(t, commitTimes.guard(disk), clock, { commitTimes });
  const seconds = async (count: number, each: number): Promise<void> => {
    ms = each;
    for (const end = clock.mono() + count * 1000; clock.mono() < end; clock.advance(1_000 - (ms % 1_000))) {
      await touch(one.queue.state);
      one.alerts.look();
    }
  };
  await seconds(120, 20);
  await seconds(5, 900);
  assert.deepEqual(one.logged, [], 'some slow writes are no slow disk');
  assert.equal(one.alerts.diskIsSlow, false);
  await seconds(30, 900);
  assert.equal(one.logged.length, 1);
  assert.equal(one.alerts.diskIsSlow, true);
  for (let i = 0; i < 20; i++) {
    await seconds(50, 20);
    await seconds(2, 900);
  }
  assert.equal(one.logged.length, 1, one.logged.join('\n'));
  await seconds(180, 20);
  await one.alerts.stop();
  assert.deepEqual(one.alerts.active(), []);
  assert.match(one.logged[0]!, /^warn alert: the disk is slow: a commit takes 900ms /);
  assert.deepEqual(one.logged.slice(1), ['info alert is over: a commit takes 20ms again']);
  assert.deepEqual(
    one.events.map(({ alert }) => [alert?.name, alert?.state]),
    [
      ['slow_disk', 'firing'],
      ['slow_disk', 'resolved'],
    ],
  );
});

test('after a restart an alert is neither told again nor forgotten', async (t) => {
  const [kv, clock] = [openMemoryKv(), createFakeClock()];
  const before = await world(t, kv, clock);
  bouncing(before);
  before.alerts.look();
  await before.alerts.stop();
  const after = await world(t, kv, clock);
  assert.deepEqual(after.alerts.active(), before.alerts.active());
  clock.advance(600_000);
  after.alerts.look();
  assert.deepEqual(after.logged, [], 'what was not seen yet proves nothing');
  clock.advance(3_600_000);
  after.alerts.look();
  await after.alerts.stop();
  assert.deepEqual(after.alerts.active(), []);
  assert.deepEqual(
    after.events.map(({ alert }) => alert?.state),
    ['resolved'],
  );
});

test('stuck is what is due or was tried; what is held or for later is not', async (t) => {
  const rig = await openRig();
  t.after(() => rig.queue.close());
  await accept(rig, { to: ['a@gmail.com', 'b@gmail.com'], campaignId: 'due' });
  await accept(rig, { to: ['c@gmail.com'], campaignId: 'later', delayMs: 2 * HOUR });
  const egress = new FakeEgress();
  const whyWaiting: FakeEgress['whyWaiting'] = (node, _domain, of) =>
    `campaign ${of?.campaign} waits at ${node}`;
  Object.assign(egress, { whyWaiting });
  const alerts = new Alerts({
    queue: rig.queue,
    egress,
    clock: rig.clock,
    config: () => ({ ...CONFIG, stuckVolume: 2 }),
    log: { warn: () => undefined, info: () => undefined, error: () => undefined },
  });
  rig.clock.advance(HOUR);
  await rig.queue.sweep();
  await alerts.onSweep(slices);
  alerts.look();
  assert.deepEqual(
    alerts.active().map(({ name, isp }) => [name, isp]),
    [['stuck_mail', 'gmail']],
  );
  const [waiting] = (await alerts.flow(slices)).waiting;
  assert.equal(waiting?.count, 2);
  assert.equal(waiting?.why, 'campaign due waits at n1', 'what its queue waits for, not what the lane does');
  const lanes: FakeEgress['lanes'] = (of) =>
    [...new FakeEgress().lanes(of)].map((lane) => ({
      ...lane,
      lastError: { at: rig.clock.now() - 300_000, text: '451 greylisted' },
    }));
  Object.assign(egress, { lanes });
  assert.equal(
    (await alerts.flow(slices)).waiting[0]?.why,
    'campaign due waits at n1; 5m ago: 451 greylisted',
    'an old refusal does not look like what is so now',
  );
  await rig.queue.operations.submit({
    operation: { op: 'hold' },
    selector: { campaign: 'due' },
    text: 'hold',
  });
  await rig.queue.sweep();
  await alerts.onSweep(slices);
  assert.deepEqual((await alerts.flow(slices)).waiting, []);
  await alerts.stop();
});

test('a lock is named beside what the longest due mail waits for, where mail waits behind it', async (t) => {
  const rig = await openRig();
  t.after(() => rig.queue.close());
  await accept(rig, { to: ['a@gmail.com'], campaignId: 'slow' });
  const egress = new FakeEgress();
  const since = rig.clock.now();
  const lock = (node: string, isp?: string, lane?: string): Lock =>
    new Lock({
      ...(lane !== undefined && { lane }),
      ...{ scope: isp === undefined ? 'node' : 'node_isp', node, since, until: since + HOUR + 60_000 },
      ...{ level: 0, waiting: 'wait', reason: 'by an operator', ...(isp !== undefined && { isp }) },
    });
  const locks = [lock('n1', 'gmail'), lock('n1', 'web.de'), lock('n2', 'gmail')];
  Object.assign(egress.control, { locks: () => locks });
  const alerts = new Alerts({
    queue: rig.queue,
    egress,
    clock: rig.clock,
    config: () => CONFIG,
    log: { warn: () => undefined, info: () => undefined, error: () => undefined },
  });
  rig.clock.advance(HOUR);
  const why = async (): Promise<string | undefined> => (await alerts.flow(slices)).waiting[0]?.why;
  const told = 'n1: locked by hand, 1m left: by an operator';
  egress.waiting = 'limit of the campaign: 30 per 60 s; next message in 2 s';
  assert.equal(await why(), `${egress.waiting}; ${told}`);
  egress.waiting = 'locked by hand, 1m left: by an operator';
  assert.equal(await why(), told, 'once');
  locks.push(...Array.from({ length: 5 }, () => lock('n1')));
  assert.equal(await why(), `${told}; ${told}; ${told}; 3 more locks`, 'no more than can be read');
  egress.isps.set('gmail.com', 'other');
  locks.splice(0, Infinity, lock('n1', 'other', 'mx:mx.a.test'));
  egress.waiting = undefined;
  assert.equal(await why(), told.replace('n1', 'n1: mx:mx.a.test'), 'which hosts of all that are of no ISP');
  await alerts.stop();
});

test('what waits is of the moment at which it is asked for, and not older than all that is queued', async (t) => {
  const rig = await openRig();
  t.after(() => rig.queue.close());
  await accept(rig, { to: ['a@gmail.com', 'b@gmail.com'] });
  const alerts = new Alerts({
    queue: rig.queue,
    egress: new FakeEgress(),
    clock: rig.clock,
    config: () => CONFIG,
    log: { warn: () => undefined, info: () => undefined, error: () => undefined },
  });
  rig.clock.advance(HOUR);
  await rig.queue.sweep();
  await alerts.onSweep(slices);
  const later = rig.clock.now();
  await accept(rig, { to: ['c@gmail.com', 'd@gmail.com', 'e@gmail.com', 'f@web.de'] });
  for (const one of await lease(rig, 'gmail.com', { limit: 2 })) await rig.queue.record(one, delivered(rig));
  const flow = await alerts.flow(slices);
  const waiting = flow.waiting.map(({ isp, count }) => [isp, count]);
  assert.deepEqual(new Map(waiting as [string, number][]).get('gmail'), 3);
  assert.equal(
    waiting.reduce((sum, [, count]) => sum + Number(count), 0),
    rig.queue.state.counters.sum().queued,
  );
  assert.ok(flow.waiting.every(({ oldest }) => oldest >= later - 1 && Number.isFinite(oldest)));
});

test('on a large site no turn of the event loop counts more than a slice of it', async (t) => {
  const deps = await largeSite(t);
  const meter = new Meter(deps, t);
  const alerts = new Alerts({
    ...deps,
    config: () => ({ ...CONFIG, stuckVolume: 2 }),
    log: { warn: () => undefined, info: () => undefined, error: () => undefined },
  });
  await alerts.onSweep(new Slices());
  meter.stop();
  assert.equal(meter.all, NODES * ISPS);
  assert.ok(meter.most <= SLICE, `${meter.most} rows in one turn`);
});
