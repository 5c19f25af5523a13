import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem, parseConfig } from '../../../src/config/index.ts';

const HOST = 'hostname: mta1.example.com\n';
const NODE = 'nodes: [{ name: n1, address: 192.0.2.1, hostname: n1.example.com }]\n';
const SENDING = `${NODE}senders: [{ name: s, nodes: [{ node: n1 }] }]\n`;

function warningsOf(text: string): string[] {
  const result = parseConfig(text, { file: 'mta.yaml' });
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value.warnings.map(formatProblem);
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['a complete configuration has none', `${HOST}${SENDING}`, []],
  [
    'nothing to send with',
    HOST,
    ['mta.yaml:1:1: no sender is defined, so nothing can be delivered: write senders: and nodes:'],
  ],
  [
    'a node that nobody uses',
    `${HOST}${SENDING.replace('}]\n', '}, { name: n2, address: 192.0.2.2, hostname: n2.example.com }]\n')}`,
    ['mta.yaml:2:69 nodes[1]: node "n2" is used by no sender'],
  ],
  [
    'a host name without a domain',
    `hostname: mta1\n${SENDING}`,
    ['mta.yaml:1:11 hostname: "mta1" has no domain: write the full name (RFC 5321 §2.3.5)'],
  ],
  [
    'settings that have no effect',
    `${HOST}${SENDING}strategies: [{ name: a, rate: 5/1m, interval: 1m, connection_attempts: 2 }]\n` +
      'retry_rules: [{ name: r, intervals: [5m] }]\n',
    [
      'mta.yaml:4:47 strategies[0].interval: has no effect because rate is set: remove one of the two',
      'mta.yaml:4:72 strategies[0].connection_attempts: has an effect only with interval and without rate',
      'mta.yaml:5:37 retry_rules[0].intervals: has no effect with type geometric: write type: list',
    ],
  ],
  [
    'a burst of a strategy without a limit',
    `${HOST}${SENDING}strategies: [{ name: a, burst: 5 }]\n`,
    ['mta.yaml:4:32 strategies[0].burst: has an effect only with rate or interval'],
  ],
  [
    'a rule for a bounce pattern that is not there',
    `${HOST}${SENDING}bounce_patterns: [{ name: mine, pattern: full, class: soft, category: mailbox_full }]\n` +
      'rules:\n  - { when: { pattern: mien }, then: { alert: true } }\n  - { when: { pattern: [mine, rate-*] } }\n',
    [
      'mta.yaml:6:24 rules[0].when.pattern: unknown bounce pattern "mien", which no reply matches, did you mean "mine"?',
    ],
  ],
  [
    'more sessions than the node may have',
    `${HOST}${SENDING.replace('.com }]', '.com, max_sessions: 10 }]').replace('}] }]', '}], strategies: { default: a } }]')}` +
      'strategies: [{ name: a, concurrent_connections: 20 }]\n',
    [
      'mta.yaml:4:49 strategies[0].concurrent_connections: 20 is more than max_sessions 10 of node "n1", which is what counts there',
    ],
  ],
  [
    'a sender whose nodes are all off',
    `${HOST}${SENDING.replace('.com }]', '.com, enabled: false }]')}`,
    ['mta.yaml:3:29 senders[0].nodes: every node of sender "s" has enabled: false, so its mail waits'],
  ],
  [
    'history that is shorter than the mail lives',
    `${HOST}${SENDING}history_retention: 1h\n`,
    [
      'mta.yaml:4:20 history_retention: 1h is shorter than the lifetime 1d of sender "s": late reports about its mail would find nothing',
    ],
  ],
  [
    'a route behind one that matches the same',
    `${HOST}${SENDING}routes: [{ domain: "*.test", hosts: [127.0.0.1] }, { domain: a.test, hosts: [127.0.0.2] }]\n`,
    ['mta.yaml:4:52 routes[1]: is never used, because "*.test" at mta.yaml:4:10 matches first'],
  ],
  [
    'an open relay',
    `${HOST}${SENDING}smtp: { listen: [192.0.2.1:25], relay_from: [0.0.0.0/0] }\n`,
    ['mta.yaml:4:46 smtp.relay_from[0]: 0.0.0.0/0 lets the whole world send mail through this host'],
  ],
  [
    'load balancers everywhere',
    `${HOST}${SENDING}smtp: { listen: [192.0.2.1:25], proxy_protocol_from: [0.0.0.0/0], xclient_from: ["::/0"] }\n`,
    [
      'mta.yaml:4:55 smtp.proxy_protocol_from[0]: 0.0.0.0/0 lets the whole world claim any address, by a PROXY protocol header',
      'mta.yaml:4:82 smtp.xclient_from[0]: ::/0 lets the whole world claim any address and user, by XCLIENT',
    ],
  ],
  [
    'load balancers of the MX everywhere',
    `${HOST}${SENDING}mx: { domains: [b.test], listen: [192.0.2.1:25], proxy_protocol_from: ["::/0"] }\n`,
    [
      'mta.yaml:4:72 mx.proxy_protocol_from[0]: ::/0 lets the whole world claim any address, by a PROXY protocol header',
    ],
  ],
  [
    'passwords in clear text',
    `${HOST}${SENDING}smtp: { listen: [192.0.2.1:25], auth: [{ user: u, password_file: p }] }\n`,
    [
      'mta.yaml:4:39 smtp.auth: passwords may cross the network in clear text: set smtp.tls with required: true',
    ],
  ],
];

for (const [name, text, expected] of cases)
  test(`warning: ${name}`, () => assert.deepEqual(warningsOf(text), expected));
