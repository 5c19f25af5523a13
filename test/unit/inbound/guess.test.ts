import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { Guess } from '../../../src/mta/inbound/guess.ts';
import { accept, openRig } from '../queue/fixture.ts';

const about = ['a@one.test'];

describe('the delivery that a report without a token may be about', () => {
  test('is that of the campaign in the Feedback-ID; an empty field names none', async () => {
    const rig = await openRig();
    const guess = new Guess(rig.queue, () => 0);
    const spring = deliveryIdOf(await accept(rig, { campaignId: 'spring' }), 1);
    const newest = deliveryIdOf(await accept(rig), 1);
    assert.equal(guess.of({ originalId: undefined, feedbackId: 'spring::news:shop', about }), spring);
    assert.equal(guess.of({ originalId: undefined, feedbackId: '::news:shop', about }), newest);
  });
});
