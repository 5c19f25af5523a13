/** When something will be over: the slowest ISP decides, or the last next attempt; else nobody knows. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Paced } from '../../../src/api/index.ts';
import { CampaignCap, type CampaignLimit } from '../../../src/mta/egress/index.ts';
import type { Row } from '../../../src/queue/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

const row = (counts: Partial<Row>): Row => ({
  ...{ account: 'a', campaign: 'c', sender: 's', node: 'n1', domain: 'gmail.com' },
  ...{ new: 0, retry: 0, proc: 0 },
  ...counts,
});

interface Entry extends Partial<Row> {
  readonly isp?: string;
  readonly held?: number;
  /** Per minute. */
  readonly speed?: number;
  readonly limit?: CampaignLimit;
}

const capOf = (limit: CampaignLimit): CampaignCap =>
  new CampaignCap({ clock: createFakeClock(), key: 'k', limit, start: 0 });

/** What is said of its end, in minutes from now. */
function endOf(entries: readonly Entry[], othersPerMinute = 0): string {
  const sum = new Paced(NOW);
  for (const { isp = 'gmail', held = 0, speed, limit, ...counts } of entries) {
    sum.add(row(counts), { isp, held, oldest: NOW, cap: limit && capOf(limit) });
    if (speed !== undefined) sum.addSpeed(isp, { ...row(counts), perSecond: speed / 60 });
  }
  if (othersPerMinute > 0) sum.addSpeed('other', { ...row({ domain: '' }), perSecond: othersPerMinute / 60 });
  const { estimated_end: end, earliest_end: earliest } = sum.pace();
  const minutes = (at: string): number => Math.round((Date.parse(at) - NOW) / MINUTE);
  assert.ok(end === undefined || earliest === undefined, 'it is one of them');
  if (end !== undefined) return `in ${minutes(end)}`;
  return earliest === undefined ? 'nobody knows' : `not before ${minutes(earliest)}`;
}

describe('the end of what is queued', () => {
  const cases: readonly (readonly [string, readonly Entry[], string])[] = [
    ['nothing is queued', [], 'nobody knows'],
    ['new mail at the speed of now', [{ new: 600, speed: 60 }], 'in 10'],
    ['what is leased is not through yet', [{ new: 600, proc: 600, speed: 60 }], 'in 10'],
    ['nothing goes', [{ new: 600 }], 'nobody knows'],
    [
      'a slow ISP decides, however fast the others are',
      [
        { new: 600, speed: 600 },
        { isp: 'slow', new: 60, speed: 2 },
      ],
      'in 30',
    ],
    [
      'nothing goes to one ISP',
      [
        { new: 600, speed: 600 },
        { isp: 'slow', new: 1 },
      ],
      'nobody knows',
    ],
    [
      'the speeds of an ISP are those of its domains together',
      [
        { new: 60, speed: 20 },
        { new: 60, speed: 10, domain: 'googlemail.com' },
      ],
      'in 4',
    ],
    [
      'the last next attempt decides when it comes later',
      [{ new: 60, retry: 5, speed: 60, latest: NOW + 90 * MINUTE }],
      'not before 90',
    ],
    [
      'new mail decides when it takes longer, and what waits is not part of it',
      [{ new: 600, retry: 600, speed: 60, latest: NOW + 9 * MINUTE }],
      'in 10',
    ],
    [
      'a retry that is due is to go as well',
      [{ new: 60, retry: 540, speed: 60, latest: NOW - MINUTE }],
      'in 10',
    ],
    ['nothing goes, and an attempt is to come', [{ retry: 5, latest: NOW + MINUTE }], 'not before 1'],
    [
      'nothing goes to one ISP, and an attempt is to come',
      [{ new: 5 }, { isp: 'slow', retry: 5, latest: NOW + MINUTE }],
      'not before 1',
    ],
    ['all is held', [{ new: 60, retry: 5, held: 65, latest: NOW + MINUTE, speed: 60 }], 'nobody knows'],
    ['what is held is no part of it', [{ new: 660, held: 60, speed: 60 }], 'in 10'],
    [
      'a campaign with a limit goes at its own speed, whatever the others do',
      [
        { new: 600, speed: 600 },
        { campaign: 'slow', new: 60, speed: 2, limit: { rate: { count: 2, perMs: MINUTE } } },
      ],
      'in 30',
    ],
    [
      'the same at two ISPs, whose shares of the rate are not known yet',
      [
        { new: 60, speed: 60, limit: { rate: { count: 4, perMs: MINUTE } } },
        { isp: 'slow', new: 60, speed: 60, limit: { rate: { count: 4, perMs: MINUTE } } },
      ],
      'in 30',
    ],
    [
      'nothing has gone to an ISP yet, but the rate of the campaign is known',
      [
        { new: 30, speed: 60, limit: { rate: { count: 2, perMs: MINUTE } } },
        { isp: 'slow', new: 30, limit: { rate: { count: 2, perMs: MINUTE } } },
      ],
      'not before 30',
    ],
    [
      'an attempt that comes before all can have gone',
      [{ new: 59, retry: 1, latest: NOW + MINUTE, limit: { rate: { count: 2, perMs: MINUTE } } }],
      'not before 30',
    ],
    [
      'an attempt that comes later',
      [{ new: 59, retry: 1, latest: NOW + 90 * MINUTE, limit: { rate: { count: 2, perMs: MINUTE } } }],
      'not before 90',
    ],
    [
      'a rate that leads beyond all dates',
      [{ new: 1e9, limit: { rate: { count: 1, perMs: 1e9 } } }],
      'nobody knows',
    ],
    ['more than may go in this start', [{ new: 60, speed: 60, limit: { perStart: 59 } }], 'nobody knows'],
    ['all may go in this start', [{ new: 60, speed: 6, limit: { perStart: 60 } }], 'in 10'],
    [
      'a rate that grows is not that of later',
      [
        {
          ...{ new: 60, speed: 6 },
          limit: {
            rate: { count: 1, perMs: MINUTE },
            growth: { from: { count: 1, perMs: MINUTE }, percent: 50, everyMs: MINUTE },
          },
        },
      ],
      'in 10',
    ],
    ['a speed that leads beyond all dates', [{ new: 600, speed: 1e-12 }], 'nobody knows'],
  ];
  for (const [what, entries, expected] of cases)
    test(`${what}: ${expected}`, () => assert.equal(endOf(entries), expected));

  test('of more domains than have a speed of their own, that of all of them counts', () => {
    assert.equal(endOf([{ new: 60 }], 6), 'in 10');
    assert.equal(endOf([{ new: 60, speed: 60 }], 6), 'in 1');
  });
});
