import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { diffConfig, parseConfig, type Config } from '../../../src/config/index.ts';

const BASE: Readonly<Record<string, string>> = {
  hostname: 'mta1.example.com',
  nodes:
    '[{ name: n1, address: 192.0.2.1, hostname: n1.example.com }, { name: n2, address: 192.0.2.2, hostname: n2.example.com }]',
  senders: '[{ name: s, nodes: [{ node: n1 }] }, { name: t, nodes: [{ node: n2 }] }]',
};

function configOf(change: Readonly<Record<string, string>>): Config {
  const lines = Object.entries({ ...BASE, ...change }).map(([key, value]) => `${key}: ${value}\n`);
  const result = parseConfig(lines.join(''), { file: '/etc/mta.yaml' });
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.error));
  return result.value.config;
}

const diffOf = (change: Readonly<Record<string, string>>) => diffConfig(configOf({}), configOf(change));

describe('what a reload changes', () => {
  test('nothing', () => assert.deepEqual(diffOf({}), { changed: [], needsRestart: [] }));

  test('another spelling of the same is no change', () =>
    assert.deepEqual(diffOf({ history_retention: '168h' }), { changed: [], needsRestart: [] }));

  test('settings, by their keys', () => {
    const change = {
      smtp: '{ max_message_size: 1MB, tls: { required: false } }',
      journal: '{ max_size: 1GB, max_age: 1d }',
      egress: '{ timeouts: { data_done: 1m } }',
      log: '{ level: debug }',
    };
    assert.deepEqual(diffOf(change), {
      changed: [
        'egress.timeouts.data_done',
        'smtp.max_message_size',
        'journal.max_age',
        'journal.max_size',
        'log.level',
      ],
      needsRestart: [],
    });
  });

  test('entries, by their names: changed, gone, new', () => {
    const nodes =
      '[{ name: n1, address: 192.0.2.1, hostname: n1.example.com, max_sessions: 1 }, { name: n3, address: 192.0.2.3, hostname: n3.example.com }]';
    const senders = '[{ name: s, nodes: [{ node: n1 }] }, { name: t, nodes: [{ node: n3 }] }]';
    const expected = ['nodes[n1]', 'nodes[n2]', 'nodes[n3]', 'senders[t]'];
    assert.deepEqual(diffOf({ nodes, senders }), { changed: expected, needsRestart: [] });
  });

  test('a strategy changes what uses it', () =>
    assert.deepEqual(diffOf({ strategies: '[{ name: "60:60", rate: 100/1m }]' }).changed, [
      'strategies[60:60]',
      'senders[s]',
      'senders[t]',
    ]));

  test('only the order', () => {
    const senders = '[{ name: t, nodes: [{ node: n2 }] }, { name: s, nodes: [{ node: n1 }] }]';
    assert.deepEqual(diffOf({ senders }).changed, ['senders']);
  });

  test('what needs a restart', () => {
    const change = {
      data_dir: '/data',
      workers: '2',
      durability: 'process',
      control: '{ socket: /tmp/control.sock }',
      status: '{ listen: null }',
      smtp: '{ listen: [], max_recipients: 1 }',
    };
    assert.deepEqual(diffOf(change).needsRestart, [
      'data_dir',
      'workers',
      'durability',
      'secret_file', // It is in data_dir.
      'control.socket',
      'status.listen',
      'smtp.listen',
    ]);
    assert.ok(diffOf(change).changed.includes('smtp.max_recipients'));
  });
});
