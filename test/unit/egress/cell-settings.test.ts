/** What is set for a node towards an ISP, and in which line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../src/config/index.ts';
import { cellSettings } from '../../../src/mta/egress/cell-settings.ts';

const TEXT = `hostname: mta1.example.com
strategies:
  - name: slow
    interval: 1m
    adaptive:
      floor: 1/1m
warmup_plans:
  - name: new
    stages: [50, 100]
    isps:
      gmail: [10, 20]
caps:
  - { name: all, isp: gmail, rate: 30/1m }
  - { name: else, isp: yahoo, rate: 30/1m }
nodes:
  - name: n1
    address: 192.0.2.1
    hostname: n1.example.com
    warmup: new
senders:
  - name: s
    nodes: [{ node: n1 }]
    retry: paced
    strategies:
      default: slow
`;

function rows(node: string, isp: string): string[] {
  const result = parseConfig(TEXT, { file: 'mta.yaml' });
  assert.ok(result.ok, JSON.stringify(result));
  return cellSettings(result.value.config, node, isp).flatMap((one) => [
    `${one.kind} ${one.name} ${one.at}, ${one.chosenBy} ${one.chosenAt}`,
    ...one.settings.map(({ key, value, at }) => `${key} ${value} ${at}`),
  ]);
}

test('each entry and each key has its line, a default has none', () => {
  const all = rows('n1', 'gmail');
  for (const wanted of [
    'strategy slow mta.yaml:3, strategies.default of sender s mta.yaml:25',
    'adaptive.floor 1/1m mta.yaml:6',
    'daily_limit - undefined',
    'warmup new mta.yaml:8, warmup of node n1 mta.yaml:19',
    'isps.gmail 10, 20 mta.yaml:11',
    'cap all mta.yaml:13, undefined undefined',
    'rate 30/1m mta.yaml:13',
    'node n1 mta.yaml:16, undefined undefined',
  ])
    assert.ok(all.includes(wanted), `${wanted}\nin\n${all.join('\n')}`);
  assert.match(all.join('\n'), /^retryRule paced config\/rules\.yaml:\d+, retry of sender s mta\.yaml:23$/m);
  assert.match(all.join('\n'), /^rate \d+\/1m mta\.yaml:4$/m, 'an interval makes the rate');
  assert.doesNotMatch(all.join('\n'), /cap else/);
});

test('other mail has the stages of all, and an unknown node nothing', () => {
  assert.ok(rows('n1', 'other').includes('stages 50, 100 mta.yaml:9'));
  assert.deepEqual(rows('n2', 'gmail'), []);
});
