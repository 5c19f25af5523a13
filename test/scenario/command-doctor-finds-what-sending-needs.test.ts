import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { run } from '../../src/cli/program.ts';
import { reverseName } from '../../src/cli/reverse-name.ts';
import { generateKeyPem, loadKey, publicRecord } from '../../src/mta/dkim/index.ts';
import { startDnsStub, startSink, type Zones } from '../../src/testbed/index.ts';
import { freePort } from '../support/mta.ts';
import { createPaper } from '../unit/cli/paper.ts';

const DOMAIN = 'example.com';
const HOST = 'mx1.example.com';
/** Of the public ones, so its DNS matters; not on this machine, which is said too. */
const ADDRESS = '192.0.2.9';
const NOT_HERE = /error {3}node {10}n1: 192\.0\.2\.9 is not on this machine, so it is down/;

/** A directory with a key, and a name server whose zones are changed by the test. */
async function world(t: TestContext): Promise<{
  directory: string;
  zones: Record<string, Zones[string]>;
  dns: string;
  key: { name: string; text: string };
}> {
  const directory = mkdtempSync(join(tmpdir(), 'pr-doctor-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const pem = generateKeyPem('rsa-sha256');
  writeFileSync(join(directory, 's1.pem'), pem);
  const key = loadKey(pem, { domain: DOMAIN, selector: 's1' });
  assert.ok(key.ok);
  const zones: Record<string, Zones[string]> = {};
  const stub = await startDnsStub({ zones });
  t.after(() => stub.close());
  return { directory, zones, dns: stub.address, key: publicRecord(key.value) };
}

async function command(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const paper = createPaper();
  const code = await run(args, paper);
  return { code, ...paper.printed };
}

/** Answers as an NTP server (RFC 5905 §7.3) whose clock is so far behind; undefined: with something else. */
async function timeServer(t: TestContext, behindMs: number | undefined): Promise<string> {
  const server = createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => server.close());
  server.on('message', (_, from) => {
    const answer = Buffer.alloc(behindMs === undefined ? 4 : 48);
    if (behindMs !== undefined) {
      const seconds = (Date.now() - behindMs) / 1000 + 2_208_988_800;
      for (const at of [32, 40]) {
        answer.writeUInt32BE(Math.floor(seconds), at);
        answer.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), at + 4);
      }
    }
    server.send(answer, from.port, from.address);
  });
  await once(server, 'listening');
  return `127.0.0.1:${server.address().port}`;
}

/** A configuration with this DNS, these addresses to listen on for SMTP, and what else it says. */
const configOf = (dns: string, listen: string, more: string): string => `hostname: ${HOST}
data_dir: data
control: { socket: control.sock }
status: { listen: null }
smtp: { listen: [${listen}] }
dns: { servers: ["${dns}"] }
${more}`;

