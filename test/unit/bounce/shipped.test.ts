/** The patterns that are shipped: well-formed, each with a source, none hidden by another. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  BOUNCE_CATEGORIES,
  BOUNCE_CLASSES,
  type BouncePattern,
  checkPatterns,
  Classifier,
  patternProblem,
  shippedPatterns,
  typeOf,
} from '../../../src/bounce/index.ts';

const patterns = shippedPatterns() as readonly (BouncePattern & { readonly type?: string })[];

describe('the shipped bounce patterns', () => {
  for (const pattern of patterns)
    test(`${pattern.name} is complete`, () => {
      assert.equal(patternProblem(pattern.pattern), undefined);
      assert.ok(BOUNCE_CLASSES.includes(pattern.class));
      assert.ok(BOUNCE_CATEGORIES.includes(pattern.category));
      assert.equal(pattern.type, typeOf(pattern.class));
      assert.ok(pattern.message && pattern.source && pattern.isp);
    });

  test('have names of their own', () =>
    assert.equal(new Set(patterns.map(({ name }) => name)).size, patterns.length));

  test('none is dead, hidden or there twice', () =>
    assert.deepEqual(
      checkPatterns(patterns).map(({ index, text }) => `${patterns[index]!.name}: ${text}`),
      [],
    ));

  test('nearly all require a word, so that few are run on a reply', () => {
    const always = new Classifier().patterns.filter(({ syntax }) => !syntax.required);
    assert.ok(always.length <= patterns.length / 10, always.map(({ pattern }) => pattern.name).join(' '));
  });
});
