/**
 * The built program under load, killed again and again on one store: from outside at moments that a seed chooses, by
 * itself around its commits, and at every write and sync of the store's file, some writes half made. After each kill
 * the audit is clean; at the end all that was acknowledged has arrived, and twice at most what is marked.
 *
 * CRASH_KILLS kills (60) from CRASH_SEED.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { auditStore, openLmdbReader, STORE_FILE } from '../../src/queue/index.ts';
import { BUILT, Mta, ofType, RUNNING } from '../support/mta.ts';
import { eventually, receiver, routeTo } from '../support/mta-world.ts';
import { type StoreShim, storeShim } from '../support/store-shim.ts';
import { Load } from './kill-load.ts';
import { randomFrom } from './queue-load.ts';

const KILLS = Number(process.env['CRASH_KILLS'] ?? 60);
const SEED = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** A store lives this long, so that journals stay short. */
const KILLS_PER_STORE = 60;
const POINTS = ['before', 'issued', 'after'];
/** When a point was not reached after so many acknowledgements, the signal comes from outside. */
const ENOUGH = 150;

interface Kill {
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
  /** Acknowledgements of this round after which the signal comes from outside. */
  readonly after: number;
}

/** Every third kill is the next write of the store's file, counted from the start of the program. */
function planned(round: number, random: () => number, shim: StoreShim | undefined): Kill {
  const turn = Math.floor(round / 3);
  if (round % 3 === 0) {
    const tear = turn % 2;
    const env = shim?.({ KILL_AT: 1 + turn, TEAR: tear });
    if (env) return { name: `write ${1 + turn}${tear ? ', torn' : ''}`, env, after: ENOUGH };
  }
  const point = `${POINTS[turn % 3]}:${1 + Math.floor(random() * 60)}`;
  if (round % 3 === 1) return { name: point, env: { POSTRIDER_KILL_POINT: point }, after: ENOUGH };
  const after = Math.floor(random() * ENOUGH);
  return { name: `signal after ${after}`, env: {}, after };
}

async function runAndKill(mta: Mta, load: Load, { env, after }: Kill): Promise<void> {
  const target = load.acknowledged.size + after;
  mta.launch({ env });
  await mta.heard(({ msg }) => msg === RUNNING);
  await load.until(() => {
    if (load.acknowledged.size >= target) mta.signal('SIGKILL');
    return mta.ended;
  });
  assert.equal((await mta.exited()).signal, 'SIGKILL', mta.stderr);
}

async function audited(mta: Mta): Promise<string[]> {
  try {
    const kv = openLmdbReader(join(mta.dir, 'data', STORE_FILE));
    const violations = auditStore(kv);
    await kv.close();
    // Killed before the first commit: there is nothing, not even the mark.
    return violations.length === 1 && violations[0] === 'the store has no format mark' ? [] : violations;
  } catch (error) {
    // Killed before the file had its first pages.
    assert.match((error as Error).message, /there is no store|it has no head/);
    return [];
  }
}

async function killRepeatedly(t: TestContext, kills: number, first: number): Promise<void> {
  const arrived = new Map<string, number>();
  const sink = await receiver(t, {
    onMessage: ({ recipients }) => recipients.forEach((to) => arrived.set(to, (arrived.get(to) ?? 0) + 1)),
  });
  const mta = await Mta.prepare(t, { routes: [routeTo(sink)] });
  mta.program = BUILT;
  const load = new Load(mta);
  const random = randomFrom(SEED + first);
  const shim = storeShim(t);
  for (let round = first; round < first + kills; round++) {
    const kill = planned(round, random, shim);
    await runAndKill(mta, load, kill);
    assert.deepEqual(await audited(mta), [], `round ${round}: ${kill.name}`);
  }
  await mta.start();
  await eventually(async () => (await mta.status()).queue.total === 0, 'the queue is empty', 60_000);
  const events = await mta.end();
  const lost = [...load.acknowledged].filter((to) => !arrived.has(to));
  assert.deepEqual(lost, [], 'what was acknowledged has arrived');
  const marked = new Set(
    events.filter((event) => event.possible_duplicate).map(({ recipient }) => recipient),
  );
  const twice = [...arrived].filter(([, times]) => times > 1).map(([to]) => to);
  assert.deepEqual(
    twice.filter((to) => !marked.has(to)),
    [],
    'what arrived twice is marked',
  );
  const accepted = ofType(events, 'accepted').length;
  t.diagnostic(
    `${kills} kills, ${accepted} accepted, ${load.acknowledged.size} acknowledged, ${twice.length} arrived twice, ${marked.size} marked`,
  );
  assert.ok(load.acknowledged.size > kills, 'there was load');
}

for (let first = 0; first < KILLS; first += KILLS_PER_STORE) {
  const kills = Math.min(KILLS_PER_STORE, KILLS - first);
  test(`killed ${kills} times, from kill ${first} on`, { timeout: 900_000 }, async (t) => {
    t.diagnostic(`CRASH_SEED=${SEED}`);
    await killRepeatedly(t, kills, first);
  });
}