describe('postrider doctor', () => {
  test('names each fault with its remedy, and none when all is as it says', async (t) => {
    const { directory, zones, dns, key } = await world(t);
    const taken = createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const file = join(directory, 'postrider.yaml');
    const config = (smtpPort: number): void =>
      writeFileSync(
        file,
        configOf(
          dns,
          `"127.0.0.1:${smtpPort}"`,
          `nodes: [{ name: n1, address: ${ADDRESS}, hostname: ${HOST} }]
senders:
  - name: promo
    nodes: [{ node: n1, weight: 1 }]
    strategies: { default: "60:60" }
    return_path_domain: bounce.${DOMAIN}
    dkim: [{ domain: ${DOMAIN}, selector: s1, key_file: s1.pem }]
`,
        ),
      );
    config(port);
    zones[`bounce.${DOMAIN}`] = { TXT: ['v=spf1 ip4:192.0.2.1 -all'] };
    zones[key.name] = { TXT: ['v=DKIM1; k=rsa; p=AAAA'] };
    zones[HOST] = { A: ['192.0.2.1'] };
    const sick = await command('doctor', '-c', file);
    assert.equal(sick.code, 1, sick.err);
    for (const wanted of [
      new RegExp(`error .*127\\.0\\.0\\.1:${port} is in use by another program\n.*-> find it with: ss -ltnp`),
      /error .*HELO, mx1\.example\.com, has the address 192\.0\.2\.1, not 192\.0\.2\.9\n.*-> publish: mx1\.example\.com\. IN A 192\.0\.2\.9/,
      /error .*the PTR of 192\.0\.2\.9 is missing.*\n.*publish: 9\.2\.0\.192\.in-addr\.arpa\. IN PTR mx1\.example\.com\./,
      /error .*the DKIM key at s1\._domainkey\.example\.com is another one.*\n.*-> publish: s1\._domainkey\.example\.com\. IN TXT "v=DKIM1/,
      /error .*SPF of bounce\.example\.com says fail to 192\.0\.2\.9.*\n.*-> add ip4:192\.0\.2\.9 to the v=spf1 record/,
      /error .*bounce\.example\.com of the return paths has no MX.*\n.*-> publish: bounce\.example\.com\. IN MX 10/,
      /warning .*example\.com has no DMARC policy/,
      NOT_HERE,
      /errors: 7, warnings: 1/,
    ])
      assert.match(sick.out, wanted);

    config(0);
    zones[`bounce.${DOMAIN}`] = {
      TXT: ['v=spf1 include:spf.example.com -all'],
      MX: [[10, HOST]],
    };
    zones['spf.example.com'] = { TXT: [`v=spf1 ip4:${ADDRESS} -all`] };
    // Cut and spaced as people publish it.
    zones[key.name] = { TXT: [key.text.replace('p=', 'p= ').replace('k=', ' k=')] };
    zones[HOST] = { A: [ADDRESS] };
    zones[reverseName(ADDRESS)] = { PTR: [HOST] };
    zones[`_dmarc.${DOMAIN}`] = { TXT: ['v=DMARC1; p=none'] };
    const well = await command('doctor', '-c', file);
    assert.match(well.out, NOT_HERE);
    assert.match(well.out, /errors: 1, warnings: 0/);
  });

  test('asks for no names of a node that is there for a try-out', async (t) => {
    const { directory, dns } = await world(t);
    const file = join(directory, 'try.yaml');
    writeFileSync(
      file,
      configOf(
        dns,
        '',
        `nodes: [{ name: n1, address: 127.0.0.2, hostname: ${HOST} }]
senders: [{ name: main, nodes: [{ node: n1 }], return_path_domain: bounce.${DOMAIN} }]
`,
      ),
    );
    const { code, out } = await command('doctor', '-c', file);
    assert.equal(code, 0, out);
    assert.match(out, /ok {5} node {10}n1: 127\.0\.0\.2 is good for a try-out/);
    assert.match(out, /errors: 0, warnings: 1$/m, 'it signs with no key');
  });

  test('names each look-up that a name server did not answer', async (t) => {
    const { directory } = await world(t);
    const file = join(directory, 'silent.yaml');
    const closed = `127.0.0.1:${await freePort('127.0.0.1')}`;
    writeFileSync(
      file,
      configOf(closed, '', `nodes: [{ name: n1, address: ${ADDRESS}, hostname: ${HOST} }]\n`),
    );
    const { out } = await command('doctor', '-c', file);
    for (const name of [`A of ${HOST}`, `PTR of ${reverseName(ADDRESS)}`])
      assert.ok(out.includes(`n1: the ${name} asked of ${closed}: `), out);
  });

  test('compares the clock with a time server when asked', async (t) => {
    const { directory } = await world(t);
    const file = join(directory, 'clock.yaml');
    writeFileSync(
      file,
      `hostname: ${HOST}\ndata_dir: data\nstatus: { listen: null }\nsmtp: { listen: [] }\n`,
    );
    const check = async (behindMs: number | undefined): Promise<string> => {
      const server = await timeServer(t, behindMs);
      return (await command('doctor', '-c', file, '--no-dns', '--ntp', server)).out;
    };
    assert.match(await check(0), /ok {5} clock {9}the clock differs by \d\.\d{3} s from that of 127/);
    assert.match(
      await check(3_600_000),
      /error {3}clock {9}the clock differs by 3(600|599)\.\d+ s .*\n.*-> run a time daemon/,
    );
    assert.match(await check(undefined), /warning clock .*gave no time: this is no NTP\n.*--ntp/);
  });

  test('tries the way out from each node when asked', async (t) => {
    const { directory, dns } = await world(t);
    const sink = await startSink({});
    t.after(() => sink.close());
    const file = join(directory, 'probe.yaml');
    const config = (port: number): void =>
      writeFileSync(
        file,
        configOf(
          dns,
          '',
          `routes: [{ domain: to.test, hosts: ["127.0.0.1:${port}"], tls: none }]
nodes: [{ name: n1, address: 127.0.0.9, hostname: ${HOST} }]
`,
        ),
      );
    const probe = (domain: string): Promise<{ code: number; out: string }> =>
      command('doctor', '-c', file, '--no-dns', '--probe', domain);
    config(sink.port);
    assert.match((await probe('to.test')).out, /ok {5} node {10}n1 reaches 127\.0\.0\.1: 220 /);
    assert.deepEqual(sink.messages, [], 'nothing is sent');
    config(await freePort('127.0.0.1'));
    const closed = await probe('to.test');
    assert.equal(closed.code, 1);
    assert.match(
      closed.out,
      /error {3}node {10}n1 does not reach 127\.0\.0\.1: .*\n.*ask the provider of 127\.0\.0\.9 to open port/,
    );
    const nowhere = await probe('nowhere.test');
    assert.match(nowhere.out, /nowhere\.test has no mail host that can be asked\n.*another domain/);
  });

  test('a configuration with errors is the only finding, with the line', async (t) => {
    const { directory } = await world(t);
    const file = join(directory, 'wrong.yaml');
    writeFileSync(file, 'hostname: mta1.example.com\nnodez: []\n');
    const { code, out } = await command('doctor', '-c', file, '--json');
    assert.equal(code, 1);
    const { findings } = JSON.parse(out) as { findings: { area: string; text: string }[] };
    assert.deepEqual(
      findings.map(({ area }) => area),
      ['configuration'],
    );
    assert.match(findings[0]!.text, /wrong\.yaml:2:1 .*nodes/);
  });
});

