/**
 * One question to one server: UDP on a fresh connected socket (the kernel picks a random source port and drops
 * datagrams of other senders, RFC 5452 §9), TCP when the answer is truncated (RFC 7766 §5). The rim of this folder:
 * callbacks stay here. A socket lives no longer than its deadline, so an answer that is late finds nobody.
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { dnsFailure, type DnsFailure } from './answer.ts';
import { formatServer, type DnsServer } from './servers.ts';
import { readMessage, type Reading, type WireQuery } from './wire.ts';

export interface Deadline {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export type Exchange = (server: DnsServer, query: WireQuery, deadline: Deadline) => Promise<Reading>;

interface Channel {
  /** Hands over what came back; only the first call counts. */
  readonly finish: (reading: Reading) => void;
  readonly fail: (error: Error) => void;
}

/** Runs `start` until it finishes, the deadline passes or the signal fires; then `stop`s it, always and once. */
function untilDeadline(
  server: DnsServer,
  deadline: Deadline,
  start: (channel: Channel) => () => void,
): Promise<Reading> {
  const name = formatServer(server);
  if (deadline.signal.aborted) return Promise.resolve(closedFailure(name));
  return new Promise((resolve) => {
    let settled = false;
    const finish = (reading: Reading): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      deadline.signal.removeEventListener('abort', onAbort);
      stop();
      resolve(reading);
    };
    const fail = (error: Error): void => finish(dnsFailure('network', error.message, name));
    const onAbort = (): void => finish(closedFailure(name));
    const onTimeout = (): void => finish(dnsFailure('timeout', `no answer from ${name}`, name));
    const timer = setTimeout(onTimeout, deadline.timeoutMs);
    deadline.signal.addEventListener('abort', onAbort);
    const stop = start({ finish, fail });
  });
}

const closedFailure = (server: string): DnsFailure =>
  dnsFailure('network', 'the resolver was closed', server);

/** Asks over UDP. `truncated` means: ask again over TCP. Foreign datagrams are ignored until the deadline. */
export const exchangeUdp: Exchange = (server, query, deadline) =>
  untilDeadline(server, deadline, ({ finish, fail }) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    socket.on('error', fail);
    socket.on('message', (message) => {
      const reading = readMessage(message, query, formatServer(server));
      if (reading.kind !== 'foreign') finish(reading);
    });
    let open = true;
    socket.connect(server.port, server.address, () => {
      if (open) socket.send(query.bytes, (error) => error && fail(error));
    });
    return () => {
      open = false;
      socket.close();
    };
  });

/** Asks over TCP; the message is preceded by its length in two octets (RFC 1035 §4.2.2). */
export const exchangeTcp: Exchange = (server, query, deadline) =>
  untilDeadline(server, deadline, ({ finish, fail }) => {
    const socket = connect({ host: server.address, port: server.port });
    const name = formatServer(server);
    let received = Buffer.alloc(0);
    socket.on('error', fail);
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.bytes.length);
      socket.write(Buffer.concat([length, query.bytes]));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      finish(readTcp(received.subarray(2, 2 + received.readUInt16BE(0)), query, name));
    });
    socket.on('close', () => fail(new Error(`${name} closed the connection`)));
    return () => socket.destroy();
  });

/** Over TCP there is nobody to ignore and nothing left to fall back to. */
function readTcp(message: Buffer, query: WireQuery, server: string): Reading {
  const reading = readMessage(message, query, server);
  if (reading.kind === 'foreign' || reading.kind === 'truncated')
    return dnsFailure('malformed', 'the DNS answer over TCP is not one to our question', server);
  return reading;
}
