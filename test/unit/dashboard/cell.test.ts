/** What is told of a cell when much else has happened since. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiDependencies } from '../../../src/api/index.ts';
import { detailsOf } from '../../../src/dashboard/cell.ts';

type Sources = Pick<ApiDependencies, 'queue' | 'egress'>;

const lineOf = (node: string): string =>
  JSON.stringify({ type: 'soft_bounce', node, isp: 'gmail', reply: { code: 451, text: 'later' } });

/** A journal of such events; `read` counts those that were looked at. */
function journalOf(nodes: readonly string[]): { sources: Sources; read: () => number } {
  let read = 0;
  const journal = {
    last: nodes.length,
    *lines(after: number): Generator<{ seq: number; line: string }> {
      for (let seq = after + 1; seq <= nodes.length; seq++) {
        read++;
        yield { seq, line: `{"seq":${seq},${lineOf(nodes[seq - 1]!).slice(1)}` };
      }
    },
  };
  const sources = { queue: { state: { journal } }, egress: { settingsOf: () => [] } };
  return { sources: sources as unknown as Sources, read: () => read };
}

const repeated = (node: string, count: number): string[] => Array.from({ length: count }, () => node);
const seqs = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from - i);

test('its last events and refusals are found behind those of a busy minute', async () => {
  const { sources } = journalOf([...repeated('n1', 100), ...repeated('n2', 50_000)]);
  const { events, errors, looked } = await detailsOf(sources, { node: 'n1', isp: 'gmail' });
  assert.deepEqual(
    events.map(({ seq }) => seq),
    seqs(100, 50),
  );
  assert.deepEqual(
    errors.map(({ seq }) => seq),
    seqs(100, 10),
  );
  assert.equal(looked, 50_100);
});

test('no more is read than it takes', async () => {
  const { sources, read } = journalOf([...repeated('n2', 50_000), ...repeated('n1', 100)]);
  const { events, looked } = await detailsOf(sources, { node: 'n1', isp: 'gmail' });
  assert.equal(events[0]!.seq, 50_100);
  assert.equal(events.length, 50);
  assert.equal(looked, 10_000);
  assert.ok(read() < 11_000, `${read()} were read`);
});
