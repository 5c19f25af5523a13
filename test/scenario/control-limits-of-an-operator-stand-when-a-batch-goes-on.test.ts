/** The first line of a batch comes again with every connection; its limits are set once. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type BatchRecipient, Postrider, PostriderError } from '../../src/client/index.ts';
import { Mta } from '../support/mta.ts';
import { FROM } from '../support/mta-world.ts';

const HEADER = {
  from: FROM,
  parts: { from: FROM, subject: 's', text: 't' },
  account_id: 'acme',
  campaign_id: 'spring',
  limits: { rate: '1000/1m' },
  idempotency_key: 'k',
};
const BOUND = { name: 'acme', secret_file: 'acme.token', scopes: ['inject', 'operate'], accounts: ['acme'] };
const SLOW = { accountId: 'acme', rate: '10/1m' };

interface World {
  readonly mta: Mta;
  readonly operator: Postrider;
  /** Over connections that `cut` breaks. */
  readonly caller: Postrider;
  readonly cut: () => void;
  /** The rate that holds. */
  readonly rate: () => Promise<string | undefined>;
}

async function world(t: TestContext, token?: string): Promise<World> {
  // Nothing is sent, so that the counts stand still.
  const mta = await Mta.prepare(t, {
    nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }],
    control: { socket: 'control.sock', tokens: [BOUND] },
  });
  writeFileSync(join(mta.dir, BOUND.secret_file), 'secret\n', { mode: 0o600 });
  await mta.start();
  const { path, cut } = await breakable(t, mta);
  const operator = new Postrider({ socketPath: mta.socket });
  const caller = new Postrider({ socketPath: path, ...(token !== undefined && { token }) });
  t.after(() => {
    operator.close();
    caller.close();
  });
  const rate = async (): Promise<string | undefined> => {
    for await (const { limits } of operator.campaigns({ campaignId: 'spring' })) return limits?.rate;
    return undefined;
  };
  return { mta, operator, caller, cut, rate };
}

async function breakable(t: TestContext, mta: Mta): Promise<{ readonly path: string; cut: () => void }> {
  const path = join(mta.dir, 'cut.sock');
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(mta.socket);
    for (const socket of [near, far]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => (near.destroy(), far.destroy(), open.delete(socket)));
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = (): void => open.forEach((socket) => socket.destroy());
  t.after(() => {
    cut();
    server.close();
  });
  return { path, cut };
}

for (const [who, token] of [
  ['a caller who may do everything', undefined],
  ['a bound token', 'secret'],
] as const)
  test(`${who}: a batch that goes on over a broken connection, or is sent again, sets no limits`, async (t) => {
    const { mta, operator, caller, cut, rate } = await world(t, token);
    const committed = Promise.withResolvers<void>();
    async function* audience(): AsyncGenerator<BatchRecipient> {
      for (let i = 0; i < 1_000; i++) yield { to: `r${i}@to.test` };
      await committed.promise;
      assert.equal(await rate(), '1000/1m');
      await operator.limitCampaign('spring', SLOW);
      cut();
      for (let i = 1_000; i < 1_200; i++) yield { to: `r${i}@to.test` };
    }
    const first = await caller.sendBatch(HEADER, audience(), { onProgress: () => committed.resolve() });
    assert.deepEqual([first.accepted, first.rejected], [1_200, 0]);
    assert.equal(await rate(), '10/1m');
    const replay = Array.from({ length: 1_200 }, (_, i) => ({ to: `r${i}@to.test` }));
    assert.deepEqual(await caller.sendBatch(HEADER, replay), first);
    assert.equal(await rate(), '10/1m');
    await mta.end();
  });

test('a batch of which no line is committed yet sets its limits, also when its key is known', async (t) => {
  const { mta, operator, caller, rate } = await world(t);
  assert.equal((await caller.sendBatch(HEADER, [])).accepted, 0);
  await operator.limitCampaign('spring', SLOW);
  await caller.sendBatch(HEADER, [{ to: 'r0@to.test' }]);
  assert.equal(await rate(), '1000/1m');
  await mta.end();
});

test('another batch of a bound token is refused limits where those of an operator stand', async (t) => {
  const { mta, operator, caller, rate } = await world(t, 'secret');
  await caller.sendBatch(HEADER, [{ to: 'r0@to.test' }]);
  await operator.limitCampaign('spring', SLOW);
  const another = { ...HEADER, idempotency_key: 'another' };
  await assert.rejects(
    caller.sendBatch(another, [{ to: 'r0@to.test' }]),
    (error) => error instanceof PostriderError && error.status === 403,
  );
  assert.equal(await rate(), '10/1m');
  await mta.end();
});
