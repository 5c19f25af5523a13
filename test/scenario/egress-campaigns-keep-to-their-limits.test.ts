/** Limits of a campaign hold over all nodes and domains, over changes and restarts, and delay nobody else. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { LimitsStand } from '../../src/mta/egress/index.ts';
import { openMemoryKv, TABLES } from '../../src/queue/index.ts';
import type { Kv } from '../../src/queue/kv.ts';
import type { Sink } from '../../src/testbed/index.ts';
import { openWorld, receiver, RunningClock, TWO_NODES, type World } from '../unit/egress/sending-world.ts';
import { mostIn } from '../support/windows.ts';

const SPRING = { account: 'shop', campaign: 'spring' };
const OF_SPRING = { accountId: 'shop', campaignId: 'spring' };

/** `count` recipients over ten domains and both nodes. */
async function sendCampaign(world: World, count: number, labels = OF_SPRING): Promise<void> {
  for (let i = 0; i < count; i++)
    await world.send(`${labels.campaignId}${i}@d${i % 10}.test`, { ...labels, node: i % 2 ? 'n1' : 'n2' });
}

const delivered = (world: World, campaign = 'spring'): number =>
  world.events().filter((event) => event.type === 'delivered' && event.campaign_id === campaign).length;

const arrived = (world: World, count: number, campaign = 'spring'): Promise<void> =>
  world.until(() => delivered(world, campaign) >= count, `${count} of ${campaign}`);

async function open(
  t: TestContext,
  more: { readonly kv?: Kv; readonly clock?: RunningClock; readonly sink?: Sink } = {},
): Promise<World> {
  const sink = more.sink ?? (await receiver(t));
  return openWorld(t, { ...more, sink, settings: TWO_NODES });
}

describe('a campaign with a rate', () => {
  test('has no more than that in any window, over nodes and domains, and others go on', async (t) => {
    const world = await open(t);
    await world.egress.campaigns.set(SPRING, { rate: { count: 20, perMs: 1_000 } }, 'test');
    await sendCampaign(world, 50);
    await sendCampaign(world, 50, { accountId: 'shop', campaignId: 'autumn' });
    await arrived(world, 50, 'autumn');
    assert.ok(delivered(world) < 50, 'the other campaign does not wait for this one');
    await arrived(world, 50);
    const times = world
      .events()
      .filter((event) => event.type === 'delivered' && event.campaign_id === 'spring')
      .map(({ time }) => Date.parse(time));
    // The time of the answer, which a busy machine tells some ms late.
    const most = mostIn(times, 900);
    assert.ok(most <= 20, `${most} in 0.9 s`);
  });

  test('has it also when each transaction takes longer than a token', async (t) => {
    const sink = await receiver(t, { messageLatencyMs: 400 });
    const world = await open(t, { sink });
    await world.egress.campaigns.set(SPRING, { rate: { count: 100, perMs: 1_000 } }, 'test');
    for (let i = 0; i < 60; i++) await world.send(`spring${i}@d1.test`, { ...OF_SPRING, node: 'n1' });
    await arrived(world, 60);
    // Enough for all sessions that the strategy allows; the tokens of a moment are two.
    assert.equal(sink.stats().sessionsMax, 5);
  });

  test('is told as the reason why its mail waits, and goes on at once without the limit', async (t) => {
    const world = await open(t);
    await world.egress.campaigns.set(SPRING, { rate: { count: 1, perMs: 3_600_000 } }, 'test');
    await sendCampaign(world, 20);
    await arrived(world, 1);
    await world.until(() => world.egress.whyWaiting('n1', 'd1.test', SPRING) !== undefined, 'a reason');
    assert.match(
      world.egress.whyWaiting('n1', 'd1.test', SPRING)!,
      /^limit of the campaign: 1 per 3600 s; next message in 3[56]\d\d s$/,
    );
    assert.equal(world.egress.whyWaiting('n1', 'd1.test', { account: '', campaign: 'autumn' }), undefined);
    await world.egress.campaigns.set(SPRING, undefined, 'test');
    await arrived(world, 20);
  });
});

