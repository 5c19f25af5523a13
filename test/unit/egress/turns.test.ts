import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DomainPlace } from '../../../src/mta/egress/domain-place.ts';
import { FlowQueue } from '../../../src/mta/egress/flow-queue.ts';
import { PATIENCE, Turns } from '../../../src/mta/egress/turns.ts';
import { headOf } from './leased.ts';

const STANDARD = 2 ** 32 - 1;
const bandOf = ({ head }: FlowQueue): string =>
  head.rank === 0 ? 'priority' : head.rank === STANDARD ? 'standard' : 'geo';

const queue = (campaign: string, domain = 'one.test', rank = STANDARD): FlowQueue =>
  new FlowQueue(headOf({ campaign, domain, rank }), new DomainPlace(domain));

function turnsOf(queues: readonly FlowQueue[]): Turns {
  const turns = new Turns();
  for (const one of queues) turns.add(one);
  return turns;
}

/** Who had the next turns, while all of them go on waiting. */
const play = (turns: Turns, count: number): FlowQueue[] =>
  Array.from({ length: count }, () => {
    const next = turns.next()!;
    turns.took(next);
    return next;
  });

describe('turns', () => {
  test('a campaign with a thousand queues weighs as much as one with one', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => queue('large', `d${i}.test`));
    const turns = turnsOf([...many, queue('small')]);
    const had = play(turns, 200);
    assert.equal(had.filter(({ head }) => head.campaign === 'small').length, 100);
    assert.equal(new Set(had).size, 101, 'and its queues take turns too');
  });

  test('flows differ by sender and account as well', () => {
    const heads = [{ sender: 'a' }, { sender: 'b' }, { account: 'c' }].map((wish) => headOf(wish));
    const queues = heads.map((head) => new FlowQueue(head, new DomainPlace('one.test')));
    assert.deepEqual(play(turnsOf(queues), 6), [...queues, ...queues]);
  });

  test('priority goes before geo before standard, the earliest deadline first', () => {
    const [standard, late, early, priority] = [
      queue('a'),
      queue('b', 'one.test', 200),
      queue('c', 'one.test', 100),
      queue('d', 'one.test', 0),
    ];
    const turns = turnsOf([standard, late, early, priority]);
    const order: FlowQueue[] = [];
    while (turns.size > 0) {
      order.push(...play(turns, 1));
      turns.delete(order.at(-1)!);
    }
    assert.deepEqual(order, [priority, early, late, standard]);
  });

  test('no band that waits is passed over for longer than it has to have patience', () => {
    const rank = fc.constantFrom(0, 0, 50, 60, STANDARD);
    const queues = fc.uniqueArray(fc.tuple(fc.nat(5), rank), {
      minLength: 2,
      maxLength: 12,
      selector: String,
    });
    fc.assert(
      fc.property(queues, (all) => {
        const made = all.map(([flow, one]) => queue(`c${flow}`, 'one.test', one));
        const bands = new Set(made.map(bandOf));
        const had = play(turnsOf(made), 200).map(bandOf);
        for (const band of bands) {
          let passed = 0;
          for (const other of had) {
            passed = other === band ? 0 : passed + 1;
            assert.ok(passed <= PATIENCE + 1, `${band} was passed over ${passed} times`);
          }
        }
      }),
    );
  });

  test('with three bands the most urgent one has all turns but those of patience', () => {
    const all = [0, 50, STANDARD].map((rank) => queue('c', 'one.test', rank));
    const had = play(turnsOf(all), 1_000).map(bandOf);
    const counts = ['priority', 'geo', 'standard'].map((band) => had.filter((one) => one === band).length);
    assert.ok(counts[0]! >= 790 && counts[1]! >= 90 && counts[2]! >= 90, counts.join(' '));
  });

  test('who may not has no turn, and keeps nobody else from one', () => {
    const [a, b] = [queue('a'), queue('b')];
    const turns = turnsOf([a, b]);
    assert.equal(
      turns.next((one) => one !== a),
      b,
    );
    assert.equal(
      turns.next(() => false),
      undefined,
    );
    assert.equal(turns.next(), a, 'looking takes no turn');
  });

  test('holds what was added and not deleted', () => {
    const all = Array.from({ length: 12 }, (_, i) =>
      queue(`c${i % 3}`, `d${i}.test`, [0, 40, 41, STANDARD][i % 4]),
    );
    const work = fc.tuple(fc.constantFrom('add', 'delete', 'took', 'add'), fc.nat(11));
    fc.assert(
      fc.property(fc.array(work, { maxLength: 80 }), (works) => {
        const turns = new Turns();
        const model = new Set<FlowQueue>();
        for (const [one, i] of works) {
          const which = all[i]!;
          if (one === 'add') assert.equal(turns.add(which), !model.has(which));
          else if (one === 'delete') assert.equal(turns.delete(which), model.has(which));
          else turns.took(which);
          if (one === 'add') model.add(which);
          else if (one === 'delete') model.delete(which);
          assert.equal(turns.size, model.size);
          assert.deepEqual(new Set(turns.queues()), model);
          assert.equal(turns.next() === undefined, model.size === 0);
        }
      }),
    );
  });
});
