/** A control server on a real Unix socket, over the real queue in memory, a scripted injector and a scripted sender side. */
import { mkdtemp, rm } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type ApiDependencies,
  type ControlServer,
  createControlServer,
  createMetrics,
  type Metrics,
} from '../../../src/api/index.ts';
import { err, messageIdOf, ok, parseAddress, type Result } from '../../../src/core/index.ts';
import type {
  Batch,
  BatchHeader,
  BatchLine,
  Injected,
  InjectionRefusal,
  Injector,
  InjectRequest,
  RejectedLine,
} from '../../../src/mta/ingress/index.ts';
import { audit, type NewDelivery, openMemoryKv, Queue } from '../../../src/queue/index.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { FakeEgress } from './fake-egress.ts';
import { previewOf, QUIET } from './quiet.ts';

const DAY_MS = 86_400_000;
/** Accepts into the queue what has an address; `unavailable`, `broken` and `gate` make it refuse, throw and wait. */
export class FakeInjector implements Injector {
  readonly #queue: Queue;
  readonly #clock: FakeClock;
  unavailable = false;
  broken: Error | undefined;
  /** Chunks wait for it before they are committed. */
  gate: Promise<void> = Promise.resolve();
  /** Without storing anything, for measurements. */
  discard = false;
  readonly requests: (Omit<InjectRequest, 'content'> | BatchHeader)[] = [];
  readonly lines: BatchLine[] = [];
  chunks = 0;
  underWay = 0;
  mostUnderWay = 0;
  opened = 0;
  closed = 0;

  constructor(queue: Queue, clock: FakeClock) {
    this.#queue = queue;
    this.#clock = clock;
  }

  inject(request: InjectRequest): Promise<Result<Injected, InjectionRefusal>> {
    return this.#accept(request, request.content);
  }

  compose(request: Parameters<Injector['compose']>[0]): Promise<Result<Injected, InjectionRefusal>> {
    return this.#accept(request, Buffer.from(JSON.stringify(request.parts)));
  }

  async openBatch(header: BatchHeader): Promise<Result<Batch, InjectionRefusal>> {
    this.requests.push(header);
    if (this.broken) throw this.broken;
    if (this.unavailable) return err(this.#refusal());
    const number = this.#queue.nextNumber();
    const { labels, from } = header;
    const message = this.#message(labels, from, 100);
    await this.#queue.accept({ number, message, content: Buffer.from('x'), deliveries: [], open: true });
    this.opened++;
    return ok({
      messageId: messageIdOf(number),
      resumed: false,
      add: (lines) => this.#add(number, lines),
      close: async () => {
        this.closed++;
        await this.#queue.accept({ number, deliveries: [], close: true });
      },
    });
  }

  async #add(number: number, lines: readonly BatchLine[]): Promise<readonly RejectedLine[]> {
    this.chunks++;
    this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay);
    await this.gate;
    this.underWay--;
    if (this.broken) throw this.broken;
    if (this.discard) return [];
    const deliveries: NewDelivery[] = [];
    const rejected: RejectedLine[] = [];
    for (const line of lines) {
      this.lines.push(line);
      if (parseAddress(line.to).ok) deliveries.push(this.#delivery(line.line - 1, line.to));
      else rejected.push({ line: line.line, field: 'to', message: 'an address has the form local@domain' });
    }
    await this.#queue.accept({ number, deliveries, close: false });
    return rejected;
  }

  async #accept(
    request: Omit<InjectRequest, 'content'>,
    content: Buffer,
  ): Promise<Result<Injected, InjectionRefusal>> {
    this.requests.push(Object.assign({ content }, request));
    if (this.broken) throw this.broken;
    if (this.unavailable) return err(this.#refusal());
    const number = this.#queue.nextNumber();
    const good = request.to.filter((to) => parseAddress(to).ok);
    const rejected = request.to.filter((to) => !parseAddress(to).ok);
    const deliveries = good.map((to, i) => this.#delivery(i + 1, to));
    if (good.length > 0) {
      const message = this.#message(request.labels, request.from, content.length);
      await this.#queue.accept({ number, message, content, deliveries });
    }
    const id = messageIdOf(number);
    return ok({
      messageId: id,
      deliveries: good.map((recipient, i) => ({
        id: `${id}.${i + 1}` as Injected['deliveries'][number]['id'],
        recipient,
      })),
      rejected: rejected.map((recipient) => ({ recipient, text: 'an address has the form local@domain' })),
    });
  }

  #message(labels: InjectRequest['labels'], from: string, bytes: number) {
    return {
      from,
      fromAddress: from,
      fromDomain: 'a.test',
      kind: 'raw',
      bytes,
      eightBit: false,
      smtpUtf8: false,
      dotLine: false,
      createdAt: this.#clock.now(),
      band: labels.band ?? 'standard',
      campaignId: labels.campaignId,
      accountId: labels.accountId,
      virtualSender: labels.virtualSender,
      metadata: labels.metadata,
    } as const;
  }

  #delivery(index: number, recipient: string): NewDelivery {
    const now = this.#clock.now();
    const record = { recipient, sender: 'main', node: 'n1', wakeAt: now, expiresAt: now + DAY_MS };
    return { index, record: { ...record, attempts: [] } };
  }

  #refusal(): InjectionRefusal {
    return { kind: 'unavailable', field: undefined, text: 'the queue is full', code: 452, enhanced: '4.3.1' };
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Lines of an NDJSON answer. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
}

