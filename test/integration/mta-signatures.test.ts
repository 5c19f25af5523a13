/**
 * Signatures of mail that went through the whole program, as a receiver stored it, before three verifiers that share
 * no code with us. RSA and Ed25519 side by side; over SMTP, as a campaign, and re-coded for a receiver without 8BITMIME.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { generateKeyPem, loadKey, publicRecord } from '../../src/mta/dkim/index.ts';
import { Mta, scratch } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';
import {
  dkimpy,
  hasDkimpy,
  hasOpendkim,
  mailauth,
  opendkim,
  type Records,
} from '../support/mta-verifiers.ts';
import { oddMessages } from '../unit/dkim/odd-messages.ts';

const DOMAIN = 'example.com';
const FROM = `ann@${DOMAIN}`;
const ALGORITHMS = ['rsa-sha256', 'ed25519-sha256'] as const;

const WAY_OUT = ['list-unsubscribe', 'list-unsubscribe-post'] as const;

/** The names in h= of each of our signatures. */
const signedNames = (message: Buffer): string[][] =>
  [...message.toString('latin1').matchAll(/^DKIM-Signature:[^;]*;.*?\bh=([^;]*);/gims)].map(([, names]) =>
    names!.replaceAll(/\s/g, '').toLowerCase().split(':'),
  );

/** Makes the keys; their files lie where the configuration looks for them. */
function makeKeys(dir: string): Records {
  const records = new Map<string, string>();
  for (const algorithm of ALGORITHMS) {
    const pem = generateKeyPem(algorithm);
    writeFileSync(join(dir, `${algorithm}.pem`), pem, { mode: 0o600 });
    const key = loadKey(pem, { domain: DOMAIN, selector: algorithm.slice(0, 3) });
    assert.ok(key.ok);
    const { name, text } = publicRecord(key.value);
    records.set(name, text);
  }
  return records;
}

/** Sends all odd messages and a campaign; gives what the receivers dumped, and the records to verify it with. */
async function throughTheProgram(
  t: TestContext,
): Promise<{ received: Buffer[]; records: Records; dir: string }> {
  const dir = scratch(t);
  const dumps = ['full', 'seven'].map((name) => join(dir, name));
  for (const dump of dumps) mkdirSync(dump);
  const full = await receiver(t, { dump: dumps[0]! });
  const seven = await receiver(t, {
    dump: dumps[1]!,
    capabilities: { eightBitMime: false, chunking: false, smtpUtf8: false },
  });
  const mta = await Mta.prepare(t, {
    routes: [routeTo(seven, 'seven.test'), routeTo(full)],
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        return_path_domain: 'bounce.example.com',
        list_unsubscribe: { mailto: true, url: 'https://u.example.com/{token}' },
        dkim: ALGORITHMS.map((name) => ({
          domain: DOMAIN,
          selector: name.slice(0, 3),
          key_file: `${name}.pem`,
        })),
      },
    ],
  });
  const records = makeKeys(mta.dir);
  await mta.start();
  const session = await mta.session();
  let sent = 0;
  for (const [name, content] of Object.entries(oddMessages)) {
    // A header of eight bits cannot be re-coded, so it has no way to a receiver without SMTPUTF8.
    const recipients = name === '8-bit header' ? ['a@full.test'] : ['a@full.test', 'a@seven.test'];
    const { recipients: outcomes } = await session.send({
      from: FROM,
      recipients,
      content: [content],
      bytes: content.length,
      dotLine: true,
      eightBit: true,
      smtpUtf8: name === '8-bit header',
    });
    assert.ok(
      outcomes.every(({ ok }) => ok),
      name,
    );
    sent += recipients.length;
  }
  await session.quit();
  const parts = {
    from: `Ann <${FROM}>`,
    subject: 'Hello {{name}}',
    html: '<p>Grüße, {{name}}!</p>',
    text: '.\nGrüße, {{name}}!',
  };
  const lines = [
    { from: FROM, parts },
    ...['José', 'Галина', 'Bob'].map((name, i) => ({ to: `c${i}@full.test`, vars: { name } })),
  ];
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body });
  sent += 3;
  await mta.settled(sent, 60_000);
  await mta.end();
  const files = dumps.flatMap((dump) => readdirSync(dump).map((name) => join(dump, name)));
  const received = files.filter((name) => name.endsWith('.eml')).map((name) => readFileSync(name));
  assert.equal(received.length, sent, 'all of it was received');
  return { received, records, dir };
}

/** Skips with a reason, except in CI, where a missing program is a failure. */
function available(t: TestContext, what: string, there: boolean): boolean {
  if (there) return true;
  assert.ok(!process.env['CI'], `${what} is needed in CI`);
  t.skip(`${what} is not installed`);
  return false;
}

test('mail signed twice verifies as received', { timeout: 120_000 }, async (t) => {
  const { received, records, dir } = await throughTheProgram(t);
  const expected = received.map(() => ['pass', 'pass']);

  await t.test('by mailauth', async () => {
    const verdicts = await Promise.all(received.map((message) => mailauth(message, records)));
    assert.deepEqual(verdicts, expected);
  });
  await t.test('by opendkim', (inner) => {
    if (!available(inner, 'opendkim', hasOpendkim())) return;
    for (const message of received)
      assert.deepEqual(
        opendkim(message, records, dir),
        ALGORITHMS.map((name) => `${name} pass`),
        message.toString('latin1', 0, 3000),
      );
  });
  await t.test('by dkimpy', (inner) => {
    if (!available(inner, 'python3-dkim', hasDkimpy())) return;
    assert.deepEqual(
      dkimpy(received, records),
      received.map(() => [true, true]),
    );
  });
  await t.test('with the way out in each of them (RFC 8058 §4)', (inner) => {
    for (const message of received) {
      const lists = signedNames(message);
      assert.equal(lists.length, ALGORITHMS.length);
      for (const names of lists)
        for (const name of WAY_OUT) assert.ok(names.includes(name), `${name} in ${names.join(':')}`);
    }
    if (!available(inner, 'python3-dkim', hasDkimpy())) return;
    const text = received[0]!.toString('latin1');
    const changed = WAY_OUT.map((name) => text.replace(new RegExp(`^${name}: `, 'im'), '$&x'));
    const verdicts = dkimpy(
      changed.map((message) => Buffer.from(message, 'latin1')),
      records,
    );
    assert.ok(
      verdicts.flat().every((verdict) => verdict !== true),
      JSON.stringify(verdicts),
    );
  });
  await t.test('and does not once it is changed', async () => {
    const changed = Buffer.from(
      received[0]!.toString('latin1').replace(/^Subject: /m, 'Subject: x'),
      'latin1',
    );
    const [first, second] = await mailauth(changed, records);
    assert.match(`${first} ${second}`, /^fail.* fail/);
  });
});
