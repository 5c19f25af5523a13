/**
 * Two tokens of one server, each bound to its own senders, accounts or both. One of them asks every call that the
 * OpenAPI document has, with all it may know of the other: ids, names, addresses. It must not be told anything more, and
 * the other must find all as it was.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Answer, freePort, Mta, ownAddress } from '../support/mta.ts';

/** What only Bob knows; nothing that Ann sends has it in it. */
const SECRET = 'hidden';
const NDJSON = 'application/x-ndjson';

interface Bounds {
  readonly senders?: readonly string[];
  readonly accounts?: readonly string[];
}

interface Caller {
  readonly account: string;
  readonly sender: string;
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Answer>;
}

const KINDS: readonly (readonly [string, (name: 'ann' | 'bob') => Bounds])[] = [
  ['senders', (name) => ({ senders: [SENDERS[name]] })],
  ['accounts', (name) => ({ accounts: [ACCOUNTS[name]] })],
  ['both', (name) => ({ senders: [SENDERS[name]], accounts: [ACCOUNTS[name]] })],
];
const SENDERS = { ann: 'alpha', bob: 'beta' } as const;
const ACCOUNTS = { ann: 'acme', bob: 'bolt' } as const;

async function world(t: TestContext, boundsOf: (name: 'ann' | 'bob') => Bounds) {
  const host = ownAddress();
  const listen = { host, port: await freePort(host) };
  const token = (name: 'ann' | 'bob'): object => ({
    name,
    secret_file: `${name}.token`,
    scopes: ['inject', 'read', 'operate', 'admin'],
    ...boundsOf(name),
  });
  const node = (name: string, last: number): object => ({
    name,
    address: `192.0.2.${last}`,
    hostname: `${name}.test`,
  });
  const mta = await Mta.prepare(t, {
    control: {
      socket: 'control.sock',
      listen: `${listen.host}:${listen.port}`,
      tokens: [token('ann'), token('bob')],
    },
    nodes: [node('n1', 1), node('n2', 2)],
    senders: [
      { name: 'alpha', nodes: [{ node: 'n1' }] },
      { name: 'beta', nodes: [{ node: 'n2' }] },
    ],
  });
  for (const name of ['ann', 'bob'] as const)
    writeFileSync(join(mta.dir, `${name}.token`), `secret-of-${name}\n`, { mode: 0o600 });
  await mta.start();
  const caller = (name: 'ann' | 'bob'): Caller => ({
    account: ACCOUNTS[name],
    sender: SENDERS[name],
    ask: (method, path, body) => ask(listen, `secret-of-${name}`, { method, path, body }),
  });
  return { mta, ann: caller('ann'), bob: caller('bob') };
}

type Asked = { readonly method: string; readonly path: string; readonly body: unknown };

