import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  domainMatches,
  formatProblem,
  parseConfig,
  strategyFor,
  type Config,
} from '../../../src/config/index.ts';

function configOf(text: string): Config {
  const result = parseConfig(text, { file: '/etc/postrider/mta.yaml' });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value.config;
}

const NODES = `
nodes:
  - { name: n1, address: 192.0.2.10, hostname: n1.example.com }
  - { name: n2, address: "2001:DB8:0::2", hostname: N2.Example.com, max_sessions: 20, enabled: false }
`;
const HOST = 'hostname: mta1.example.com\n';

describe('defaults', () => {
  const config = configOf(HOST);

  test('of the host', () => {
    assert.equal(config.hostname, 'mta1.example.com');
    assert.equal(config.dataDir, '/var/lib/postrider');
    assert.equal(config.workers, 'auto');
    assert.equal(config.durability, 'sync');
    assert.equal(config.secretFile, '/var/lib/postrider/secret');
    assert.equal(config.timezone, 'UTC');
    assert.equal(config.historyRetentionMs, 7 * 86400e3);
    const { deliveries, ...log } = config.log;
    assert.deepEqual(log, { level: 'info', format: 'auto', recipients: false });
    assert.equal(deliveries.file, null);
    assert.deepEqual(config.journal, { maxAgeMs: 14 * 86400e3, maxBytes: 20 * 1024 ** 3, onFull: 'gap' });
  });

  test('of the listeners', () => {
    assert.deepEqual(config.control, {
      socket: '/run/postrider/control.sock',
      listen: null,
      tokenFile: null,
      tokens: [],
      tls: { certFile: null, keyFile: null },
    });
    assert.deepEqual(config.status, { listen: { host: '127.0.0.1', port: 8025 }, tokenFile: null });
    assert.deepEqual(config.smtp.listen, [{ host: '127.0.0.1', port: 2525 }]);
    assert.deepEqual(config.smtp.relayFrom, [{ address: '127.0.0.1', prefix: 32, family: 'ipv4' }]);
    assert.equal(config.smtp.maxMessageBytes, 25 * 1024 * 1024);
    assert.equal(config.smtp.maxRecipients, 1000);
    assert.deepEqual(config.smtp.tls, { certFile: null, keyFile: null, required: false });
  });

  test('of delivery: the waiting times of RFC 5321 §4.5.3.2', () => {
    assert.equal(config.egress.port, 25);
    assert.deepEqual(config.egress.timeouts, {
      connectMs: 30e3,
      greetingMs: 300e3,
      ehloMs: 300e3,
      mailMs: 300e3,
      rcptMs: 300e3,
      dataInitMs: 120e3,
      dataBlockMs: 180e3,
      dataDoneMs: 600e3,
      sharedMs: 30e3,
      idleMs: 10e3,
    });
    assert.deepEqual(config.dns, {
      servers: 'system',
      timeoutMs: 5e3,
      cacheSize: 100_000,
      allowLoopbackMx: false,
    });
  });

  test('built-in strategies and retry rule', () => {
    assert.deepEqual(
      // Those that ISPs start with follow.
      config.strategies
        .slice(0, 2)
        .map(({ name, ratePerInterval, concurrentConnections, messagesPerConnection }) => [
          name,
          ratePerInterval,
          concurrentConnections,
          messagesPerConnection,
        ]),
      [
        ['60:60', { count: 60, perMs: 60e3 }, 1, 60],
        ['unlimited', null, 50, 1000],
      ],
    );
    const [rule] = config.retryRules;
    assert.deepEqual(
      [
        rule?.name,
        rule?.attempts,
        rule?.type,
        rule?.intervalMs,
        rule?.exponent,
        rule?.maxIntervalMs,
        rule?.mode,
      ],
      ['default', 8, 'geometric', 600e3, 2, 4 * 3600e3, 'same_node'],
    );
  });

  test('of a sender', () => {
    const { senders } = configOf(`${HOST}${NODES}senders:\n  - { name: s, nodes: [{ node: n1 }] }\n`);
    const [sender] = senders;
    assert.equal(sender?.strategies.default.name, '60:60');
    assert.equal(sender?.retry.name, 'default');
    assert.deepEqual(sender?.nodes, [{ node: 'n1', weight: 1 }]);
    assert.equal(sender?.lifetimeMs, 24 * 3600e3);
    assert.equal(sender?.returnPathDomain, null);
    assert.equal(sender?.dkimMissing, 'send');
    assert.equal(sender?.tls, null);
  });

  test('the secret follows data_dir', () =>
    assert.equal(configOf(`${HOST}data_dir: data\n`).secretFile, '/etc/postrider/data/secret'));

  test('a key without a value counts as left out, but null turns the status page off', () => {
    const emptied = configOf(`${HOST}workers:\nsmtp: { tls: { cert_file: , key_file: }, listen: }\nnodes:\n`);
    assert.equal(emptied.workers, 'auto');
    assert.deepEqual(emptied.smtp.listen, config.smtp.listen);
    assert.equal(configOf(`${HOST}status: { listen: null }\n`).status.listen, null);
  });
});

