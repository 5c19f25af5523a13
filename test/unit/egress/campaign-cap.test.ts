import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CampaignCap } from '../../../src/mta/egress/campaign-cap.ts';
import { TwoClocks } from './two-clocks.ts';

test('while the last places of a start are in memory nobody asks for one, until one goes back', () => {
  const cap = new CampaignCap({ clock: new TwoClocks(), key: 'c', limit: { perStart: 2 }, start: 1 });
  const brought = cap.requested(2);
  assert.deepEqual([cap.room(10), cap.nextRoomMs()], [0, Infinity]);
  brought([{ id: 'a' }, { id: 'b' }]);
  assert.deepEqual([cap.room(10), cap.nextRoomMs()], [0, Infinity]);
  cap.settled('a');
  assert.deepEqual([cap.room(10), cap.nextRoomMs()], [1, 0]);
});
