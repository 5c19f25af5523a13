/**
 * kill -9 of the whole program in the middle of jobs on much of what waits, before, while and after a commit of theirs:
 * after each kill the audit is clean and what is removed, moved and queued adds up; at the end each delivery was done
 * once, and what the job was not about is untouched. Of an ISP that is known by its hosts it is done although after the
 * kill nobody knows who belongs to it.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openLmdbReader, STORE_FILE } from '../../src/queue/index.ts';
import { SlotLog } from '../../src/queue/slot-log.ts';
import { BUILT, Mta, ofType, ownAddress } from '../support/mta.ts';
import { dns, eventually } from '../support/mta-world.ts';

const RECIPIENTS = 24_000;
const DOMAINS = 300;
const POINTS = ['before', 'issued', 'after'];
const MOST_KILLS = 100;

interface JobView {
  readonly job: string;
  readonly state: string;
  readonly matched: number;
  readonly done: number;
}

function batchOf(campaign: string, count: number, zone = 'test'): string {
  const header = {
    from: 'news@shop.test',
    parts: { from: 'news@shop.test', subject: 's', text: 'Hello {{name}}' },
    campaign_id: campaign,
  };
  const lines = Array.from({ length: count }, (_, i) => ({
    to: `r${i}@d${i % DOMAINS}.${zone}`,
    vars: { name: `R ${i}` },
  }));
  return [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
}

const post = async (mta: Mta, path: string, body: object): Promise<JobView> => {
  const { status, text, body: answer } = await mta.api(path, { body: JSON.stringify(body) });
  assert.ok(status < 300, text);
  return answer as JobView;
};

async function jobOf(mta: Mta, id: string): Promise<JobView> {
  return (await mta.api(`/v1/jobs/${id}`)).body as JobView;
}

/** Queued by campaign and node. */
async function queued(mta: Mta): Promise<Record<string, number>> {
  const { body } = await mta.api('/v1/queue?group_by=campaign,node');
  const { rows } = body as { rows: { campaign: string; node: string; total: number }[] };
  return Object.fromEntries(rows.map(({ campaign, node, total }) => [`${campaign} ${node}`, total]));
}

const NODES = [
  { name: 'n1', address: '127.0.0.2', hostname: 'n1.test' },
  { name: 'n2', address: '127.0.0.3', hostname: 'n2.test' },
];

async function inject(mta: Mta, body: string): Promise<void> {
  assert.equal((await mta.api('/v1/batches', { type: 'application/x-ndjson', body })).status, 200);
}

/** Two campaigns, all of it held, on nodes of which one is moved away from. */
async function filled(t: TestContext): Promise<Mta> {
  const mta = await Mta.prepare(t, { nodes: NODES });
  mta.program = BUILT;
  await mta.start();
  await post(mta, '/v1/queue/hold', { all: true });
  await inject(mta, batchOf('spring', RECIPIENTS));
  await inject(mta, batchOf('summer', DOMAINS));
  return mta;
}

/**
 * Mail to domains that are an ISP's by their hosts, and to others, all of it held by now. The DNS answers until the ISP
 * of each is known and then no more, so after a restart nobody knows.
 */
async function filledByIsp(t: TestContext): Promise<Mta> {
  const host = ownAddress(); // nobody listens there
  const { stub } = await dns(t, {
    '*.big.test': { MX: [[10, 'mx.hoster.test']] },
    '*.small.test': { MX: [[10, 'mx.small.test']] },
    'mx.hoster.test': { A: [host] },
    'mx.small.test': { A: [host] },
  });
  const isps = [{ name: 'big', mx: ['*.hoster.test'] }];
  const strategies = [{ name: 'slow', rate: '1/1h' }];
  const senders = [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'slow' } }];
  const resolver = { servers: [stub.address], timeout: '500ms', allow_loopback_mx: true };
  const mta = await Mta.prepare(t, { nodes: NODES, isps, strategies, senders, dns: resolver });
  mta.program = BUILT;
  await mta.start();
  await inject(mta, batchOf('spring', RECIPIENTS, 'big.test'));
  await inject(mta, batchOf('summer', DOMAINS, 'small.test'));
  await eventually(async () => {
    const { matched } = await post(mta, '/v1/queue/purge', { isp: 'big', dry_run: true });
    return matched === RECIPIENTS;
  }, 'the ISP of all domains is known');
  await post(mta, '/v1/queue/hold', { all: true });
  await stub.close();
  return mta;
}