describe('values', () => {
  test('nodes: canonical addresses and host names', () => {
    const [, n2] = configOf(`${HOST}${NODES}`).nodes;
    assert.deepEqual(n2, {
      name: 'n2',
      address: '2001:db8::2',
      hostname: 'n2.example.com',
      maxSessions: 20,
      enabled: false,
      whenDown: 'wait',
      strategies: null,
      warmup: null,
    });
  });

  test('endpoints, networks and resolvers', () => {
    const { smtp, dns, routes } = configOf(
      `${HOST}smtp: { listen: ["[::1]:0", localhost:25], relay_from: [10.0.0.0/8, "2001:db8::/32"] }\n` +
        'dns: { servers: ["[::1]:5353", 192.0.2.53], timeout: 1500ms }\n' +
        'routes: [{ domain: "*.Test", hosts: [mx.example.com, "127.0.0.1:2626"], tls: none }]\n',
    );
    assert.deepEqual(smtp.listen, [
      { host: '::1', port: 0 },
      { host: 'localhost', port: 25 },
    ]);
    assert.deepEqual(smtp.relayFrom, [
      { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
      { address: '2001:db8::', prefix: 32, family: 'ipv6' },
    ]);
    assert.deepEqual(dns.servers, [
      { host: '::1', port: 5353 },
      { host: '192.0.2.53', port: 53 },
    ]);
    assert.equal(dns.timeoutMs, 1500);
    assert.deepEqual(routes, [
      {
        domain: '*.test',
        hosts: [
          { host: 'mx.example.com', port: 25 },
          { host: '127.0.0.1', port: 2626 },
        ],
        tls: 'none',
      },
    ]);
  });

  test('domains become A-labels', () => {
    const { isps } = configOf(
      `${HOST}isps: [{ name: a, domains: [пошта.укр, EXAMPLE.com], mx: ["*.Google.com"] }]\n`,
    );
    assert.deepEqual(isps[0]?.domains, ['xn--80a1acn3a.xn--j1amh', 'example.com']);
    assert.deepEqual(isps[0]?.mx, ['*.google.com']);
  });

  test('strategies: a rate, an interval, or no limit', () => {
    const { strategies } = configOf(
      `${HOST}strategies:\n` +
        '  - { name: a, rate: 500/1m, burst: 5, daily_limit: 1000, helo: address, tls: require, drop: true }\n' +
        '  - { name: b, concurrent_connections: 3, messages_per_connection: 10, connection_attempts: 2, interval: 5m }\n' +
        '  - { name: "60:60", concurrent_connections: 2 }\n',
    );
    assert.deepEqual(
      strategies.slice(0, 4).map(({ name, ratePerInterval }) => [name, ratePerInterval]),
      [
        ['a', { count: 500, perMs: 60e3 }],
        ['b', { count: 60, perMs: 300e3 }],
        ['60:60', null], // The entry replaces the built-in one as a whole.
        ['unlimited', null],
      ],
    );
    const [a] = strategies;
    assert.deepEqual(
      [a?.burst, a?.dailyLimit, a?.helo, a?.tls, a?.drop],
      [5, 1000, 'address', 'require', true],
    );
  });

  test('retry rules: the longest wait is never shorter than the first by default', () => {
    const { retryRules } = configOf(
      `${HOST}retry_rules:\n  - { name: a, interval: 6h, type: fixed }\n` +
        '  - { name: default, type: list, intervals: [5m, 30m], attempts: 3, mode: sender_nodes }\n',
    );
    assert.deepEqual(
      // The shipped ones follow.
      retryRules
        .slice(0, 2)
        .map(({ name, maxIntervalMs, intervalsMs, mode }) => [name, maxIntervalMs, intervalsMs, mode]),
      [
        ['a', 6 * 3600e3, [], 'same_node'],
        ['default', 4 * 3600e3, [300e3, 1800e3], 'sender_nodes'],
      ],
    );
  });

  test('strategies of senders and nodes are resolved', () => {
    const { senders, nodes } = configOf(
      `${HOST}isps: [{ name: gmail, domains: [gmail.com] }, { name: constructor, domains: [example.org] }]\n` +
        'strategies: [{ name: fast, rate: 1000/1m }]\n' +
        'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com, strategies: { gmail: unlimited } }]\n' +
        'senders: [{ name: s, nodes: [{ node: n1 }], strategies: { default: fast, gmail: "60:60" } }]\n',
    );
    const choice = senders[0]!.strategies;
    assert.equal(strategyFor(choice, undefined).name, 'fast');
    assert.equal(strategyFor(choice, 'gmail').name, '60:60');
    assert.equal(strategyFor(choice, 'constructor').name, 'fast');
    assert.equal(strategyFor(nodes[0]!.strategies!, 'gmail').name, 'unlimited');
    assert.equal(strategyFor(nodes[0]!.strategies!, undefined).name, '60:60');
  });

  test('virtual senders: conditions are lists, overrides are null when left out', () => {
    const { virtualSenders } = configOf(
      `${HOST}${NODES}senders: [{ name: s, nodes: [{ node: n1 }] }]\n` +
        'virtual_senders:\n  - name: main\n    rules:\n' +
        '      - { when: { to_domain: Gmail.com, group: [vip, new] }, senders: [{ sender: s, percent: 33.3 }, { sender: s, percent: 33.3 }, { sender: s, percent: 33.4, from_email: a@B.com }] }\n' +
        '      - { when: default, senders: [{ sender: s, percent: 100 }] }\n',
    );
    const [first, last] = virtualSenders[0]!.rules;
    assert.deepEqual(first?.when, {
      group: ['vip', 'new'],
      fromDomain: [],
      toDomain: ['gmail.com'],
      fromEmail: [],
      isp: [],
    });
    assert.equal(first?.senders[2]?.fromEmail, 'a@b.com');
    assert.equal(last?.when, 'default');
    assert.deepEqual(last?.senders, [
      { sender: 's', percent: 100, fromEmail: null, fromName: null, replyTo: null },
    ]);
  });

  test('file names are relative to the configuration file', () => {
    const config = configOf(
      `${HOST}${NODES}secret_file: ../secret\ncontrol: { socket: run/control.sock }\n` +
        'senders: [{ name: s, nodes: [{ node: n1 }], dkim: [{ domain: a.com, selector: s1, key_file: keys/a.pem }] }]\n',
    );
    assert.equal(config.secretFile, '/etc/secret');
    assert.equal(config.control.socket, '/etc/postrider/run/control.sock');
    assert.equal(config.senders[0]?.dkim[0]?.keyFile, '/etc/postrider/keys/a.pem');
  });

  test('anchors and aliases work', () => {
    const { senders } = configOf(
      `${HOST}${NODES}senders:\n  - { name: a, nodes: &nodes [{ node: n1 }] }\n  - { name: b, nodes: *nodes }\n`,
    );
    assert.deepEqual(senders[1]?.nodes, senders[0]?.nodes);
  });
});

test('the snapshot is frozen to the bottom', () => {
  const config = configOf(`${HOST}${NODES}senders: [{ name: s, nodes: [{ node: n1 }] }]\n`);
  const unfrozen: string[] = [];
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if (!Object.isFrozen(value)) unfrozen.push(path);
    for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
  };
  visit(config, 'config');
  assert.deepEqual(unfrozen, []);
});

test('the snapshot can be sent to a worker thread', () => {
  const config = configOf(`${HOST}${NODES}`);
  assert.deepEqual(structuredClone(config), config);
});

test('domain patterns', () => {
  assert.ok(domainMatches('*', 'example.com'));
  assert.ok(domainMatches('example.com', 'example.com'));
  assert.ok(domainMatches('*.example.com', 'a.b.example.com'));
  assert.ok(!domainMatches('*.example.com', 'example.com'));
  assert.ok(!domainMatches('*.example.com', 'badexample.com'));
  assert.ok(!domainMatches('example.com', 'a.example.com'));
});
