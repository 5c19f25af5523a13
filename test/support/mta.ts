/**
 * The real program as a child process: `serve` in a directory of its own, with a configuration made from an object.
 * Nothing is polled blindly: the start waits for the log line and then asks the control socket, events are followed.
 *
 * `end` is the proof that belongs to every test: ended in order, no fault of our own in the log, the store passes the
 * audit, and the journal tells of each delivery exactly one end. Whatever a test forgets is killed and removed.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stringify } from 'yaml';
import type { StatusView } from '../../src/api/index.ts';
import { type Event, TERMINAL } from '../../src/core/index.ts';
import { DEFAULT_TIMEOUTS, openSession, type ClientSession } from '../../src/mta/smtp/index.ts';
import { openLmdbKv, openLmdbReader, STORE_FILE } from '../../src/queue/index.ts';
import { startSink } from '../../src/testbed/index.ts';
import { auditStore } from './audit.ts';
import { Talk } from './talk.ts';

export const BUILT = join(import.meta.dirname, '../../bin/postrider.mjs');
export const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
export const RUNNING = 'postrider is running';
/** Longer than anything takes on a busy machine: only a test that fails waits for it. */
const DEADLINE_MS = 60_000;

export type Settings = Readonly<Record<string, unknown>>;
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** The body, when it is one JSON value. */
  readonly body: unknown;
}
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [key: string]: unknown;
}
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}
export interface Call {
  readonly method?: string;
  readonly type?: string;
  readonly body?: string | Buffer;
}

let addresses = 0;
/** An address of 127.0.0.0/8 that no other test uses now, so that ports need no agreement. */
export const ownAddress = (): string =>
  `127.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}.${++addresses}`;

export async function freePort(host: string): Promise<number> {
  const probe = await startSink({ listen: [{ host, port: 0 }] });
  await probe.close();
  return probe.port;
}

