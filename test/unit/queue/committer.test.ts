/** Which works share a commit, and when it starts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Committer, newTransaction, type Transaction } from '../../../src/queue/committer.ts';
import type { Kv, Op } from '../../../src/queue/kv.ts';

/** A committer, the names of the works of each commit, and what ends the commit that is under way. */
function started(): {
  committer: Committer;
  commits: string[][];
  end: () => void;
  submit: (name: string, when?: 'now' | 'soon') => Promise<void>;
} {
  const commits: string[][] = [];
  const under: PromiseWithResolvers<void>[] = [];
  const kv = {
    commit: (ops: readonly Op[]): Promise<void> => {
      commits.push(ops.map(({ key }) => key.toString()));
      const one = Promise.withResolvers<void>();
      under.push(one);
      return one.promise;
    },
  } as unknown as Kv;
  const committer = new Committer({
    kv,
    begin: () => newTransaction(1),
    seal: () => undefined,
    committed: () => undefined,
    mono: () => 0,
  });
  const submit = (name: string, when?: 'now' | 'soon'): Promise<void> => {
    const build = ({ ops }: Transaction): void =>
      void ops.push({ table: 'meta', key: Buffer.from(name), value: undefined });
    return committer.submit({ build }, when);
  };
  return { committer, commits, end: () => under.shift()!.resolve(), submit };
}

/** Turns of the event loop, as many as it takes. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turn();
}

test('what is submitted while a commit is under way goes into the next one', async () => {
  const { commits, end, submit } = started();
  const first = submit('a');
  await until(() => commits.length === 1);
  const later = [submit('b'), submit('c', 'soon'), submit('d')];
  end();
  await first;
  await until(() => commits.length === 2);
  end();
  await Promise.all(later);
  assert.deepEqual(commits, [['a'], ['b', 'c', 'd']]);
});

test('what nobody waits for goes with the next that somebody waits for', async () => {
  const { commits, end, submit } = started();
  const works = [submit('outcome', 'soon')];
  await turn();
  assert.deepEqual(commits, [], 'an outcome does not start a commit at once');
  works.push(submit('acceptance'));
  await until(() => commits.length === 1);
  end();
  await Promise.all(works);
  assert.deepEqual(commits, [['outcome', 'acceptance']]);
});

test('what nobody waits for is committed by itself when nothing else comes', async () => {
  const { commits, end, submit } = started();
  const first = submit('outcome', 'soon');
  await until(() => commits.length === 1);
  const second = submit('next', 'soon');
  end();
  await first;
  await until(() => commits.length === 2);
  end();
  await second;
  assert.deepEqual(commits, [['outcome'], ['next']]);
});

test('many of them start a commit without waiting', async () => {
  const { commits, end, submit } = started();
  const works = Array.from({ length: 100 }, (_, i) => submit(String(i), 'soon'));
  await turn();
  assert.equal(commits[0]?.length, 100);
  end();
  await Promise.all(works);
});

test('whoever waits until all is stored makes it start', async () => {
  const { committer, commits, end, submit } = started();
  const works = [submit('a', 'soon')];
  const drained = committer.drained();
  await turn();
  assert.deepEqual(commits, [['a']]);
  works.push(submit('b', 'soon'));
  end();
  await works[0];
  await turn();
  assert.deepEqual(commits, [['a'], ['b']], 'also for what came meanwhile');
  end();
  await drained;
  await Promise.all(works);
  await committer.drained();
});

test('a work that fails before it changes anything fails alone', async () => {
  const { committer, commits, end, submit } = started();
  const failing = committer.submit({ build: () => assert.fail('no such thing') });
  const other = submit('a');
  await assert.rejects(failing, /no such thing/);
  await until(() => commits.length === 1);
  end();
  await other;
  assert.deepEqual(commits, [['a']]);
});

test('one that fails after it changed what works share takes its commit along', async () => {
  const { committer, commits, end, submit } = started();
  let given = 0;
  const other = committer.submit({ build: () => undefined, failed: () => given++ });
  const failing = committer.submit({
    build({ concluded }) {
      concluded.add('a delivery');
      assert.fail('a page cannot be read');
    },
  });
  await assert.rejects(failing, /a page cannot be read/);
  await assert.rejects(other, /another work of this commit failed/);
  assert.equal(given, 1);
  assert.equal(commits.length, 0);
  const next = submit('next');
  await until(() => commits.length === 1);
  end();
  await next;
});