describe('limits that are set while a campaign is under way', () => {
  /** The receiver takes its time, so that mail waits in memory behind what is on its way. */
  async function underWay(t: TestContext, count: number, kv?: Kv): Promise<{ world: World; sink: Sink }> {
    const sink = await receiver(t, { messageLatencyMs: 300 });
    const world = await open(t, { sink, ...(kv && { kv }) });
    await sendCampaign(world, count);
    await world.until(() => sink.stats().recipients > 0, 'the first is on its way');
    return { world, sink };
  }
  const inMemory = (world: World): number =>
    world.egress.nodes().reduce((sum, { lanes }) => sum + lanes.reduce((n, lane) => n + lane.inFlight, 0), 0);

  test('a rate that is taken away again keeps nothing waiting', async (t) => {
    const { world } = await underWay(t, 60);
    await world.egress.campaigns.set(SPRING, { rate: { count: 1, perMs: 3_600_000 } }, 'test');
    await world.until(() => inMemory(world) === 0, 'what was in memory has ended or is in the store');
    assert.ok(delivered(world) < 60);
    await world.egress.campaigns.set(SPRING, undefined, 'test');
    await arrived(world, 60);
  });

  test('a cap per start is passed by nothing that was leased before it', async (t) => {
    const { world, sink } = await underWay(t, 60);
    await world.egress.campaigns.set(SPRING, { perStart: 3 }, 'test');
    const before = sink.stats().recipients;
    const onTheirWay = world.egress.nodes().reduce((sum, { sessions }) => sum + sessions, 0);
    await world.until(() => inMemory(world) === 0, 'nothing goes any more');
    const passed = sink.stats().recipients - before;
    assert.equal(world.egress.campaigns.of(SPRING)!.used, 3);
    assert.ok(passed <= 3 + onTheirWay, `${passed} after it was set`);
    await world.egress.campaigns.set(SPRING, undefined, 'test');
    await arrived(world, 60);
  });

  test('what is set last holds, whatever was asked for at once', async (t) => {
    const world = await open(t);
    const { campaigns } = world.egress;
    await campaigns.set(SPRING, { perStart: 1 }, 'test');
    await Promise.all([
      campaigns.set(SPRING, { perStart: 2 }, 'test'),
      campaigns.start(SPRING, 'test'),
      campaigns.set(SPRING, { perStart: 3 }, 'test'),
      campaigns.start(SPRING, 'test'),
    ]);
    const stored = (): unknown =>
      world.queue.controls().find(({ key }) => key[0] === 'campaign_limit')?.value;
    assert.deepEqual(campaigns.of(SPRING)!.limit, { perStart: 3 });
    assert.deepEqual(stored(), { limit: { perStart: 3 }, start: campaigns.of(SPRING)!.start });
    await Promise.all([campaigns.set(SPRING, undefined, 'test'), campaigns.start(SPRING, 'test')]);
    assert.equal(stored(), undefined);
  });
});

test('limits of who may touch all stand against who is bound, also after a restart', async (t) => {
  const kv = openMemoryKv();
  const autumn = { account: 'shop', campaign: 'autumn' };
  const bound = { bound: true };
  const first = await open(t, { kv });
  await first.egress.campaigns.set(SPRING, { perStart: 1 }, 'test');
  await first.egress.campaigns.set(autumn, { perStart: 1 }, 'test', bound);
  await first.egress.campaigns.start(autumn, 'test', bound);
  await first.stop();
  const { campaigns } = (await open(t, { kv })).egress;
  for (const change of [
    () => campaigns.set(SPRING, undefined, 'test', bound),
    () => campaigns.set(SPRING, { perStart: 9 }, 'test', bound),
    () => campaigns.start(SPRING, 'test', bound),
  ])
    await assert.rejects(change, LimitsStand);
  assert.deepEqual(campaigns.of(SPRING)!.limit, { perStart: 1 });
  await campaigns.set(autumn, { perStart: 2 }, 'test', bound);
  await campaigns.set(autumn, { perStart: 3 }, 'test');
  await assert.rejects(campaigns.start(autumn, 'test', bound), LimitsStand);
  await campaigns.set(SPRING, undefined, 'test');
  await campaigns.set(SPRING, { perStart: 4 }, 'test', bound);
  assert.deepEqual(campaigns.of(SPRING)!.limit, { perStart: 4 });
});