/** A directory that goes with the test. */
export function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-mta-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export class Mta {
  /** What is run: the sources, or what was built of them (with POSTRIDER_BUILT=1 by all tests). */
  program = process.env['POSTRIDER_BUILT'] ? BUILT : MAIN;
  readonly dir: string;
  readonly smtp: { readonly host: string; readonly port: number };
  #child: ChildProcess | undefined;
  #stderr = '';
  #heard: () => void = () => undefined;
  #settings: Settings;
  /** More arguments of `serve`. */
  arguments: readonly string[] = [];

  private constructor(dir: string, smtp: Mta['smtp'], settings: Settings) {
    this.dir = dir;
    this.smtp = smtp;
    this.#settings = settings;
  }

  /** Writes the configuration; `start` runs it. */
  static async prepare(t: TestContext, settings: Settings = {}): Promise<Mta> {
    const host = ownAddress();
    const mta = new Mta(scratch(t), { host, port: await freePort(host) }, settings);
    t.after(() => mta.kill('SIGKILL'));
    mta.configure({});
    return mta;
  }

  static async start(t: TestContext, settings: Settings = {}): Promise<Mta> {
    const mta = await Mta.prepare(t, settings);
    await mta.start();
    return mta;
  }

  get configFile(): string {
    return join(this.dir, 'postrider.yaml');
  }

  get socket(): string {
    return join(this.dir, 'control.sock');
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  /** All that was logged since the last start. */
  get stderr(): string {
    return this.#stderr;
  }

  get log(): LogLine[] {
    const lines = this.#stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as LogLine);
  }

  /** Changes top-level keys of the configuration file; those of `smtp` are added to the address of this server. */
  configure(changes: Settings): void {
    this.#settings = { ...this.#settings, ...changes };
    const { smtp, ...rest } = this.#settings;
    const listen = [`${this.smtp.host}:${this.smtp.port}`];
    const base = {
      hostname: 'mta.test',
      data_dir: 'data',
      control: { socket: 'control.sock' },
      status: { listen: null },
      smtp: { listen, ...(smtp as object | undefined) },
      dns: { servers: ['127.0.0.1:9'], timeout: '500ms', allow_loopback_mx: true },
      nodes: [{ name: 'n1', address: '127.0.0.2', hostname: 'n1.test' }],
      senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'unlimited' } }],
    };
    writeFileSync(this.configFile, stringify({ ...base, ...rest }));
  }

  get ended(): boolean {
    return this.#child!.exitCode !== null || this.#child!.signalCode !== null;
  }

  /** Runs the program until it says that it runs and answers. */
  async start(): Promise<void> {
    this.launch();
    const running = await this.heard((line) => line.msg === RUNNING);
    assert.ok(running, `it did not start:\n${this.#stderr}`);
    assert.equal((await this.api('/v1/status')).status, 200);
  }

  /** Runs the program without waiting, for starts that must fail. */
  launch({
    env: more = {},
    ...options
  }: { readonly uid?: number; readonly env?: NodeJS.ProcessEnv } = {}): void {
    if (options.uid !== undefined) chownSync(this.dir, options.uid, options.uid);
    this.#stderr = '';
    const env = { ...process.env, NODE_OPTIONS: '', ...more };
    const args = [this.program, 'serve', '-c', this.configFile, ...this.arguments];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env, ...options });
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#heard();
    });
    child.once('close', () => this.#heard());
  }

  /** Waits for a line of the log; undefined when the program ends before, or after the deadline. */
  async heard(matches: (line: LogLine) => boolean): Promise<LogLine | undefined> {
    const found = (): LogLine | undefined => this.log.find(matches);
    const timeout = AbortSignal.timeout(DEADLINE_MS);
    while (!found() && !this.ended && !timeout.aborted)
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
        timeout.addEventListener('abort', () => resolve(), { once: true });
      });
    return found();
  }

  /** Resolves when the program has ended and all it wrote has come. */
  async exited(): Promise<Ended> {
    const child = this.#child!;
    if (child.stderr?.closed !== true) await once(child, 'close');
    return { code: child.exitCode, signal: child.signalCode };
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal);
  }

  /** Sends a signal, if it still runs, and waits for its end. */
  async kill(signal: NodeJS.Signals): Promise<Ended | undefined> {
    if (!this.#child) return undefined;
    this.#child.kill(signal);
    return this.exited();
  }

  async api(path: string, { method, type = 'application/json', body }: Call = {}): Promise<Answer> {
    const response = await this.#request(path, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      type,
      body,
    });
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += String(chunk);
    return { status: response.statusCode ?? 0, text, body: parse(text) };
  }

  async status(): Promise<StatusView> {
    return (await this.api('/v1/status')).body as StatusView;
  }

  /** The journal, or the part of it that a query selects. */
  async events(query = ''): Promise<Event[]> {
    const { status, text } = await this.api(`/v1/events?${query}`);
    assert.equal(status, 200, text);
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Event);
  }

  /** Follows the journal from its beginning, or behind `after`, until the condition holds; gives the events so far. */
  async until(
    condition: (events: readonly Event[]) => boolean,
    deadlineMs = DEADLINE_MS,
    after = 0,
  ): Promise<Event[]> {
    const response = await this.#request(`/v1/events?after=${after}&follow=true`, { method: 'GET' });
    const timer = setTimeout(() => response.destroy(new Error('deadline')), deadlineMs);
    const events: Event[] = [];
    let rest = '';
    try {
      for await (const chunk of response.setEncoding('utf8')) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop()!;
        for (const line of lines) if (line !== '') events.push(JSON.parse(line) as Event);
        if (condition(events)) return events;
      }
    } catch {
      // The deadline, or the program has ended: said below.
    } finally {
      clearTimeout(timer);
      response.destroy();
    }
    return assert.fail(`the condition did not come about; ${summary(events)}\n${this.#stderr.slice(-2000)}`);
  }

  /** Waits until so many deliveries have ended. */
  settled(count: number, deadlineMs = DEADLINE_MS): Promise<Event[]> {
    return this.until((events) => ends(events).length >= count, deadlineMs);
  }

  /** A raw connection to the injection port, from any loopback address. */
  async talk(localAddress = '127.0.0.1'): Promise<Talk> {
    const socket = connect({ ...this.smtp, localAddress, noDelay: true });
    const talk = new Talk(socket);
    await once(socket, 'connect');
    return talk;
  }

  /** A client session with the injection port. */
  async session(): Promise<ClientSession> {
    const { host, port } = this.smtp;
    const opened = await openSession({
      host: 'localhost',
      address: host,
      port,
      localAddress: '127.0.0.1',
      heloName: 'app.test',
      tls: 'none',
      timeouts: DEFAULT_TIMEOUTS,
    });
    return opened.ok ? opened.value : assert.fail(opened.error.text);
  }

  /** Ends it in order and checks what must always hold (see above); gives all events. */
  async end(): Promise<Event[]> {
    const events = await this.events();
    assert.deepEqual(await this.kill('SIGTERM'), { code: 0, signal: null }, this.#stderr);
    const faults = this.log.filter(({ err }) => err !== undefined);
    assert.deepEqual(faults, [], 'no exception was logged');
    await this.audit();
    oneEndEach(events);
    return events;
  }

  /** The store of a program that has ended fits together. */
  async audit(): Promise<void> {
    const kv = openLmdbKv({ dir: join(this.dir, 'data'), durability: 'sync' });
    const violations = auditStore(kv);
    await kv.close();
    assert.deepEqual(violations, []);
  }

  /** Commits that wrote events, of a program that has ended. */
  async groups(): Promise<number> {
    const kv = openLmdbReader(join(this.dir, 'data', STORE_FILE));
    const count = [...kv.range('journal', {})].length;
    await kv.close();
    return count;
  }

  #request(path: string, { method = 'GET', type, body }: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': type };
      const sent = request({ socketPath: this.socket, path, method, headers, agent: false }, resolve);
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

export const ends = (events: readonly Event[]): Event[] =>
  events.filter(({ type, corrects }) => TERMINAL.has(type) && corrects === undefined);
export const ofType = (events: readonly Event[], type: Event['type']): Event[] =>
  events.filter((event) => event.type === type);

/** No delivery ends twice, none ends without having been accepted, and the numbers of the events have no gap. */
export function oneEndEach(events: readonly Event[]): void {
  const accepted = new Set(ofType(events, 'accepted').map((event) => event.delivery_id));
  const ended = ends(events).map((event) => event.delivery_id);
  assert.equal(new Set(ended).size, ended.length, 'a delivery has ended twice');
  assert.ok(
    ended.every((id) => accepted.has(id)),
    'a delivery has ended that was never accepted',
  );
  assert.ok(
    events.every(({ seq }, i) => seq === events[0]!.seq + i),
    'the journal has a gap',
  );
}

function summary(events: readonly Event[]): string {
  const last = events.slice(-3).map((event) => JSON.stringify(event));
  return `${events.length} events, ${ends(events).length} ends, the last:\n${last.join('\n')}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
