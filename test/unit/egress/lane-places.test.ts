import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { LanePlaces, type PlaceUser } from '../../../src/mta/egress/lane-places.ts';

/** A destination that takes a place whenever it is pumped and wants one. */
class Hosts implements PlaceUser {
  wants = 0;
  has = 0;
  idle = 0;
  pumped = 0;
  readonly #places: LanePlaces;
  readonly #most: number;

  constructor(places: LanePlaces, most: number) {
    this.#places = places;
    this.#most = most;
    places.join(this);
  }

  pump(): void {
    this.pumped++;
    while (this.has < this.wants && this.#places.reserve(this, this.#most)) this.has++;
  }

  evict(): number {
    return this.idle > 0 ? 1 : 0;
  }

  end(): void {
    this.has--;
    this.#places.release(this);
    this.pump();
  }
}

describe('the places of a lane', () => {
  test('are all for the one destination that there is', () => {
    const places = new LanePlaces();
    const one = new Hosts(places, 8);
    one.wants = 20;
    one.pump();
    assert.equal(one.has, 8);
  });

  test('a quarter at most is kept for those that have none, so hosts that hang leave room', () => {
    const places = new LanePlaces();
    const [hangs, ...others] = [1, 2, 3, 4].map(() => new Hosts(places, 8)) as [Hosts, ...Hosts[]];
    hangs.wants = 20;
    hangs.pump();
    assert.equal(hangs.has, 6);
    for (const other of others) {
      other.wants = 5;
      other.pump();
    }
    assert.equal(places.open, 8);
    assert.ok(others[0]!.has > 0);
    others[0]!.wants = 0;
    while (others[0]!.has > 0) others[0]!.end();
    assert.ok(others[1]!.has > 0, 'who waits is next');
    assert.equal(hangs.has, 6);
  });

  test('one that has more than its part gives way, and no more than that', () => {
    const places = new LanePlaces();
    const [many, few] = [new Hosts(places, 4), new Hosts(places, 4)];
    many.wants = 20;
    many.pump();
    few.wants = 2;
    few.pump();
    assert.deepEqual([many.has, few.has], [3, 1]);
    assert.ok(places.wanted(many), 'its idle sessions end');
    assert.ok(places.mustYield(many, 4));
    assert.ok(!places.mustYield(few, 4));
    many.wants = 2;
    many.end();
    assert.deepEqual([many.has, few.has], [2, 2]);
    assert.ok(!places.mustYield(many, 4));
  });

  test('where there are fewer places than hosts that want one, a session ends after its turn', () => {
    const places = new LanePlaces();
    const [many, few] = [new Hosts(places, 1), new Hosts(places, 1)];
    many.wants = 1;
    many.pump();
    assert.ok(!places.mustYield(many, 1, 1000), 'nobody waits');
    few.wants = 1;
    few.pump();
    assert.deepEqual([places.mustYield(many, 1, 19), places.mustYield(many, 1, 20)], [false, true]);
  });

  test('a place that becomes free asks nobody behind the one that takes it, and they keep their order', () => {
    const places = new LanePlaces();
    const [busy, ...others] = Array.from({ length: 1_000 }, () => new Hosts(places, 1)) as [
      Hosts,
      ...Hosts[],
    ];
    for (const hosts of [busy, ...others]) {
      hosts.wants = 1;
      hosts.pump();
    }
    let before = busy;
    for (const next of others.slice(0, 3)) {
      before.wants = 0;
      before.end();
      assert.equal(next.has, 1);
      before = next;
    }
    assert.equal(
      others.reduce((sum, { pumped }) => sum + pumped, 0),
      others.length + 3 + 2,
    );
  });

  test('are never more than there may be, and whoever wants one has one in the end', () => {
    const wish = fc.record({ who: fc.nat(3), wants: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (wishes, most) => {
        const places = new LanePlaces();
        const all = [0, 1, 2, 3].map(() => new Hosts(places, most));
        for (const { who, wants } of wishes) {
          all[who]!.wants = wants;
          all[who]!.pump();
          assert.ok(places.open <= most);
          assert.equal(
            places.open,
            all.reduce((sum, { has }) => sum + has, 0),
          );
        }
        for (const hosts of all) {
          if (hosts.wants === 0 || hosts.has > 0) continue;
          const rich = all.find((other) => places.mustYield(other, most)) ?? all.find(({ has }) => has > 0)!;
          rich.wants = 0;
          rich.end();
          assert.ok(
            all.some((other) => other !== rich && other.has > 0),
            'the place goes to another that waits',
          );
        }
      }),
    );
  });

  test('of thousands that give a place back at once each is asked once', () => {
    const places = new LanePlaces();
    let asked = 0;
    const fickle = (): PlaceUser => ({
      evict: () => 0,
      pump() {
        if (places.reserve(this, 1)) places.release(this);
        asked++;
      },
    });
    const [first, ...others] = Array.from({ length: 5_000 }, fickle);
    for (const user of [first!, ...others]) places.join(user);
    places.reserve(first!, 1);
    for (const user of others) places.reserve(user, 1);
    places.release(first!);
    assert.equal(asked, others.length);
    assert.equal(places.open, 0);
  });
});
