import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type PlaceUser, SessionPlaces } from '../../../src/mta/egress/session-places.ts';

/** Hosts that take a place whenever they are pumped and want one. */
class Hosts implements PlaceUser {
  answered: boolean;
  wants = 0;
  has = 0;
  idle = 0;
  pumped = 0;
  readonly #places: SessionPlaces;

  constructor(places: SessionPlaces, answered: boolean) {
    this.#places = places;
    this.answered = answered;
  }

  want(count: number): void {
    this.wants = count;
    this.pump();
  }

  pump(): void {
    this.pumped++;
    // One that has not answered is tried with one session, as a destination does.
    while (this.has < (this.answered ? this.wants : Math.min(1, this.wants)) && this.#places.room(this)) {
      this.#places.take(this);
      this.has++;
    }
  }

  evict(): number {
    if (this.idle === 0) return 0;
    this.idle--;
    return 1;
  }

  opens(): void {
    this.answered = true;
    this.#places.opened(this);
    this.pump();
  }

  end(): void {
    this.has--;
    this.#places.release(this);
    this.#places.wake();
    this.pump();
  }
}

function placesFor(most: number, ...answered: readonly boolean[]): [SessionPlaces, ...Hosts[]] {
  const places = new SessionPlaces(() => most);
  return [places, ...answered.map((is) => new Hosts(places, is))];
}

const dead = (places: SessionPlaces, count: number): Hosts[] =>
  Array.from({ length: count }, () => new Hosts(places, false));

describe('the places of a node', () => {
  test('are all for the one destination that there is', () => {
    const [places, one] = placesFor(4, true);
    one!.want(9);
    assert.deepEqual([one!.has, places.open], [4, 4]);
    assert.equal(places.waiting(one!), 'all 4 sessions are in use');
  });

  test('hosts that do not answer have half of them, however many there are', () => {
    const [places, works] = placesFor(10, true);
    const silent = dead(places, 1_000);
    for (const one of silent) one.want(3);
    assert.equal(places.open, 5);
    assert.match(places.waiting(silent.at(-1)!)!, /^5 hosts that have not answered are being tried/);
    works!.want(20);
    assert.equal(works!.has, 5);
    // It gives its places away for none of them, and gets its own back.
    assert.ok(!places.mustYield(works!, 1_000));
    works!.end();
    assert.equal(works!.has, 5);
  });

  test('a host that answers leaves its part to the next that is tried, one that fails leaves its place', () => {
    const [places] = placesFor(4);
    const [one, two, three, four] = dead(places, 4) as [Hosts, Hosts, Hosts, Hosts];
    for (const each of [one, two, three, four]) each.want(1);
    assert.deepEqual([one.has, two.has, three.has, four.has], [1, 1, 0, 0]);
    one.opens();
    assert.deepEqual([three.has, four.has], [1, 0]);
    two.wants = 0;
    two.end();
    assert.deepEqual([two.has, four.has], [0, 1]);
    assert.equal(places.open, 3);
  });

  test('who waits gets an idle session, and no more end than are wanted', () => {
    const [places, rich, poor, other] = placesFor(3, true, true, true);
    rich!.want(3);
    rich!.idle = 3;
    places.keepsIdle(rich!);
    poor!.want(1);
    poor!.pump();
    assert.equal(rich!.idle, 2, 'asking again ends no other');
    other!.want(1);
    assert.equal(rich!.idle, 1);
    assert.ok(places.wanted, 'none is kept idle from now on');
    assert.ok(!places.short, 'as many end as are wanted');
    rich!.wants = 1;
    rich!.end();
    rich!.end();
    assert.deepEqual([rich!.has, poor!.has, other!.has], [1, 1, 1]);
    assert.ok(!places.wanted);
    poor!.want(2);
    other!.want(2);
    assert.ok(places.short, 'one is idle, and two wait');
  });

  test('a session ends after its turn when others wait, as many as wait', () => {
    const [places, rich, poor] = placesFor(3, true, true);
    rich!.want(9);
    assert.ok(!places.mustYield(rich!, 1_000), 'nobody else waits');
    poor!.want(2);
    assert.ok(!places.mustYield(rich!, 19));
    assert.ok(places.mustYield(rich!, 20));
    assert.ok(!places.mustYield(rich!, 20), 'one waits, one ends');
    rich!.end();
    assert.deepEqual([rich!.has, poor!.has], [2, 1]);
    assert.ok(places.mustYield(rich!, 20), 'both want another');
  });

  test('a place that becomes free asks nobody behind the one that takes it', () => {
    const [places, busy] = placesFor(1, true);
    busy!.want(1);
    const others = Array.from({ length: 1_000 }, () => new Hosts(places, true));
    for (const one of others) one.want(1);
    let before = busy!;
    for (const next of others.slice(0, 3)) {
      before.wants = 0;
      before.end();
      assert.equal(next.has, 1);
      before = next;
    }
    const pumped = others.reduce((sum, one) => sum + one.pumped, 0);
    assert.equal(pumped, others.length + 3 + 2);
  });

  test('more of them are used at once when there may be more', () => {
    let most = 1;
    const places = new SessionPlaces(() => most);
    const one = new Hosts(places, true);
    one.want(5);
    most = 3;
    places.wake();
    assert.equal(one.has, 3);
  });

  test('are never more than there may be, and none stays free while somebody could have it', () => {
    const step = fc.record({
      who: fc.nat(5),
      does: fc.constantFrom('wants', 'ends', 'opens', 'fails', 'forgotten' as const),
      count: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 6 }), (steps, most) => {
        const places = new SessionPlaces(() => most);
        const all = Array.from({ length: 6 }, (_, at) => new Hosts(places, at < 3));
        for (const { who, does, count } of steps) {
          const one = all[who]!;
          if (does === 'wants') one.want(count);
          if (does === 'opens' && one.has > 0) one.opens();
          if (does === 'ends' && one.has > 0) one.end();
          if (does === 'fails' && one.has === 1) {
            one.answered = false;
            one.end();
          }
          if (does === 'forgotten' && one.has === 0) {
            one.wants = 0;
            places.leave(one);
          }
          assert.ok(places.open <= most);
          assert.equal(
            places.open,
            all.reduce((sum, { has }) => sum + has, 0),
          );
          if (places.open === most) continue;
          const left = all.filter(({ answered, has, wants }) => answered && has < wants);
          assert.equal(left.length, 0, 'who has answered has what it wants');
        }
      }),
    );
  });

  test('of thousands that give a place back at once each is asked once', () => {
    const places = new SessionPlaces(() => 1);
    let asked = 0;
    const take = (user: PlaceUser): boolean => {
      if (!places.room(user)) return false;
      places.take(user);
      return true;
    };
    const giveBack = (user: PlaceUser): void => {
      places.release(user);
      places.wake();
    };
    const fickle = (): PlaceUser => ({
      answered: true,
      evict: () => 0,
      pump() {
        asked++;
        if (take(this)) giveBack(this);
      },
    });
    const [first, ...others] = Array.from({ length: 5_000 }, fickle);
    take(first!);
    for (const user of others) assert.ok(!take(user));
    giveBack(first!);
    assert.equal(asked, others.length);
    assert.equal(places.open, 0);
  });
});
