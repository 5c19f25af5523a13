/**
 * A campaign through `postrider/client` while things are killed: the server with SIGKILL after a third of the
 * recipients, the client with SIGKILL after two thirds; another client sends the same campaign again under the same
 * idempotency key. Each recipient must then be accepted exactly once.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Postrider } from '../../src/client/index.ts';
import { startProgram, waitUntil } from '../child.ts';
import { freePort, type Running } from '../contender.ts';
import { postrider } from '../postrider.ts';
import { watchMemory } from '../process-tree.ts';
import type { Sent } from './campaign-client.ts';

export interface Campaign {
  readonly size: number;
  /** From the first line to the end, restarts of server and client included. */
  readonly seconds: number;
  /** From the kill of the server until it listens again, and until it has taken another line. */
  readonly listensMs: number;
  readonly restartMs: number;
  /** Recipients that the second client found accepted already. */
  readonly known: number;
  /** Anonymous memory of the second client: after a tenth, and its peak; and of the server. */
  readonly earlyBytes: number;
  readonly peakBytes: number;
  /** Its heap after a collection, at its first look and near the end. */
  readonly earlyLiveBytes: number;
  readonly lateLiveBytes: number;
  readonly serverPeakBytes: number;
}

export const CLIENT = fileURLToPath(new URL('./campaign-client.ts', import.meta.url));
const LOOK_MS = 50;
const DEADLINE_MS = 600_000;

export async function measureCampaign(
  parent: string,
  size: number,
  say: (text: string) => void,
): Promise<Campaign> {
  const dir = join(parent, `campaign-${size}`);
  mkdirSync(dir);
  const receiverPort = await freePort(); // nobody listens: the mail stays
  const start = (): Promise<Running> => postrider().start({ dir, receiverPort, dkimKey: undefined });
  const log = join(dir, 'client.log');
  const serverLog = join(dir, 'log');
  const send = (mta: Running): ChildProcess =>
    startProgram(process.execPath, [CLIENT, mta.controlSocket!, 'campaign', String(size)], log);
  let mta = await start();
  try {
    const begun = performance.now();
    const first = send(mta);
    await reached(mta, size / 3, first);
    kill(mta.pids[0]!);
    const killed = performance.now();
    mta = await start();
    const listensMs = performance.now() - killed;
    const left = Number(lastSaid(serverLog, 'queue opened')!['queued']);
    await reached(mta, left + 1, first);
    const restartMs = performance.now() - killed;
    say(`the server was killed with ${left} accepted, goes on after ${Math.round(restartMs)} ms`);
    await reached(mta, (size * 2) / 3, first);
    first.kill('SIGKILL');
    await once(first, 'exit');
    const endWatch = watchMemory(mta.pids);
    // What had come before the kill is still being committed.
    await waitUntil(
      () => lastSaid(serverLog, 'a batch connection broke') !== undefined,
      'the server does not notice that the client has gone',
      { deadlineMs: DEADLINE_MS },
    );
    const known = await mta.queued();
    const second = send(mta);
    const ended = once(second, 'exit');
    say(`the client was killed with ${known} accepted`);
    const [code] = (await ended) as [number | null];
    const seconds = (performance.now() - begun) / 1000;
    const said = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1) ?? '';
    if (code !== 0) throw new Error(`the client ended with ${code}: ${said}`);
    const { accepted, rejected, ...client } = JSON.parse(said) as Sent;
    if (accepted !== size || rejected !== 0)
      throw new Error(`${accepted} were accepted and ${rejected} rejected, not ${size} and 0`);
    await eachOnce(mta, size);
    return {
      size,
      seconds,
      listensMs,
      restartMs,
      known,
      ...client,
      serverPeakBytes: endWatch().rssAnonBytes,
    };
  } finally {
    await mta.stop();
  }
}

const kill = (pid: number): boolean => process.kill(pid, 'SIGKILL');

/** The newest line of a server's log with this text. */
const lastSaid = (log: string, msg: string): Readonly<Record<string, unknown>> | undefined =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"msg":"${msg}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .at(-1);

/** Waits until so many are queued. Throws when the client ends before. */
async function reached(mta: Running, count: number, client: ChildProcess): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  while ((await mta.queued()) < count) {
    if (client.exitCode !== null) throw new Error(`the client has ended, with ${await mta.queued()} queued`);
    if (performance.now() > until) throw new Error(`${count} are not queued in time`);
    await delay(LOOK_MS);
  }
}

/** Reads all that was accepted: one event for each recipient. */
async function eachOnce(mta: Running, size: number): Promise<void> {
  const client = new Postrider({ socketPath: mta.controlSocket! });
  const seen = new Uint8Array(size + 1);
  let events = 0;
  for await (const { recipient } of client.events({ after: 0, types: ['accepted'] })) {
    const index = Number(/^user(\d+)@/.exec(recipient ?? '')?.[1]);
    if (!(index >= 1 && index <= size)) throw new Error(`${recipient} was not among the recipients`);
    if (seen[index]! > 0) throw new Error(`${recipient} was accepted twice`);
    seen[index] = 1;
    events++;
  }
  const { counters } = await client.status();
  client.close();
  if (events !== size || counters.accepted !== size || counters.queued !== size)
    throw new Error(
      `${events} events, ${counters.accepted} accepted, ${counters.queued} queued, not ${size}`,
    );
}
