import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lock } from '../../../src/mta/egress/lock.ts';
import { NodeStanding } from '../../../src/mta/egress/node-standing.ts';

const lock = new Lock({
  ...{ scope: 'node', node: 'n1', since: 50, level: 0 },
  ...{ waiting: 'wait', reason: 'by an operator' },
});

test('what is not running says since when; a node that runs does not', () => {
  const standing = new NodeStanding(10);
  assert.deepEqual(standing.shown(undefined), { state: 'down', stateSince: 10 });
  standing.set('draining', 20);
  assert.deepEqual([standing.sends, standing.shown(lock)], [true, { state: 'draining', stateSince: 20 }]);
  standing.set('running', 30);
  assert.deepEqual(standing.shown(undefined), { state: 'running', stateSince: undefined });
  assert.deepEqual(standing.shown(lock), { state: 'locked', stateSince: 50 });
  standing.set('stopped', 60);
  assert.deepEqual([standing.sends, standing.shown(lock)], [false, { state: 'stopped', stateSince: 60 }]);
});