test('postrider trace shows the words of the mail host, and sends nothing', async (t) => {
  const { directory, dns } = await world(t);
  const refusal = { code: 550, enhanced: '5.1.1', text: 'no such box' };
  const sink = await startSink({ rules: [{ phase: 'rcpt', recipient: 'gone@*', action: refusal }] });
  t.after(() => sink.close());
  const file = join(directory, 'postrider.yaml');
  writeFileSync(
    file,
    `hostname: ${HOST}
dns: { servers: ["${dns}"] }
routes: [{ domain: to.test, hosts: ["127.0.0.1:${sink.port}"], tls: none }]
nodes: [{ name: n1, address: 127.0.0.9, hostname: ${HOST} }]
`,
  );
  const taken = await command('trace', 'ann@to.test', '-c', file);
  assert.equal(taken.code, 0, taken.out + taken.err);
  assert.match(taken.out, /\* 127\.0\.0\.9 -> 127\.0\.0\.1 \[127\.0\.0\.1\]:\d+\n/);
  assert.match(taken.out, /< 220 .*\n.*> EHLO mx1\.example\.com\n/);
  assert.match(taken.out, /> RCPT TO:<ann@to\.test>\n.*< 250 .*\n.*> RSET\n/);
  const gone = await command('trace', 'gone@to.test', '-c', file);
  assert.equal(gone.code, 1);
  assert.match(gone.out, /no: the recipient was refused: 550 5\.1\.1 no such box/);
  const nowhere = await command('trace', 'ann@nowhere.test', '-c', file);
  assert.equal(nowhere.code, 1);
  assert.equal((await command('trace', 'ann@to.test', '-c', file, '--node', 'n9')).code, 2);
});

test('postrider dkim sign signs as receivers verify, dkim verify says so, and of a changed message not', async (t) => {
  const { directory, zones, dns, key } = await world(t);
  zones[key.name] = { TXT: [key.text] };
  const at = (name: string): string => join(directory, name);
  writeFileSync(at('plain.eml'), 'From: a@example.com\nSubject: hi\n\nhellö\n');
  const name = ['--domain', DOMAIN, '--selector', 's1', '--key', at('s1.pem')];
  const signed = await command('dkim', 'sign', at('plain.eml'), ...name);
  assert.equal(signed.code, 0, signed.err);
  writeFileSync(at('signed.eml'), signed.out);
  const verified = await command('dkim', 'verify', at('signed.eml'), '--dns', dns);
  assert.equal(verified.code, 0, verified.out);
  assert.match(verified.out, /^pass s1\._domainkey\.example\.com \(rsa-sha256\)/);
  writeFileSync(at('changed.eml'), signed.out.replace('hellö', 'hallo'));
  const changed = await command('dkim', 'verify', at('changed.eml'), '--dns', dns);
  assert.equal(changed.code, 1);
  assert.match(changed.out, /^(fail|neutral) .*body hash/);
  const none = await command('dkim', 'verify', at('plain.eml'), '--dns', dns);
  assert.deepEqual([none.code, none.out], [1, 'the message has no DKIM signature\n']);
});

test('the reverse name of an address', () => {
  assert.equal(reverseName('192.0.2.10'), '10.2.0.192.in-addr.arpa');
  assert.equal(
    reverseName('2001:db8::a:1'),
    '1.0.0.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa',
  );
});
