import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlapOf, type Selector } from '../../../src/queue/selector.ts';

const ISPS: Readonly<Record<string, string>> = { 'gmail.com': 'gmail', 'else.test': 'other' };
const ispOf = (domain: string): string | undefined => ISPS[domain];

test('what fits two selectors, and when nothing can', () => {
  const table: readonly (readonly [Selector, Selector, Selector | undefined])[] = [
    [{}, {}, {}],
    [{ sender: 'a' }, { account: 'b' }, { sender: 'a', account: 'b' }],
    [{ sender: 'a' }, { sender: undefined, node: 'n' }, { sender: 'a', node: 'n' }],
    [{ sender: 'a' }, { sender: 'b' }, undefined],
    [{ before: 5, node: 'n' }, { before: 3 }, { before: 3, node: 'n' }],
    [{ before: 5 }, {}, { before: 5 }],
    [{ isp: 'gmail' }, { domain: 'gmail.com' }, { isp: 'gmail', domain: 'gmail.com' }],
    [{ isp: 'gmail' }, { recipient: 'a@else.test' }, undefined],
    [{ isp: 'gmail' }, { domain: 'unknown.test' }, { isp: 'gmail', domain: 'unknown.test' }],
    [{ domain: 'a.test' }, { recipient: 'x@b.test' }, undefined],
    [{ domain: 'a.test' }, { recipient: 'x@a.test' }, { domain: 'a.test', recipient: 'x@a.test' }],
  ];
  for (const [a, b, both] of table) {
    assert.deepEqual(overlapOf(a, b, ispOf), both, JSON.stringify([a, b]));
    assert.deepEqual(overlapOf(b, a, ispOf), both, JSON.stringify([b, a]));
  }
});
