/** A job may end before, after or in the very commit of its first answer: the count of the job stands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openRig, type Rig } from './fixture.ts';

const OPERATOR = { kind: 'socket', name: 'ann' } as const;
const JOB = 17;
const FIRST_ANSWER = { result: 'done', count: 3, job: '1' } as const;

async function begun(): Promise<{ rig: Rig; number: number; jobDone: () => Promise<void> }> {
  const rig = await openRig();
  const { operatorLog } = rig.queue;
  const number = await operatorLog.begin({ operator: OPERATOR, action: 'queue purge', selector: {} });
  const jobDone = (): Promise<void> =>
    rig.queue.state.committer.submit({
      build: (transaction) => operatorLog.jobDone(transaction, number, JOB),
    });
  return { rig, number, jobDone };
}

const counted = (rig: Rig): readonly unknown[] =>
  rig.queue.operatorLog.list({ limit: 9 }).entries.map(({ result, count, job }) => [result, count, job]);

for (const order of ['the answer first', 'the job first'] as const)
  test(`in one commit, ${order}`, async () => {
    const { rig, number, jobDone } = await begun();
    const answered = (): Promise<void> => rig.queue.operatorLog.end(number, FIRST_ANSWER);
    const works = order === 'the answer first' ? [answered, jobDone] : [jobDone, answered];
    await Promise.all(works.map((work) => work()));
    assert.deepEqual(counted(rig), [['done', JOB, '1']]);
  });

test('in commits of their own', async () => {
  const { rig, number, jobDone } = await begun();
  await jobDone();
  await rig.queue.operatorLog.end(number, FIRST_ANSWER);
  assert.deepEqual(counted(rig), [['done', JOB, '1']]);
});
