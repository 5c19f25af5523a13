/**
 * 20,000 messages of 10 KB in over SMTP and out to Postfix's smtp-sink, which dumps what it takes with the address of
 * the client: each recipient is there once, and the addresses have the shares that the weights say.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, createReadStream, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { DEFAULT_TIMEOUTS } from '../../src/mta/smtp/index.ts';
import { DEFAULT_HEADERS, runSource } from '../../src/testbed/index.ts';
import { freePort, Mta, ofType, ownAddress, scratch } from '../support/mta.ts';
import { eventually, routeTo } from '../support/mta-world.ts';

const COUNT = 20_000;
const MESSAGE_BYTES = 10 * 1024;
const DOMAINS = 20;
const WEIGHTS = { '127.0.0.2': 2, '127.0.0.3': 1, '127.0.0.4': 1 } as const;

const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`;
const isMissing = spawnSync('smtp-sink', ['-?'], { env: { PATH } }).error !== undefined;
const skip = isMissing && !process.env['CI'] ? 'smtp-sink is not installed (Debian: postfix)' : false;

interface PostfixSink {
  readonly host: string;
  readonly port: number;
  readonly directory: string;
}

async function smtpSink(t: TestContext): Promise<PostfixSink> {
  const directory = scratch(t);
  chmodSync(directory, 0o777);
  const host = ownAddress();
  const port = await freePort(host);
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  // -D: many messages a file, a new file each minute.
  const args = [...user, '-R', directory, '-D', 'dump.%M', '-m', '256', `${host}:${port}`, '256'];
  const child: ChildProcess = spawn('smtp-sink', args, { env: { PATH }, stdio: 'ignore', cwd: directory });
  const exited = once(child, 'exit');
  t.after(async () => {
    child.kill();
    await exited;
  });
  await eventually(async () => {
    assert.equal(child.exitCode, null, 'smtp-sink has ended');
    const socket = connect(port, host);
    const listening = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    return listening;
  }, 'smtp-sink listens');
  return { host, port, directory };
}

interface Dumped {
  readonly recipients: Map<string, number>;
  readonly byAddress: Map<string, number>;
}

/** Reads the lines that smtp-sink puts before each message. */
async function dumped({ directory }: PostfixSink): Promise<Dumped> {
  const [recipients, byAddress] = [new Map<string, number>(), new Map<string, number>()];
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  for (const file of readdirSync(directory)) {
    for await (const line of createInterface(createReadStream(join(directory, file), 'latin1'))) {
      if (line.startsWith('X-Client-Addr: ')) count(byAddress, line.slice(15));
      else if (line.startsWith('X-Rcpt-Args: ')) count(recipients, /<(.*)>/.exec(line)![1]!);
    }
  }
  return { recipients, byAddress };
}

test(
  'each of 20,000 arrives once, from the addresses and in the shares that were configured',
  { skip, timeout: 180_000 },
  async (t) => {
    const sink = await smtpSink(t);
    const nodes = Object.keys(WEIGHTS).map((address, i) => ({
      name: `n${i}`,
      address,
      hostname: `n${i}.test`,
    }));
    const mta = await Mta.start(t, {
      routes: [{ ...routeTo(sink, '*', sink.host), tls: 'none' }],
      nodes,
      strategies: [{ name: 'own', concurrent_connections: 20, messages_per_connection: 1000 }],
      senders: [
        {
          name: 'shop',
          nodes: Object.values(WEIGHTS).map((weight, i) => ({ node: `n${i}`, weight })),
          strategies: { default: 'own' },
        },
      ],
    });
    const report = await runSource({
      targets: [{ address: mta.smtp.host, port: mta.smtp.port }],
      sessions: 20,
      count: COUNT,
      messagesPerSession: 100,
      messageBytes: MESSAGE_BYTES,
      from: 'news@shop.test',
      domains: DOMAINS,
      firstIndex: 0,
      headers: DEFAULT_HEADERS,
      pipelining: true,
      chunking: true,
      ratePerSecond: undefined,
      heloName: 'app.test',
      localAddress: '127.0.0.1',
      tls: 'none',
      timeouts: DEFAULT_TIMEOUTS,
    });
    assert.equal(report.accepted, COUNT, report.firstRefusal);
    const following = performance.now();
    const events = await mta.settled(COUNT, 120_000);
    t.diagnostic(
      `accepted ${report.perSecond}/s, the last delivered ${Math.round(performance.now() - following)} ms later`,
    );
    await mta.end();

    const { recipients, byAddress } = await dumped(sink);
    assert.equal(recipients.size, COUNT);
    assert.deepEqual(
      [...recipients].filter(([, times]) => times !== 1),
      [],
    );
    const total = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0);
    for (const [address, weight] of Object.entries(WEIGHTS))
      assert.equal(byAddress.get(address), (COUNT * weight) / total, address);
    assert.equal(byAddress.size, nodes.length, 'and from no other address');
    const delivered = ofType(events, 'delivered');
    assert.deepEqual(new Set(delivered.map(({ recipient }) => recipient)), new Set(recipients.keys()));
  },
);