/** Starts it again and again, each time to be killed at a commit a little later; gives the kills it took. */
async function killUntilDone(mta: Mta, id: string, check: (view: JobView) => void): Promise<number> {
  let last = 0;
  for (let kills = 1; ; kills++) {
    assert.ok(kills < MOST_KILLS, 'the job does not get on');
    await mta.audit();
    const env = { POSTRIDER_KILL_POINT: `${POINTS[kills % 3]}:${2 + (kills % 7)}` };
    mta.launch({ env });
    let view: JobView | undefined;
    await eventually(async () => {
      view = mta.ended ? undefined : await jobOf(mta, id).catch(() => view);
      return mta.ended || view?.state === 'done';
    }, 'it is killed or the job is done');
    if (view?.done !== undefined) {
      assert.ok(view.done >= last, `${view.done} are done, ${last} were`);
      last = view.done;
    }
    if (view?.state === 'done') {
      check(view);
      return kills;
    }
    assert.equal((await mta.exited()).signal, 'SIGKILL', mta.stderr);
  }
}

const WORLDS: Readonly<Record<string, readonly [string, typeof filled, object]>> = {
  'a campaign': ['', filled, { campaign_id: 'spring' }],
  'an ISP': [' that nobody knows the domains of', filledByIsp, { isp: 'big' }],
};

for (const [what, [more, fill, selector]] of Object.entries(WORLDS)) {
  test(
    `a purge of ${what}${more} goes on after kills in the middle of it`,
    { timeout: 300_000 },
    async (t) => {
      const mta = await fill(t);
      const { job, matched } = await post(mta, '/v1/queue/purge', selector);
      assert.equal(matched, RECIPIENTS);
      await mta.kill('SIGKILL');
      const kills = await killUntilDone(mta, job, ({ done }) => assert.equal(done, RECIPIENTS));
      t.diagnostic(`${kills} starts`);
      await mta.kill('SIGKILL');
      await mta.start();
      assert.deepEqual(await queued(mta), { 'summer n1': DOMAINS });
      assert.equal((await mta.status()).counters.removed, RECIPIENTS);
      const removed = ofType(await mta.end(), 'undelivered');
      assert.deepEqual(
        [removed.length, new Set(removed.map(({ recipient }) => recipient)).size],
        [RECIPIENTS, RECIPIENTS],
      );
      assert.deepEqual(await tableSizes(mta), {
        deliveries: DOMAINS,
        schedule: DOMAINS,
        history: RECIPIENTS,
      });
    },
  );

  test(
    `a move of ${what}${more} goes on after kills in the middle of it`,
    { timeout: 300_000 },
    async (t) => {
      const mta = await fill(t);
      const move = { ...selector, node: 'n1', target: { node: 'n2' } };
      const { job } = await post(mta, '/v1/queue/move', move);
      await mta.kill('SIGKILL');
      const kills = await killUntilDone(mta, job, ({ done }) => assert.equal(done, RECIPIENTS));
      t.diagnostic(`${kills} starts`);
      await mta.kill('SIGKILL');
      await mta.start();
      assert.deepEqual(await queued(mta), { 'spring n2': RECIPIENTS, 'summer n1': DOMAINS });
      const moved = ofType(await mta.end(), 'moved');
      assert.deepEqual(
        [moved.length, new Set(moved.map(({ recipient }) => recipient)).size],
        [RECIPIENTS, RECIPIENTS],
      );
      const all = RECIPIENTS + DOMAINS;
      assert.deepEqual(await tableSizes(mta), { deliveries: all, schedule: all, history: 0 });
    },
  );
}

async function tableSizes(mta: Mta): Promise<Record<string, number>> {
  const kv = new SlotLog(openLmdbReader(join(mta.dir, 'data', STORE_FILE)));
  const sizes: Record<string, number> = {};
  for (const table of ['deliveries', 'schedule', 'history'] as const)
    sizes[table] = [...kv.range(table, {})].length;
  await kv.close();
  return sizes;
}
