/** The shares of virtual senders in the program itself, which is reloaded, stopped and killed in between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Event } from '../../src/core/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { FROM, mail, submit } from '../support/mta-world.ts';

const SPLITS: Readonly<Record<string, readonly number[]>> = { two: [70, 30], three: [50, 30, 20] };
/** How many of each split come in one after the other; sums are 1, 10, 100 and 10,000. */
const CHUNKS = [1, 4, 5, 30, 60, 900, 4_000, 5_000];
/** More come as a batch. */
const ONE_BY_ONE = 10;
/** Nothing is sent. */
const DOWN = [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }];

const senderOf = (split: string, i: number): string => `${split}-${i}`;
const virtualOf = ([name, percents]: [string, readonly number[]], before: readonly object[]): object => ({
  name,
  rules: [
    ...before,
    { when: 'default', senders: percents.map((percent, i) => ({ sender: senderOf(name, i), percent })) },
  ],
});

/** The splits with another rule before them or without, so that a reload has something to change. */
const virtuals = (before: readonly object[] = []): object[] =>
  Object.entries(SPLITS).map((split) => virtualOf(split, before));
const VIP = { when: { group: 'vip' }, senders: [{ sender: 'two-0', percent: 100 }] };

/** Over SMTP and the socket in turn. */
async function oneByOne(mta: Mta, split: string, count: number): Promise<void> {
  const session = await mta.session();
  for (let i = 0; i < count; i++) {
    const to = `u${i}@one.test`;
    if (i % 2 === 0) {
      const sent = await submit(session, to, mail(to, [`X-Postrider-Virtual-Sender: ${split}`]));
      assert.ok(sent.recipients[0]?.ok);
    } else {
      const body = {
        envelope: { from: FROM, to: [to] },
        content: mail(to).toString(),
        virtual_sender: split,
      };
      assert.equal((await mta.api('/v1/messages', { body: JSON.stringify(body) })).status, 202);
    }
  }
  await session.quit();
}

async function asBatch(mta: Mta, split: string, count: number): Promise<void> {
  const header = { from: FROM, parts: { from: FROM, subject: 's', text: 't' }, virtual_sender: split };
  const lines = Array.from({ length: count }, (_, i) => ({ to: `u${i}@one.test` }));
  const body = [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('');
  const { text } = await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
  assert.match(text, new RegExp(`"done":true,.*"accepted":${count},`));
}

async function reload(mta: Mta, before: readonly object[]): Promise<void> {
  mta.configure({ virtual_senders: virtuals(before) });
  const { status, text } = await mta.api('/v1/config/reload', { body: '{}' });
  assert.equal(status, 200, text);
  assert.match(text, /virtual_senders/, 'something has changed');
}

/** Restarts and reloads by turns, each of them twice or more in all. */
async function disturb(mta: Mta, round: number): Promise<void> {
  if (round % 2 === 0) return reload(mta, round % 4 === 0 ? [VIP] : []);
  const signal = round % 4 === 1 ? 'SIGKILL' : 'SIGTERM';
  await mta.kill(signal);
  await mta.start();
}

function assertExact(events: readonly Event[], split: string, count: number): void {
  const mine = ofType(events, 'accepted').filter((event) => event.virtual_sender === split);
  assert.equal(mine.length, count);
  for (const [i, percent] of SPLITS[split]!.entries()) {
    const has = mine.filter(({ sender }) => sender === senderOf(split, i)).length;
    assert.ok(
      Math.abs(has - (count * percent) / 100) < 1,
      `${senderOf(split, i)} has ${has} of ${count}, not ${percent} percent`,
    );
  }
}

test(
  '70/30 and 50/30/20 within one message of exact over 1, 10, 100 and 10,000',
  { timeout: 180_000 },
  async (t) => {
    const senders = Object.entries(SPLITS).flatMap(([split, percents]) =>
      percents.map((_, i) => ({ name: senderOf(split, i), nodes: [{ node: 'n1' }] })),
    );
    const mta = await Mta.start(t, { nodes: DOWN, senders, virtual_senders: virtuals() });
    let count = 0;
    for (const [round, chunk] of CHUNKS.entries()) {
      for (const split of Object.keys(SPLITS))
        await (chunk <= ONE_BY_ONE ? oneByOne(mta, split, chunk) : asBatch(mta, split, chunk));
      count += chunk;
      const events = await mta.events('type=accepted&after=0');
      for (const split of Object.keys(SPLITS)) assertExact(events, split, count);
      if (round < CHUNKS.length - 1) await disturb(mta, round);
    }
    assert.equal(count, 10_000);
    await mta.end();
  },
);

test('a reload while a batch comes in leaves its split exact', async (t) => {
  const senders = SPLITS['three']!.map((_, i) => ({ name: senderOf('three', i), nodes: [{ node: 'n1' }] }));
  const only = (before: readonly object[]): object[] => [virtualOf(['three', SPLITS['three']!], before)];
  const vip = [{ ...VIP, senders: [{ sender: 'three-0', percent: 100 }] }];
  const mta = await Mta.start(t, { nodes: DOWN, senders, virtual_senders: only([]) });
  const ended = { batches: 0 };
  const sending = Promise.all(
    [1, 2].map(async () => {
      await asBatch(mta, 'three', 5_000);
      ended.batches++;
    }),
  );
  let reloads = 0;
  while (ended.batches === 0) {
    mta.configure({ virtual_senders: only(reloads++ % 2 === 0 ? vip : []) });
    assert.equal((await mta.api('/v1/config/reload', { body: '{}' })).status, 200);
  }
  await sending;
  assert.ok(reloads > 0);
  assertExact(await mta.end(), 'three', 10_000);
});
