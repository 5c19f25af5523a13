import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EventDraft } from '../../../src/queue/committer.ts';
import { EventLines } from '../../../src/queue/event-lines.ts';

const label = fc.constantFrom(undefined, 'a', 'b', '"recipient":""', '\u{1f600}\n"');
const metadata = fc.constantFrom(undefined, { recipient: '', delivery_id: '' }, { n: 1 });
const draft = fc.record(
  {
    delivery_id: fc.constantFrom('0123456789a.1', '0123456789a.2'),
    campaign_id: label,
    sender: label,
    metadata,
    recipient: fc.constantFrom('user@a.test', '"q\\"uoted"@a.test', 'grün@a.test'),
    size: fc.nat(2),
    type: fc.constantFrom('accepted' as const, 'moved' as const),
    attempt: fc.nat(2),
    reply: fc.constantFrom(undefined, { code: 450, text: '"recipient":""', phase: 'rcpt' as const }),
    time: fc.nat(2),
  },
  { requiredKeys: ['type', 'time'] },
);

test('what is made once for many events reads as if each were written out', () => {
  fc.assert(
    fc.property(fc.array(draft, { maxLength: 30 }), (drafts) => {
      const lines = new EventLines();
      for (const one of drafts as EventDraft[]) {
        const { time: _, ...fields } = one;
        const read = JSON.parse(`{${lines.fields(one)}}`) as object;
        assert.deepEqual(read, JSON.parse(JSON.stringify(fields)));
      }
    }),
  );
});
