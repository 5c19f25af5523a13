import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { Budget, Content } from '../../../src/mta/smtp/server/content.ts';

describe('collected content', () => {
  test('pieces of all sizes come out in order', () => {
    const budget = new Budget(1e8);
    const content = new Content(1e8, budget);
    const expected: Buffer[] = [];
    for (let i = 0; i < 300; i++) {
      const piece = Buffer.alloc([1, 100, 2047, 2048, 5000, 20_000][i % 6]!, i);
      expected.push(piece);
      content.append(Buffer.concat([Buffer.alloc(3), piece]), 3, piece.length + 3);
    }
    assert.ok(content.take().equals(Buffer.concat(expected)));
    assert.equal(budget.heldBytes, Buffer.concat(expected).length);
    content.reset();
    assert.equal(budget.heldBytes, 0);
  });

  test('one piece is not copied', () => {
    const chunk = Buffer.from('abc');
    const content = new Content(100, new Budget(100));
    content.append(chunk, 0, 3);
    assert.equal(content.take(), chunk);
  });

  test('beyond the limit bytes are counted, not kept', () => {
    const budget = new Budget(1000);
    const content = new Content(10, budget);
    content.append(Buffer.alloc(8), 0, 8);
    assert.equal(budget.heldBytes, 8);
    content.append(Buffer.alloc(8), 0, 8);
    assert.equal(content.overflow, 'size');
    assert.equal(budget.heldBytes, 0);
    content.append(Buffer.alloc(8), 0, 8);
    assert.equal(content.bytes, 24);
  });

  test('sessions share one budget', () => {
    const budget = new Budget(10);
    const first = new Content(100, budget);
    const second = new Content(100, budget);
    first.append(Buffer.alloc(8), 0, 8);
    second.append(Buffer.alloc(8), 0, 8);
    assert.equal(first.overflow, undefined);
    assert.equal(second.overflow, 'memory');
    first.reset();
    second.reset();
    second.append(Buffer.alloc(8), 0, 8);
    assert.equal(second.overflow, undefined);
  });
});
