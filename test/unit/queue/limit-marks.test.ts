import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textKey } from '../../../src/queue/keys.ts';
import { type LimitMark } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import { accept, lease, openRig, type Rig } from './fixture.ts';

const mark = (key: string, old: boolean): LimitMark => ({ key, value: { old } });
const isOld = ({ value }: LimitMark): boolean => (value as { old: boolean }).old;
const keys = ({ kv }: Rig): string[] => [...kv.range('limits', {})].map(({ key }) => key.toString());

test('spent limits are forgotten a slice at a time, from where the last slice ended, and again from the start', async () => {
  const rig = await openRig();
  const { queue } = rig;
  await queue.store(['a', 'b', 'c', 'd', 'e'].map((key) => mark(key, key !== 'c')));
  const seen: string[] = [];
  const spent = (one: LimitMark): boolean => (seen.push(one.key), isOld(one));
  assert.equal(await queue.forgetLimits(spent, 2), 2);
  assert.deepEqual(seen.splice(0), ['a', 'b']);
  assert.equal(await queue.forgetLimits(spent, 2), 1);
  assert.deepEqual(
    [seen.splice(0), keys(rig)],
    [
      ['c', 'd'],
      ['c', 'e'],
    ],
  );
  assert.equal(await queue.forgetLimits(spent, 2), 1);
  assert.equal(await queue.forgetLimits(spent, 2), 0);
  assert.deepEqual([seen, keys(rig)], [['e', 'c'], ['c']]);
  assert.deepEqual(queue.limitMark('c'), { old: false });
  await queue.close();
});

test('what is stored in the same commit stays, and what is damaged goes', async () => {
  const rig = await openRig();
  const { queue, kv } = rig;
  await queue.store([mark('a', true), mark('n1\0isp:x', true)]);
  await kv.commit([{ table: 'limits', key: textKey('z'), value: Buffer.from('damaged') }]);
  const stored = queue.store([mark('a', false)]);
  const forgot = queue.forgetLimits(isOld, 10);
  await stored;
  assert.equal(await forgot, 2);
  assert.deepEqual([keys(rig), queue.limitMark('a')], [['a'], { old: false }]);
  await queue.close();
});

test('a key that the store cannot take fails what it came with, and nothing else of the commit', async () => {
  const rig = await openRig();
  const { queue, kv } = rig;
  await accept(rig);
  const long = mark('x'.repeat(2_000), false);
  const [head] = [...queue.state.schedule.heads()];
  const works = [
    queue.lease({ queue: head!, limit: 1, marks: [long] }),
    queue.store([long]),
    queue.control({ key: ['lock', long.key], value: {} }),
    queue.control({ key: ['lock', 'n1'], value: undefined, forget: long.key }),
    queue.announce({ type: 'speed', time: rig.clock.now() }, long),
    accept(rig),
  ];
  const ended = await Promise.allSettled(works);
  const failed = ended.map((one) => one.status === 'rejected' && (one.reason as Error).message.split(';')[0]);
  const why = (table: string): string => `a key of 2000 bytes in table ${table}`;
  assert.deepEqual(failed.slice(0, -1), [
    why('limits'),
    why('limits'),
    'a key of 2005 bytes in table controls',
    why('limits'),
    why('limits'),
  ]);
  assert.equal(failed.at(-1), false);
  assert.equal((await lease(rig)).length, 2);
  assert.deepEqual(auditStore(kv), []);
  await queue.close();
});
