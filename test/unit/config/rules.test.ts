import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Config, formatProblem, parseConfig } from '../../../src/config/index.ts';

function configOf(text: string): Config {
  const result = parseConfig(`hostname: mta1.example.com\n${text}`, { file: 'mta.yaml' });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value.config;
}

const namesOf = (list: readonly { readonly name: string }[]): string[] => list.map(({ name }) => name);

test('the shipped rules cover each kind of refusal, and the last one names what is left', () => {
  const { rules, shippedRules } = configOf('');
  assert.equal(shippedRules, true);
  assert.ok(rules.every((rule) => rule.shipped));
  const wanted = [
    'unknown-user',
    'greylisting',
    'rate-limit',
    'connection-limit',
    'mailbox-full',
    'blocklist',
  ];
  wanted.push('content-refused', 'authentication-failed', 'policy');
  for (const name of wanted) assert.ok(namesOf(rules).includes(name), name);
  assert.ok(Object.values(rules.at(-1)!.when).every((values: readonly string[]) => values.length === 0));
});

test('rules of the configuration come first, with their references resolved', () => {
  const { rules } = configOf(
    'isps: [{ name: gmail, domains: [gmail.com] }]\n' +
      'retry_rules: [{ name: mine, interval: 1m }]\nlock_rules: [{ name: stop, duration: 1h, threshold: 5/1m }]\n' +
      'rules:\n  - { when: { isp: gmail, code: [421, 45X], enhanced: "*.7.*" }, then: { retry: mine, lock: stop } }\n' +
      '  - { name: rest, when: default, then: { slow_down: 20, alert: true } }\n',
  );
  const [first, second, third] = rules;
  assert.deepEqual(
    [first!.name, first!.when.isp, first!.when.code, first!.when.enhanced, first!.shipped],
    ['rule-1', ['gmail'], ['421', '45x'], ['*.7.*'], false],
  );
  assert.equal(first!.then.retry?.intervalMs, 60_000);
  assert.deepEqual(first!.then.lock?.threshold, { count: 5, perMs: 60_000 });
  assert.equal(first!.then.lock?.maxDurationMs, 12 * 3600e3);
  assert.deepEqual([second!.name, second!.then.slowDown, second!.then.alert], ['rest', 20, true]);
  assert.equal(third!.shipped, true);
});

test('shipped_rules: false leaves the rules out; retry and lock rules stay for use by name', () => {
  const config = configOf('shipped_rules: false\n');
  assert.deepEqual(config.rules, []);
  assert.ok(namesOf(config.retryRules).includes('greylisted'));
  assert.ok(namesOf(config.lockRules).includes('blocked'));
});

test('an entry of the same name replaces a shipped one', () => {
  const { lockRules, rules } = configOf('lock_rules: [{ name: blocked, duration: 1m }]\n');
  assert.equal(lockRules.filter(({ name }) => name === 'blocked').length, 1);
  assert.equal(rules.find(({ name }) => name === 'blocklist')!.then.lock!.durationMs, 60_000);
});

test('a sender owns its retry rule when it names one, or when the configuration has a `default`', () => {
  const sender =
    'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\nsenders: [{ name: s, nodes: [{ node: n1 }]';
  const own = (text: string): boolean | undefined => configOf(text).senders[0]?.retryIsOwn;
  assert.equal(own(`${sender} }]\n`), false);
  assert.equal(own(`${sender}, retry: default }]\n`), true);
  assert.equal(own(`${sender} }]\nretry_rules: [{ name: default, interval: 1s }]\n`), true);
});
