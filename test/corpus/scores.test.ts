/** Scores on labelled samples of others, printed, with floors that may not be undercut. Skipped where they are absent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { missing } from './corpus.ts';
import { falseBounces, scoreBounces, scoreFeedback, scoreReplies } from './measure.ts';
import type { Score } from './score.ts';

function hold(score: Score, floor: number): void {
  console.log(`${String(score)}   floor ${(100 * floor).toFixed(1)} %`);
  const misses = score.misses.map(({ key, detail }) => `${key.slice(0, 80)}: ${detail.slice(0, 200)}`);
  assert.ok(score.value >= floor, `${score.name} is below its floor:\n${misses.join('\n')}`);
}

describe('samples', { skip: missing }, () => {
  test('replies are classified', () => {
    const { precision, recall, agreement } = scoreReplies();
    hold(precision, 0.975);
    hold(recall, 0.96);
    hold(agreement, 0.935);
  });

  test('bounces are read and classified', () => {
    const scores = scoreBounces();
    hold(scores.hard, 0.97);
    hold(scores.rfc3464, 0.995);
    hold(scores.freeForm, 0.95);
    hold(scores.others, 0.96);
    hold(scores.status, 0.985);
    hold(scores.exact, 0.95);
    console.log(String(scores.contested));
  });

  test('feedback reports are read', () => {
    const { standard, odd } = scoreFeedback();
    hold(standard, 1);
    hold(odd, 0.9);
  });

  test('other mail is no bounce', () => {
    const { files, bounces } = falseBounces();
    console.log(`false bounces: ${bounces.length} of ${files}`);
    assert.ok(bounces.length <= files / 100, bounces.join('\n'));
  });
});
