import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { formatProblem, loadConfig } from '../../../src/config/index.ts';

const root = mkdtempSync(join(tmpdir(), 'config-'));
after(() => rmSync(root, { recursive: true }));

let count = 0;

/** A new directory with these files. */
function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = join(root, String(count++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

async function load(directory: string) {
  const result = await loadConfig(join(directory, 'mta.yaml'));
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value;
}

const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

test('lists of included files are concatenated, maps are joined, paths are relative to their own file', async () => {
  const directory = directoryOf({
    'mta.yaml':
      'hostname: mta1.example.com\ninclude: [conf.d, more/dns.yaml]\nsmtp: { max_recipients: 5 }\n' +
      'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\n',
    'conf.d/20-senders.yaml':
      'nodes: [{ name: n3, address: 192.0.2.3, hostname: n3.example.com }]\nsenders:\n  - name: s\n    nodes: [{ node: n2 }]\n' +
      '    dkim: [{ domain: example.com, selector: s1, key_file: key.pem }]\n',
    'conf.d/10-nodes.yml': 'nodes: [{ name: n2, address: 192.0.2.2, hostname: n2.example.com }]\n',
    'conf.d/key.pem': ed25519,
    'conf.d/.hidden.yaml': 'nonsense: 1\n',
    'conf.d/readme.txt': 'not read',
    'more/dns.yaml': 'dns: { timeout: 1s }\nsmtp: { max_message_size: 1MB }\ninclude: [../log.yaml]\n',
    'log.yaml': 'log: { level: debug }\n',
  });
  const { config } = await load(directory);
  assert.deepEqual(
    config.nodes.map((node) => node.name),
    ['n1', 'n2', 'n3'],
  );
  assert.equal(config.senders[0]?.dkim[0]?.keyFile, join(directory, 'conf.d/key.pem'));
  assert.equal(config.dns.timeoutMs, 1000);
  assert.deepEqual([config.smtp.maxRecipients, config.smtp.maxMessageBytes], [5, 1024 * 1024]);
  assert.equal(config.log.level, 'debug');
  assert.deepEqual(config.include, [
    join(directory, 'conf.d'),
    join(directory, 'more/dns.yaml'),
    join(directory, 'log.yaml'),
  ]);
});

test('an entry is counted within its own file in messages', async () => {
  const directory = directoryOf({
    'mta.yaml':
      'hostname: mta1.example.com\ninclude: [b.yaml]\n' +
      'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\n',
    'b.yaml': 'nodes:\n  - { name: n1, address: 192.0.2.2, hostname: n2.example.com }\n',
  });
  const result = await loadConfig(join(directory, 'mta.yaml'));
  assert.deepEqual(
    result.ok ? [] : result.error.map((problem) => formatProblem(problem).replaceAll(`${directory}/`, '')),
    [
      'b.yaml:2:13 nodes[0].name: node "n1" is already defined at mta.yaml:3:17: give one of them another name',
    ],
  );
});

test('a key of 1024 bits is a warning', async () => {
  const directory = directoryOf({
    'mta.yaml':
      'hostname: mta1.example.com\nnodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\n' +
      'senders: [{ name: s, nodes: [{ node: n1 }], dkim: [{ domain: a.com, selector: s1, key_file: key.pem }] }]\n',
    'key.pem': rsa1024,
  });
  const { warnings } = await load(directory);
  assert.deepEqual(
    warnings.map((problem) => formatProblem(problem).replaceAll(`${directory}/`, '')),
    ['mta.yaml:3:93 senders[0].dkim[0].key_file: key.pem has 1024 bits: create one of 2048 (RFC 8301)'],
  );
});

test('a file that is not there is one problem without a position', async () => {
  const result = await loadConfig(join(root, 'missing.yaml'));
  assert.deepEqual(result.ok ? [] : result.error.map(formatProblem), [
    `${join(root, 'missing.yaml')}: the file does not exist`,
  ]);
});

test('the configuration of a load test is accepted', async () => {
  const directory = directoryOf({ secret: 'secret' });
  const text = `
hostname: mta.origin.test
data_dir: ${directory}/data
workers: auto
durability: sync
secret_file: ${directory}/secret
control: { socket: ${directory}/control.sock }
status: { listen: 127.0.0.1:8925 }
smtp: { listen: ["127.0.0.1:2514"], relay_from: [127.0.0.0/8] }
routes: [{ domain: "*", hosts: ["127.0.0.1:2525"], tls: none }]
nodes: [{ name: n1, address: 127.0.0.1, hostname: n1.origin.test }]
strategies: [{ name: unlimited, concurrent_connections: 50, messages_per_connection: 1000 }]
senders: [{name: main, nodes: [{ node: n1, weight: 1 }], strategies: { default: unlimited }, return_path_domain: bounce.origin.test, dkim: []}]
virtual_senders: [{ name: main, rules: [{ when: default, senders: [{ sender: main, percent: 100 }] }] }]
`;
  writeFileSync(join(directory, 'mta.yaml'), text);
  const { config, warnings } = await load(directory);
  assert.deepEqual(warnings, []);
  assert.equal(config.senders[0]?.strategies.default.ratePerInterval, null);
  assert.equal(config.secretFile, join(directory, 'secret'));
});
