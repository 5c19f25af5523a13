/** What the benchmark asks of an MTA under test. Failures are thrown as errors with a sentence for people. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { Workload } from './workloads.ts';

/** Where a contender lives during one run. */
export interface Place {
  /** An empty directory of its own, readable by everybody. */
  readonly dir: string;
  /** All mail goes to 127.0.0.1 and this port. */
  readonly receiverPort: number;
  /** RSA-2048 in PEM when the workload is to be signed. */
  readonly dkimKey: string | undefined;
}

export interface Running {
  readonly smtpPort: number;
  readonly controlSocket: string | undefined;
  /** Roots of its process trees. */
  readonly pids: readonly number[];
  /** Messages that are not done with. */
  queued(): Promise<number>;
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly version: string;
  /** Why it cannot do a workload; undefined when it can. */
  cannot(workload: Workload): string | undefined;
  start(place: Place): Promise<Running>;
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** True when an SMTP server greets on the port. */
export async function greets(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port, timeout: 2_000 });
  try {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    socket.end('QUIT\r\n');
    return chunk.toString('latin1').startsWith('220');
  } catch {
    return false; // nobody listens yet
  } finally {
    socket.destroySoon();
  }
}
