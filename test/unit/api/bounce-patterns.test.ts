import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControl } from './control-fixture.ts';

test('GET /v1/bounce-patterns has hits by pattern and the replies that none knew', async (t) => {
  const { egress, get, metrics } = await startControl(t);
  const said = (text: string): void => {
    const reply = { code: 550, enhanced: undefined, text };
    const refusal = {
      scope: 'recipient',
      permanent: true,
      phase: 'rcpt',
      reply,
      cause: undefined,
      text,
    } as const;
    egress.classifier.classify(refusal);
  };
  said('User unknown');
  said('zork 1');
  said('zork 2');
  const { status, json } = await get('/v1/bounce-patterns');
  assert.equal(status, 200);
  const patterns = json['patterns'] as { name: string; hits: number }[];
  assert.deepEqual(
    patterns.filter(({ hits }) => hits > 0).map(({ name, hits }) => [name, hits]),
    [['mailbox-unknown', 1]],
  );
  assert.deepEqual(json['unmatched'], [{ text: '550 zork #', count: 2 }]);
  assert.equal(json['unmatched_total'], 2);
  const text = await metrics.registry.metrics();
  for (const line of [
    'postrider_bounce_pattern_hits_total{pattern="mailbox-unknown"} 1',
    'postrider_unmatched_replies_total 2',
    'postrider_unmatched_reply{reply="550 zork #"} 2',
  ])
    assert.ok(text.includes(line), line);
});