export interface Fixture {
  readonly path: string;
  readonly clock: FakeClock;
  readonly queue: Queue;
  readonly injector: FakeInjector;
  readonly egress: FakeEgress;
  readonly metrics: Metrics;
  readonly server: ControlServer;
  readonly deps: ApiDependencies;
  /** Warnings and errors. */
  readonly logged: { readonly level: string; readonly text: string }[];
  /** All lines of the log. */
  readonly lines: { readonly details: object; readonly text: string }[];
  readonly state: { ready: boolean; reload: Awaited<ReturnType<ApiDependencies['reload']>> };
  readonly get: (path: string) => Promise<Answer>;
  readonly post: (path: string, body: unknown, type?: string) => Promise<Answer>;
  readonly open: (method: string, path: string, headers?: Readonly<Record<string, string>>) => ClientRequest;
}

/** Starts everything and takes it down when the test ends. */
export async function startControl(
  t: TestContext,
  overrides: Partial<Pick<ApiDependencies, 'maxMessageBytes' | 'heartbeatMs' | 'roomBytes'>> = {},
): Promise<Fixture> {
  const clock = createFakeClock();
  const watched: { metrics?: Metrics } = {};
  const { queue } = await Queue.open({
    kv: openMemoryKv(),
    clock,
    report: () => undefined,
    onCommit: (commit) => watched.metrics?.onCommit(commit),
  });
  queue.operations.start();
  const egress = new FakeEgress();
  const metrics = createMetrics({ queue, egress, clock, version: '1.2.3', durability: 'sync' });
  watched.metrics = metrics;
  const injector = new FakeInjector(queue, clock);
  const [logged, lines]: [Fixture['logged'], Fixture['lines']] = [[], []];
  const log = (level: string) => (details: object, text: string) => {
    lines.push({ details, text });
    if (level !== 'info') logged.push({ level, text });
  };
  const state: Fixture['state'] = {
    ready: true,
    reload: ok({ changed: ['nodes[n1]', 'workers'], needsRestart: ['workers'] }),
  };
  const deps: ApiDependencies = {
    queue,
    injector,
    egress,
    clock,
    metrics,
    status: () => ({
      version: '1.2.3',
      hostname: 'mta1.a.test',
      started: clock.now() - 5_000,
      durability: 'sync',
      ready: state.ready,
      notReady: state.ready ? [] : ['node n1 is down'],
      ...QUIET,
      dataDir: '/var/lib/postrider',
      configFile: '/etc/postrider.yaml',
    }),
    reload: () => Promise.resolve(state.reload),
    preview: previewOf,
    audit: (expected) => Promise.resolve(ok(audit(queue.state.kv, { expected }))),
    targets: () => ({
      nodes: ['n1', 'n2'],
      senders: [
        { name: 'promo', nodes: [{ node: 'n1', weight: 1 }] },
        { name: 'other', nodes: [{ node: 'n2', weight: 1 }] },
      ],
    }),
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    maxMessageBytes: 100_000,
    ...overrides,
  };
  const directory = await mkdtemp(join(tmpdir(), 'pr-api-'));
  const path = join(directory, 'control.sock');
  const server = createControlServer(deps);
  const listening = await server.listenSocket(path);
  if (!listening.ok) throw new Error(listening.error);
  t.after(async () => {
    await server.close();
    await queue.close();
    metrics.close();
    await rm(directory, { recursive: true });
  });
  const client = clientOf({ socketPath: path });
  return { path, clock, queue, injector, egress, metrics, server, deps, logged, lines, state, ...client };
}

type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export function clientOf(
  target: Target,
  common: Readonly<Record<string, string>> = {},
): Pick<Fixture, 'get' | 'post' | 'open'> {
  const open: Fixture['open'] = (method, path, headers = {}) =>
    request({ ...target, method, path, headers: { ...common, ...headers }, agent: false });
  return {
    open,
    get: (path) => finish(open('GET', path)),
    post: (path, body, type = 'application/json') => {
      const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      return finish(open('POST', path, { 'content-type': type }), text);
    },
  };
}

/** Sends what is left of a request and reads the whole answer. */
export async function finish(sent: ClientRequest, body?: string | Buffer): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', reject);
    sent.end(body);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const lines = String(response.headers['content-type']).includes('ndjson');
  const parse = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    json: String(response.headers['content-type']).includes('application/json') ? parse(text) : {},
    lines: lines
      ? text
          .split('\n')
          .filter((line) => line !== '')
          .map(parse)
      : [],
  };
}

/** The response's head, to read its body step by step. */
export const headOf = (sent: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    sent.once('response', resolve);
    sent.once('error', reject);
  });

/** Waits until `condition` holds, a turn of the event loop at a time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited too long until ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const MESSAGE = {
  envelope: { from: 'news@a.test', to: ['u1@gmail.com'] },
  content: 'From: news@a.test\nSubject: hi\n\nhello\n',
  campaign_id: 'c1',
  account_id: 'acme',
};
