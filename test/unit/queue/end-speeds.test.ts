/** How fast mail ends, by row and by campaign. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EndSpeeds } from '../../../src/queue/end-speeds.ts';

const SECOND = 1_000;

function speedsAt(start = 0): { speeds: EndSpeeds; at: { now: number }; end: (campaign?: string) => void } {
  const at = { now: start };
  const speeds = new EndSpeeds(() => at.now);
  const end = (campaign = 'c1'): void =>
    speeds.add({
      type: 'delivered',
      account_id: 'a',
      campaign_id: campaign,
      sender: 's',
      node: 'n1',
      recipient: 'u@gmail.com',
    });
  return { speeds, at, end };
}

describe('the speed of a campaign', () => {
  test('is steady while it goes on, over the turns of periods', () => {
    const { speeds, at, end } = speedsAt();
    for (let second = 0; second < 900; second++) {
      at.now = second * SECOND;
      end();
      end();
      if (second < 20) continue;
      const speed = speeds.ofCampaign('a', 'c1');
      assert.ok(speed > 1.9 && speed < 2.2, `${speed} after ${second} s`);
    }
  });

  test('is that since its first end, not since the program started', () => {
    const { speeds, at, end } = speedsAt();
    at.now = 100 * SECOND;
    for (let i = 0; i < 100; i++) end();
    at.now = 120 * SECOND;
    assert.equal(speeds.ofCampaign('a', 'c1'), 5);
  });

  test('is nothing when nothing has ended for long', () => {
    const { speeds, at, end } = speedsAt();
    end();
    at.now = 301 * SECOND;
    assert.equal(speeds.ofCampaign('a', 'c1'), 0);
  });

  test('a first moment is no rush', () => {
    const { speeds, end } = speedsAt();
    for (let i = 0; i < 10; i++) end();
    assert.equal(speeds.ofCampaign('a', 'c1'), 1);
  });

  test('more campaigns than are remembered cost the others nothing', () => {
    const { speeds, at, end } = speedsAt();
    for (let i = 0; i < 50_100; i++) end(`c${i}`);
    at.now = 10 * SECOND;
    end('c0');
    assert.equal(speeds.ofCampaign('a', 'c0'), 0.2);
    assert.equal(speeds.ofCampaign('a', 'c49999'), 0.1);
    assert.equal(speeds.ofCampaign('a', 'c50050'), 0, 'it is not known');
    at.now = 400 * SECOND;
    end('c50050');
    assert.equal(speeds.ofCampaign('a', 'c50050'), 0.1, 'those of before are forgotten');
  });

  test('what changes no count of ends is not counted', () => {
    const { speeds } = speedsAt();
    const labels = { account_id: 'a', campaign_id: 'c1', recipient: 'u@gmail.com' };
    speeds.add({ type: 'accepted', ...labels });
    speeds.add({ type: 'soft_bounce', ...labels });
    speeds.add({ type: 'hard_bounce', corrects: 7, ...labels });
    speeds.add({ type: 'undelivered', reason: 'removed', ...labels });
    speeds.add({ type: 'undelivered', reason: 'policy', ...labels });
    const draft = { type: 'undelivered', reason: 'removed', time: 0, ...labels } as const;
    const recipients = ['u@gmail.com', 'v@gmail.com'];
    speeds.addRun({ draft, number: 1, indexes: [1, 2], recipients, after: 0 });
    assert.equal(speeds.ofCampaign('a', 'c1'), 0);
  });

  test('many rows lose their domains and nothing else', () => {
    const { speeds, at } = speedsAt();
    for (let i = 0; i < 50_100; i++)
      speeds.add({ type: 'delivered', campaign_id: 'c1', sender: 's', node: 'n', recipient: `u@d${i}.test` });
    at.now = 10 * SECOND;
    let sum = 0;
    let nameless = 0;
    for (const { domain, perSecond } of speeds.rows()) {
      sum += perSecond;
      if (domain === '') nameless += perSecond;
    }
    assert.equal(Math.round(sum), 5_010);
    assert.equal(Math.round(nameless), 10);
    assert.equal(speeds.ofCampaign('', 'c1'), 5_010);
  });
});
