/** Our resolver against Unbound with local data: a real server's answers, cuts and errors. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/core/index.ts';
import { createMxPlanner, createResolver, type Resolver } from '../../src/mta/dns/index.ts';

const HOST = '127.0.53.20';
const UNBOUND = ['/usr/sbin/unbound', 'unbound'].find(
  (path) => spawnSync(path, ['-V'], { stdio: 'ignore' }).error === undefined,
);
const skip =
  UNBOUND === undefined && !process.env['CI'] ? 'unbound is not installed (apt-get install unbound)' : false;

const LOCAL_DATA = [
  'two.test. 120 IN MX 10 mx1.two.test.',
  'two.test. 120 IN MX 20 mx2.two.test.',
  'mx1.two.test. 60 IN A 192.0.2.1',
  'mx1.two.test. 60 IN AAAA 2001:db8::1',
  'mx2.two.test. 60 IN A 192.0.2.2',
  'null.test. 60 IN MX 0 .',
  'implicit.test. 60 IN A 192.0.2.3',
  'two.test. 3600 IN SOA ns.two.test. host.two.test. 1 2 3 4 77',
  '_25._tcp.mx1.two.test. 60 IN TLSA 3 1 1 ' + 'ab'.repeat(32),
  `key.two.test. 60 IN TXT "v=DKIM1; p=" "${'A'.repeat(250)}"`,
  '1.2.0.192.in-addr.arpa. 60 IN PTR mx1.two.test.',
  ...Array.from({ length: 120 }, (_, i) => `big.two.test. 60 IN AAAA 2001:db8::${(i + 1).toString(16)}`),
];

function configuration(port: number): string {
  return [
    'server:',
    `  interface: ${HOST}@${port}`,
    `  access-control: 127.0.0.0/8 allow`,
    '  do-daemonize: no',
    '  chroot: ""',
    '  username: ""',
    '  pidfile: ""',
    '  use-syslog: no',
    '  logfile: ""',
    '  verbosity: 1',
    '  num-threads: 1',
    '  module-config: "iterator"',
    '  local-zone: two.test. static',
    '  local-zone: test. static',
    '  local-zone: refused.example. refuse',
    '  local-zone: 2.0.192.in-addr.arpa. static',
    ...LOCAL_DATA.map((line) => `  local-data: '${line}'`),
    // Everything else goes to an address where nobody answers: SERVFAIL.
    'forward-zone:',
    '  name: "."',
    `  forward-addr: ${HOST}@1`,
    'remote-control:',
    '  control-enable: no',
    '',
  ].join('\n');
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Resolves when Unbound says that it serves; rejects with its log when it ends before. */
async function started(child: ChildProcess): Promise<void> {
  const log: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    log.push(line);
    if (line.includes('start of service')) {
      child.stderr!.resume();
      return;
    }
  }
  throw new Error(`unbound did not start:\n${log.join('\n')}`);
}

async function startUnbound(t: TestContext): Promise<Resolver> {
  const folder = mkdtempSync(join(tmpdir(), 'postrider-unbound-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const port = await freePort();
  const file = join(folder, 'unbound.conf');
  writeFileSync(file, configuration(port));
  const child = spawn(UNBOUND ?? 'unbound', ['-d', '-d', '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(async () => {
    if (child.exitCode !== null || child.pid === undefined) return;
    const exited = once(child, 'exit');
    child.kill();
    await exited;
  });
  await started(child);
  const resolver = createResolver({
    servers: [`${HOST}:${port}`],
    timeoutMs: 10_000,
    cacheSize: 100,
    clock: systemClock,
  });
  t.after(() => resolver.close());
  return resolver;
}

test(
  'Unbound answers every type, cuts what is long, and its refusals are told apart',
  { skip },
  async (t) => {
    const resolver = await startUnbound(t);
    const mx = await resolver.query('two.test', 'MX');
    assert.equal(mx.kind, 'records');
    assert.equal(mx.kind === 'records' && mx.ttlMs, 120_000);
    const records = { kind: 'records', ttlMs: 60_000, authenticated: false };
    const name = '1.2.0.192.in-addr.arpa';
    assert.deepEqual(await resolver.query(name, 'PTR'), { ...records, records: ['mx1.two.test'] });
    const key = `v=DKIM1; p=${'A'.repeat(250)}`;
    assert.deepEqual(await resolver.query('key.two.test', 'TXT'), { ...records, records: [key] });
    const certificate = Buffer.alloc(32, 0xab);
    const tlsa = [{ usage: 3, selector: 1, matchingType: 1, certificate }];
    assert.deepEqual(await resolver.query('_25._tcp.mx1.two.test', 'TLSA'), { ...records, records: tlsa });
    const big = await resolver.query('big.two.test', 'AAAA');
    assert.equal(big.kind === 'records' && big.records.length, 120);

    assert.deepEqual(await resolver.query('mx1.two.test', 'MX'), {
      kind: 'nodata',
      ttlMs: 77_000,
      authenticated: false,
    });
    assert.equal((await resolver.query('none.two.test', 'A')).kind, 'nxdomain');
    const refused = await resolver.query('refused.example', 'A');
    assert.equal(refused.kind === 'failure' && refused.reason, 'refused');
    const servfail = await resolver.query('elsewhere.example', 'A');
    assert.equal(servfail.kind === 'failure' && servfail.reason, 'servfail');
  },
);

test('plans made from what Unbound says', { skip }, async (t) => {
  const resolver = await startUnbound(t);
  const planner = createMxPlanner({ resolver, clock: systemClock, selfAddresses: new Set() });
  const plan = await planner.plan('two.test');
  assert.ok(plan.ok);
  assert.deepEqual(
    plan.value.hosts.map((host) => [host.name, ...host.addresses]),
    [
      ['mx1.two.test', '192.0.2.1', '2001:db8::1'],
      ['mx2.two.test', '192.0.2.2'],
    ],
  );
  const results: Record<string, string> = {};
  for (const domain of ['implicit.test', 'null.test', 'gone.test', 'refused.example']) {
    const found = await planner.plan(domain);
    results[domain] = found.ok ? found.value.key : found.error.enhanced;
  }
  assert.deepEqual(results, {
    'implicit.test': 'implicit.test',
    'null.test': '5.1.10',
    'gone.test': '5.1.2',
    'refused.example': '4.4.3',
  });
});
