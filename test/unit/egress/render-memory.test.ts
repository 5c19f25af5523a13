import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RenderMemory } from '../../../src/mta/egress/render-memory.ts';
import { composeContent, RENDER_ROOM, renderContent } from '../../../src/mta/message/index.ts';

describe('memory for rendered contents', () => {
  test('is used again once it came back, and by one content at a time', () => {
    const memory = new RenderMemory();
    const [first, second] = [memory.take(100), memory.take(100)];
    assert.notEqual(first.buffer, second.buffer);
    memory.giveBack(first.subarray(10, 20));
    const again = memory.take(80);
    assert.equal(again.buffer, first.buffer);
    assert.equal(again.length, 100);
    assert.notEqual(memory.take(80).buffer, first.buffer);
  });

  test('that is too small is not used, and that of a large content is not kept', () => {
    const memory = new RenderMemory();
    memory.giveBack(memory.take(100));
    assert.equal(memory.take(200).length, 200);
    const large = memory.take(1024 * 1024);
    memory.giveBack(large);
    assert.notEqual(memory.take(100).buffer, large.buffer);
  });

  test('a content in memory of another one has no byte of that one', () => {
    const campaign = composeContent(
      { from: 'a@example.com', subject: 'Hello', text: '{{text}}' },
      { hostname: 'mta.test', now: 0, unique: 'x' },
    );
    assert.ok(campaign.ok);
    const memory = new RenderMemory();
    const render = (text: string): Buffer =>
      renderContent(
        campaign.value,
        { recipient: 'b@example.com', vars: { text }, messageIdText: 'id' },
        memory.take,
      );
    const fresh = Buffer.from(render('short'));
    const long = render('x'.repeat(20_000));
    memory.giveBack(long);
    const reused = render('short');
    assert.equal(reused.buffer, long.buffer);
    assert.equal(reused.byteOffset, RENDER_ROOM);
    assert.deepEqual(reused, fresh);
  });
});
