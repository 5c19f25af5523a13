/** Where settings are written: in which of several files, in which line, and what hides what. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig, parseConfig, placeOf, type Places, writtenAt } from '../../../src/config/index.ts';

const TEXT = `hostname: mta1.example.com
nodes:
  - { name: n1, address: 192.0.2.1, hostname: n1.example.com }
strategies:
  - name: slow
    rate: 60/1m
    adaptive:
      floor: 1/1m
  - name: start-gmail
    rate: 5/1m
isps:
  - name: own
    domains:
      - a.test
      - B.test
senders:
  - name: s
    nodes: [{ node: n1 }]
    retry:
    strategies:
      default: slow
rules:
  - { when: default, then: { fail: true } }
`;

function placesOf(text: string): Places {
  const result = parseConfig(text, { file: 'mta.yaml' });
  assert.ok(result.ok, JSON.stringify(result));
  return result.value.config.places;
}

test('a key, a key of a section, a name of a list and an entry have their own lines', () => {
  const places = placesOf(TEXT);
  assert.equal(placeOf(places, 'strategies', 'slow'), 'mta.yaml:5');
  assert.equal(placeOf(places, 'strategies', 'slow', 'interval', 'rate'), 'mta.yaml:6');
  assert.equal(writtenAt(places, 'strategies', 'slow', 'adaptive.floor'), 'mta.yaml:8');
  assert.equal(placeOf(places, 'isps', 'own', 'domains.b.test'), 'mta.yaml:15');
  assert.equal(writtenAt(places, 'senders', 's', 'strategies.default'), 'mta.yaml:21');
  assert.equal(placeOf(places, 'rules', 'rule-1'), 'mta.yaml:23');
});

test('what is left to its default has no line, and its entry stands for it', () => {
  const places = placesOf(TEXT);
  assert.equal(writtenAt(places, 'strategies', 'slow', 'daily_limit'), undefined);
  assert.equal(placeOf(places, 'strategies', 'slow', 'daily_limit'), 'mta.yaml:5');
  assert.equal(writtenAt(places, 'senders', 's', 'retry'), undefined, 'a key without a value is left out');
  assert.equal(placeOf(places, 'retry_rules', 'default'), undefined, 'built in');
  assert.equal(placeOf(places, 'strategies', 'constructor'), undefined);
});

test('a shipped entry has its line in the file of the program, unless an own one hides it', () => {
  const places = placesOf(TEXT);
  const lineOf = (place: string | undefined): string => {
    const [file = '', line = ''] = place?.split(':') ?? [];
    assert.match(file, /^config\//);
    const text = readFileSync(join(import.meta.dirname, '..', '..', '..', file), 'utf8');
    return text.split('\n')[Number(line) - 1]!;
  };
  assert.match(lineOf(placeOf(places, 'isps', 'gmail', 'domains.gmail.com')), /\bgmail\.com\b/);
  assert.match(lineOf(placeOf(places, 'retry_rules', 'paced', 'interval')), /name: paced/);
  assert.match(lineOf(placeOf(places, 'rules', 'rate-limit')), /name: rate-limit/);
  assert.equal(placeOf(places, 'strategies', 'start-gmail', 'concurrent_connections'), 'mta.yaml:9');
});

test('a line counts in the file that is included', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'places-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const main = join(dir, 'mta.yaml');
  writeFileSync(main, `include: [more.yaml]\n${TEXT}`);
  writeFileSync(join(dir, 'more.yaml'), 'strategies:\n\n  - name: fast\n    rate: 10/1s\n');
  const result = await loadConfig(main);
  assert.ok(result.ok, JSON.stringify(result));
  const { places } = result.value.config;
  assert.equal(placeOf(places, 'strategies', 'fast', 'rate'), `${join(dir, 'more.yaml')}:4`);
  assert.equal(placeOf(places, 'strategies', 'slow', 'rate'), `${main}:7`);
});
