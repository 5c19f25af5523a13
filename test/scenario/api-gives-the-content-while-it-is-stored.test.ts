import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { composeContent, encodeCampaign } from '../../src/mta/message/index.ts';
import { run } from '../../src/cli/program.ts';
import { messageIdOf } from '../../src/core/index.ts';
import { Postrider, PostriderError } from '../../src/client/index.ts';
import { createControlServer } from '../../src/api/index.ts';
import type { Table } from '../../src/queue/index.ts';
import { clientOf, type Fixture, MESSAGE, startControl } from '../unit/api/control-fixture.ts';
import { createPaper } from '../unit/cli/paper.ts';

async function inject({ post }: Fixture, body: object = {}): Promise<string> {
  const { json, status, text } = await post('/v1/messages', { ...MESSAGE, ...body });
  assert.equal(status, 202, text);
  return String(json['message_id']);
}

/** A campaign to two, the second with the From of a virtual sender's rule. */
async function campaign({ queue, clock }: Fixture): Promise<string> {
  const parts = { from: 'News <news@a.test>', subject: 'For {{name}}', html: '<p>{{name}}</p>' };
  const now = clock.now();
  const composed = composeContent(parts, { now, hostname: 'mta1.a.test', unique: 'u1' });
  assert.ok(composed.ok);
  const content = encodeCampaign(composed.value);
  const number = queue.nextNumber();
  const facts = { from: '', fromAddress: 'news@a.test', fromDomain: 'a.test', kind: 'campaign' } as const;
  const flags = { eightBit: false, smtpUtf8: false, dotLine: false, band: 'standard' } as const;
  const base = { sender: 'main', node: 'n1', wakeAt: now, expiresAt: now + 1e6, attempts: [] };
  await queue.accept({
    number,
    message: { ...facts, ...flags, bytes: content.length, createdAt: now },
    content,
    deliveries: [
      { index: 1, record: { ...base, recipient: 'u1@x.test', vars: { name: 'A & B' } } },
      {
        index: 2,
        record: { ...base, recipient: 'u2@x.test', vars: {}, override: { fromEmail: 'other@b.test' } },
      },
    ],
  });
  return messageIdOf(number);
}

describe('the content', () => {
  test('that is not there any more is a refusal for the client', async (t) => {
    const control = await startControl(t);
    const client = new Postrider({ socketPath: control.path });
    await assert.rejects(client.content('0p1gwy3x000.7'), (error: unknown) => {
      assert.ok(error instanceof PostriderError);
      return error.status === 404 && error.code === 'not_found';
    });
    client.close();
  });

  test('of a message and its delivery is what was accepted, byte by byte', async (t) => {
    const control = await startControl(t);
    const raw = Buffer.concat([Buffer.from(MESSAGE.content), Buffer.from([0xe4, 0xff, 13, 10])]);
    const id = await inject(control, { content: raw.toString('base64'), content_encoding: 'base64' });
    for (const [path, name] of [
      [`/v1/messages/${id}/content`, id],
      [`/v1/deliveries/${id}.1/content`, `${id}.1`],
    ] as const) {
      assert.equal((await control.get(path)).headers['content-type'], 'message/rfc822');
      const written: Buffer[] = [];
      const paper = createPaper({ env: { POSTRIDER_SOCKET: control.path } });
      const io = {
        ...paper,
        out: (data: string | Buffer) => Promise.resolve(void written.push(Buffer.from(data))),
      };
      assert.equal(await run(['message', 'show', name, '--content'], io), 0);
      assert.deepEqual(Buffer.concat(written), raw, path);
      const client = new Postrider({ socketPath: control.path });
      assert.deepEqual(await client.content(name), raw);
      client.close();
    }
  });

  test('of a campaign is that of a recipient', async (t) => {
    const control = await startControl(t);
    const id = await campaign(control);
    const one = await control.get(`/v1/deliveries/${id}.1/content`);
    assert.equal(one.status, 200, one.text);
    assert.match(one.text, /^Subject: For A & B\r$/m);
    assert.match(one.text, /<p>A &amp; B<\/p>/);
    assert.match((await control.get(`/v1/deliveries/${id}.2/content`)).text, /^From: .*other@b\.test/m);
    const whole = await control.get(`/v1/messages/${id}/content`);
    assert.equal(whole.status, 404);
    assert.match(whole.text, new RegExp(`a content for each recipient: .* ${id}\\.1`));
  });

  test('is gone with the last delivery, and damaged content is not given', async (t) => {
    const control = await startControl(t);
    control.queue.operations.start();
    const id = await inject(control);
    assert.equal((await control.get(`/v1/deliveries/${id}.1/content`)).status, 200);
    await control.post('/v1/queue/purge', { all: true });
    for (const path of [`/v1/messages/${id}/content`, `/v1/deliveries/${id}.1/content`]) {
      const { status, text } = await control.get(path);
      assert.deepEqual([status, /is gone: no delivery needs it/.test(text)], [404, true], text);
    }
    const paper = createPaper({ env: { POSTRIDER_SOCKET: control.path } });
    assert.equal(await run(['message', 'show', id, '--content'], paper), 1);
    assert.match(paper.printed.err, /is gone/);
    const second = await inject(control);
    const { kv } = control.queue.state;
    const get = kv.get.bind(kv);
    t.mock.method(kv, 'get', (table: Table, key: Buffer) =>
      table === 'contents' ? Buffer.from('not what was stored') : get(table, key),
    );
    const damaged = await control.get(`/v1/messages/${second}/content`);
    assert.deepEqual([damaged.status, /is damaged in the store/.test(damaged.text)], [404, true]);
  });

  test('is only for whose mail it is', async (t) => {
    const control = await startControl(t);
    const tokens = (['acme', 'bolt'] as const).map((name) => ({
      name,
      secret: name,
      scopes: ['read'] as const,
      accounts: [name],
      senders: [],
      rate: null,
    }));
    const server = createControlServer(control.deps, tokens);
    t.after(() => server.close());
    const path = `${control.path}2`;
    assert.ok((await server.listenSocket(path)).ok);
    const id = await inject(control);
    for (const target of [`/v1/messages/${id}/content`, `/v1/deliveries/${id}.1/content`]) {
      const as = (token: string) =>
        clientOf({ socketPath: path }, { authorization: `Bearer ${token}` }).get(target);
      assert.deepEqual([(await as('acme')).status, (await as('bolt')).status], [200, 404], target);
    }
  });
});
