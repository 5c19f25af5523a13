import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Config, formatProblem, parseConfig, strategyFor } from '../../../src/config/index.ts';

function configOf(text: string): Config {
  const result = parseConfig(`hostname: mta1.example.com\n${text}`, { file: 'mta.yaml' });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value.config;
}

const SENDING =
  'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\nsenders: [{ name: s, nodes: [{ node: n1 }]';
const ispOf = (config: Config, name: string) => config.isps.find((isp) => isp.name === name);
const speedOf = (text: string, isp: string): string =>
  strategyFor(configOf(text).senders[0]!.strategies, isp).name;

test('the large providers are there, each with its source and a speed to start with', () => {
  const { isps, strategies } = configOf('');
  const wanted =
    'gmail microsoft microsoft365 yahoo apple mailru yandex rambler ukrnet metaua gmx webde tonline orange';
  for (const name of `${wanted} free libero seznam wp onet interia comcast`.split(' '))
    assert.ok(
      isps.some((isp) => isp.name === name),
      name,
    );
  for (const { name, source, strategy } of isps) {
    assert.ok(source, name);
    assert.ok(
      strategies.some((one) => one.name === strategy),
      `${name}: ${strategy}`,
    );
  }
});

test('a domain, a mail host and a name are in one shipped ISP only', () => {
  const { isps } = configOf('');
  const all = isps.flatMap(({ name, domains, mx }) => [name, ...domains, ...mx]);
  const twice = all.filter((one, i) => all.indexOf(one) !== i);
  assert.deepEqual(twice, []);
});

test('an own ISP of the same name replaces the shipped one', () => {
  const config = configOf('isps: [{ name: gmail, domains: [gmail.com] }]\n');
  assert.deepEqual(ispOf(config, 'gmail')!.mx, []);
  assert.equal(config.isps.filter(({ name }) => name === 'gmail').length, 1);
});

test('an own ISP takes its domains and hosts out of the shipped ones', () => {
  const config = configOf('isps: [{ name: google, domains: [gmail.com], mx: ["*.google.com"] }]\n');
  assert.deepEqual(ispOf(config, 'gmail')!.domains, ['googlemail.com']);
  assert.deepEqual(ispOf(config, 'gmail')!.mx, ['*.googlemail.com']);
  assert.equal(config.isps[0]!.name, 'google');
});

test('shipped_isps: false leaves them out', () => {
  assert.deepEqual(configOf('shipped_isps: false\n').isps, []);
});

test('the starting speed holds until the configuration names one', () => {
  assert.equal(speedOf(`${SENDING} }]\n`, 'gmail'), 'start-gmail');
  assert.equal(speedOf(`${SENDING} }]\n`, 'other'), '60:60');
  assert.equal(speedOf(`${SENDING}, strategies: { gmail: unlimited } }]\n`, 'gmail'), 'unlimited');
  assert.equal(speedOf(`${SENDING}, strategies: { default: unlimited } }]\n`, 'gmail'), 'unlimited');
  const own = 'isps: [{ name: gmail, domains: [gmail.com], strategy: unlimited }]\n';
  assert.equal(speedOf(`${SENDING} }]\n${own}`, 'gmail'), 'unlimited');
});

test('an encoding is one for all text parts, or one for each type', () => {
  const { isps } = configOf(
    'isps:\n  - { name: a, domains: [a.test], encoding: base64 }\n  - { name: b, domains: [b.test], encoding: { html: 8bit } }\n',
  );
  assert.deepEqual(isps[0]!.encoding, { text: 'base64', html: 'base64' });
  assert.deepEqual(isps[1]!.encoding, { text: null, html: '8bit' });
});
