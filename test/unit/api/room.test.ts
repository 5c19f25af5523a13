import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Room, Share } from '../../../src/api/room.ts';

describe('room for requests that are not answered', () => {
  test('is refused beyond what there is, but to one that is alone', () => {
    const room = new Room(100);
    const [one, other] = [new Share(room), new Share(room)];
    assert.ok(one.hold(150));
    assert.ok(!other.hold(1));
    assert.ok(one.hold(60));
    assert.deepEqual([other.hold(40), other.hold(41)], [true, false]);
    assert.equal(room.heldBytes, 100);
  });

  test('is free again when the request ends, also when what had come is still being read', () => {
    const room = new Room(100);
    const share = new Share(room);
    assert.ok(share.hold(80));
    share.end();
    assert.ok(share.hold(90), 'what came before is worked off');
    assert.equal(room.heldBytes, 0);
  });
});