function ask(
  at: { readonly host: string; readonly port: number },
  secret: string,
  { method, path, body }: Asked,
): Promise<Answer> {
  const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
  const type = typeof body === 'string' ? NDJSON : 'application/json';
  const headers = { authorization: `Bearer ${secret}`, ...(text !== undefined && { 'content-type': type }) };
  return new Promise((resolve, reject) => {
    const sent = request({ ...at, method, path, headers, agent: false }, (response) => {
      let answer = '';
      response
        .setEncoding('utf8')
        .on('data', (part: string) => (answer += part))
        .once('end', () => resolve({ status: response.statusCode ?? 0, text: answer, body: parsed(answer) }))
        .once('error', reject);
    });
    sent.once('error', reject);
    sent.end(text);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What both have: mail one by one and in a batch, a job, a mark, and, where it may, limits and the stop list. */
async function fill({ ask: send, account, sender }: Caller, word: string): Promise<Known> {
  // Nothing of it is due as long as the test lasts.
  const labels = {
    account_id: account,
    sender,
    campaign_id: `${sender}-campaign`,
    group: word,
    not_before: '12h',
  };
  const parts = { from: 'a@a.test', subject: word, text: word };
  const [known, unknown] = [`known@${sender}.test`, `${word}@${sender}.test`];
  const taken = await send('POST', '/v1/messages', {
    envelope: { from: 'a@a.test', to: [known, unknown] },
    parts,
    ...labels,
    metadata: { word },
    idempotency_key: `${sender}-key`,
  });
  assert.equal(taken.status, 202, taken.text);
  const header = { from: 'a@a.test', parts, ...labels, idempotency_key: `${sender}-batch` };
  const lines = [header, { to: known, metadata: { word } }, { to: unknown }];
  const batch = await send('POST', '/v1/batches', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  assert.equal(batch.status, 200, batch.text);
  const held = await send('POST', '/v1/queue/hold', { account_id: account, sender, campaign_id: 'other' });
  assert.equal(held.status, 202, held.text);
  const stop = { entries: [{ address: `gone@${sender}.test`, account_id: account, reason: word }] };
  await send('POST', '/v1/stop-list', stop);
  await send('POST', `/v1/campaigns/${labels.campaign_id}/limits`, { account_id: account, per_start: 1000 });
  const { message_id: message } = taken.body as { message_id: string };
  const { message_id: ofBatch } = parsed(batch.text.trim().split('\n').at(-1)!) as { message_id: string };
  const { job } = held.body as { job: string };
  const ids = [message, ofBatch, `${message}.1`, `${ofBatch}.2`, job, labels.campaign_id];
  return { ids, account, sender, campaign: labels.campaign_id, recipient: known, key: `${sender}-key` };
}

interface Known {
  readonly ids: readonly string[];
  readonly account: string;
  readonly sender: string;
  readonly campaign: string;
  readonly recipient: string;
  readonly key: string;
}

interface Described {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: 'path' | 'query';
    readonly example?: string | number;
    readonly schema: {
      readonly enum?: readonly string[];
      readonly items?: { readonly enum?: readonly string[] };
    };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
}
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>> };

/** Every request that one who knows those things can think of, for one call. */
function* requests(method: string, path: string, described: Described, known: Known): Generator<Asked> {
  const { parameters = [], requestBody } = described;
  const example = Object.values(requestBody?.content ?? {})[0]?.example;
  const bodies = requestBody
    ? [...bodiesWith(known), ...(example === undefined ? [] : [example])]
    : [undefined];
  for (const target of targets(path, known))
    for (const query of queries(parameters, known))
      for (const body of bodies) yield { method: method.toUpperCase(), path: target + query, body };
}

function targets(path: string, known: Known): string[] {
  if (path.includes('{id}')) return known.ids.map((id) => path.replace('{id}', encodeURIComponent(id)));
  return path.includes('{name}') ? ['n1', 'n2'].map((name) => path.replace('{name}', name)) : [path];
}

function queries(parameters: NonNullable<Described['parameters']>, known: Known): string[] {
  const values: Readonly<Record<string, readonly string[]>> = {
    recipient: [known.recipient],
    campaign_id: [known.campaign],
    account_id: [known.account],
    sender: [known.sender],
    delivery_id: known.ids.filter((id) => id.includes('.')),
    cursor: known.ids.filter((id) => id.includes('.')),
    after: ['0'],
    limit: ['1000'],
    group_by: ['account', 'campaign', 'isp', 'sender', 'node', 'domain'],
  };
  const all = parameters
    .filter((one) => one.in === 'query' && one.name !== 'follow')
    .flatMap(({ name, schema, example }) =>
      (
        values[name] ??
        schema.enum ??
        schema.items?.enum ??
        (example === undefined ? [] : [String(example)])
      ).map((value) => `?${name}=${encodeURIComponent(value)}`),
    );
  return ['', ...all];
}

function* bodiesWith({ account, sender, campaign, recipient, ids, key }: Known): Generator<unknown> {
  const selectors = [
    { all: true },
    { account_id: account },
    { sender },
    { account_id: account, sender },
    { campaign_id: campaign },
    { recipient },
    { domain: `${sender}.test` },
    { node: 'n2' },
    { isp: 'other' },
    { older_than: '0s' },
  ];
  const targetsOf = [undefined, { node: 'n2' }, { sender }, { band: 'priority' }];
  for (const selector of selectors)
    for (const target of targetsOf)
      for (const dry_run of [true, undefined]) {
        yield { selector, ...(target && { target }), ...(dry_run && { dry_run }) };
        yield { ...selector, ...(target && { target }), ...(dry_run && { dry_run }) };
      }
  for (const own of [{}, { account_id: account }]) {
    yield {
      entries: [
        { address: recipient, ...own },
        { domain: `${sender}.test`, ...own },
      ],
    };
    yield { ...own, per_start: 1 };
    yield { ...own };
  }
  yield { delivery_ids: ids.filter((id) => id.includes('.')) };
  const envelope = { from: 'a@a.test', to: [recipient] };
  for (const labels of [
    { account_id: account },
    { sender },
    { account_id: account, sender },
    { virtual_sender: sender },
  ])
    yield { envelope, content: 'Subject: x\n\nx', ...labels, idempotency_key: key };
}

/** All that Bob is told of his own. */
async function viewOf({ ask: see }: Caller, { ids, recipient, account, campaign }: Known): Promise<unknown> {
  const paths = [
    ...ids.slice(0, 2).map((id) => `/v1/messages/${id}`),
    ...ids.slice(2, 4).map((id) => `/v1/deliveries/${id}`),
    `/v1/messages/${ids[0]!}/content`,
    `/v1/deliveries/${ids[3]!}/content`,
    `/v1/deliveries?recipient=${recipient}`,
    `/v1/events?after=0&campaign_id=${campaign}`,
    `/v1/stop-list?account_id=${account}`,
  ];
  const seen: unknown[] = [];
  for (const path of paths) {
    const { status, body, text } = await see('GET', path);
    seen.push([path, status, body ?? text]);
  }
  // The list of jobs has the latest of all callers only; what one of them did stands.
  const { marks } = (await see('GET', '/v1/queue')).body as { marks: unknown };
  return [...seen, marks];
}

for (const [kind, boundsOf] of KINDS)
  test(`every call, with tokens that are bound to ${kind}`, async (t) => {
    const { mta, ann, bob } = await world(t, boundsOf);
    await fill(ann, 'mine');
    const known = await fill(bob, SECRET);
    const before = await viewOf(bob, known);
    const own = deliveriesOf((await ann.ask('GET', '/v1/deliveries')).body);
    assert.deepEqual([own.length, own.every(({ sender }) => sender === 'alpha')], [4, true]);

    const { paths } = (await ann.ask('GET', '/v1/openapi.json')).body as Document;
    let asked = 0;
    for (const [path, methods] of Object.entries(paths))
      for (const [method, described] of Object.entries(methods))
        for (const one of requests(method, path, described, known)) {
          const answer = await ann.ask(one.method, one.path, one.body);
          asked++;
          const what = `${one.method} ${one.path} ${JSON.stringify(one.body)}: ${answer.status} ${answer.text}`;
          assert.ok(answer.status < 500, what);
          assert.ok(!answer.text.includes(SECRET), what);
          if (answer.status >= 300 || one.method === 'POST') continue;
          for (const delivery of deliveriesOf(answer.body)) assert.equal(delivery.sender, 'alpha', what);
        }
    t.diagnostic(`${asked} requests`);
    assert.ok(asked > 1_000);
    assert.deepEqual(await viewOf(bob, known), before);

    // Whatever came of Ann's mail, it is where her sender may send it from.
    const { deliveries } = (await mta.api('/v1/deliveries?limit=1000')).body as { deliveries: Delivered[] };
    for (const { sender, node, id } of deliveries)
      if (kind !== 'accounts') assert.equal(node, { alpha: 'n1', beta: 'n2' }[sender], id);
    await mta.end();
  });

interface Delivered {
  readonly id: string;
  readonly sender: 'alpha' | 'beta';
  readonly node: string;
}

const deliveriesOf = (body: unknown): readonly Delivered[] =>
  (body as { deliveries?: readonly Delivered[] } | undefined)?.deliveries ?? [];