describe('a campaign with a cap per start', () => {
  test('sends so many, keeps the rest, and goes on with the next start, also after a restart', async (t) => {
    const kv = openMemoryKv();
    const sink = await receiver(t);
    const first = await open(t, { kv, sink });
    await first.egress.campaigns.set(SPRING, { perStart: 7 }, 'test');
    await sendCampaign(first, 20);
    await arrived(first, 7);
    await sendCampaign(first, 10, { accountId: 'shop', campaignId: 'autumn' });
    await arrived(first, 10, 'autumn');
    assert.equal(delivered(first), 7);
    assert.match(
      first.egress.whyWaiting('n1', 'd1.test', SPRING)!,
      /^limit of the campaign: 7 per start are used up/,
    );
    await first.stop();

    const second = await open(t, { kv: kv, sink });
    assert.equal(second.egress.campaigns.of(SPRING)!.used, 7);
    await sendCampaign(second, 10, { accountId: 'shop', campaignId: 'winter' });
    await arrived(second, 10, 'winter');
    assert.equal(delivered(second), 7, 'a restart is no start of the campaign');
    assert.equal(await second.egress.campaigns.start(SPRING, 'test'), true);
    await arrived(second, 14);
    await second.egress.campaigns.set(SPRING, { perStart: 9 }, 'test');
    await arrived(second, 16);
    assert.equal(second.egress.campaigns.of(SPRING)!.used, 9);
    await second.egress.campaigns.set(SPRING, undefined, 'test');
    await arrived(second, 20);
    assert.equal(await second.egress.campaigns.start(SPRING, 'test'), false);
  });

  test('counts what was given out before a crash as sent', async (t) => {
    const kv = openMemoryKv();
    const silent = await receiver(t, { messageLatencyMs: 3_600_000 });
    const first = await open(t, { kv, sink: silent });
    await first.egress.campaigns.set(SPRING, { perStart: 3 }, 'test');
    await sendCampaign(first, 10);
    await first.until(() => first.egress.campaigns.of(SPRING)!.room(1) === 0, 'three are under way');
    const copy = openMemoryKv();
    for (const table of TABLES)
      await copy.commit([...kv.range(table, {})].map((entry) => ({ table, ...entry })));
    const second = await open(t, { kv: copy });
    assert.equal(second.egress.campaigns.of(SPRING)!.used, 3);
  });
});

describe('a campaign that grows', () => {
  test('begins slowly and is faster by its percentage each time, up to its rate', async (t) => {
    const clock = new RunningClock();
    const world = await open(t, { clock });
    const growth = { from: { count: 10, perMs: 60_000 }, percent: 100, everyMs: 3_600_000 };
    await world.egress.campaigns.set(SPRING, { rate: { count: 50, perMs: 60_000 }, growth }, 'test');
    const cap = world.egress.campaigns.of(SPRING)!;
    assert.deepEqual(cap.rate, { count: 10, perMs: 60_000 });
    await sendCampaign(world, 3);
    await arrived(world, 1);
    const speeds: number[] = [];
    for (let hour = 0; hour < 4; hour++) {
      speeds.push(cap.rate.count);
      clock.advance(3_600_000);
    }
    assert.deepEqual(speeds, [10, 20, 40, 50]);
    await world.egress.campaigns.set(SPRING, { rate: { count: 30, perMs: 60_000 }, growth }, 'test');
    assert.equal(cap.rate.count, 30, 'other limits begin no growth anew');
  });

  test('by the time that passes, whatever the wall clock is set to, also over a restart', async (t) => {
    const clock = new RunningClock();
    const kv = openMemoryKv();
    const sink = await receiver(t);
    const first = await open(t, { clock, kv, sink });
    const growth = { from: { count: 100, perMs: 60_000 }, percent: 100, everyMs: 3_600_000 };
    await first.egress.campaigns.set(SPRING, { growth }, 'test');
    await sendCampaign(first, 3);
    await arrived(first, 3);
    const speed = (world: World): number => world.egress.campaigns.of(SPRING)!.rate!.count;
    clock.step(10 * 3_600_000);
    assert.equal(speed(first), 100);
    clock.step(-20 * 3_600_000);
    clock.advance(3_600_000);
    assert.equal(speed(first), 200);
    await first.stop();
    clock.step(30 * 3_600_000);
    const second = await open(t, { clock, kv, sink });
    assert.equal(speed(second), 200);
    clock.advance(3_600_000);
    assert.equal(speed(second), 400);
  });
});
