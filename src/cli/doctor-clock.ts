/** The clock against a time server (SNTP, RFC 4330 §5): signatures, lifetimes and daily limits go by it. */
import { createSocket } from 'node:dgram';
import { bad, doubtful, type Finding, good } from './finding.ts';

const WAIT_MS = 5_000;
/** Receivers doubt a Date that is further off, and retries of two machines drift apart. */
const MOST_MS = 5_000;
/** From 1900 to 1970. */
const EPOCH_S = 2_208_988_800;
const NTP_PORT = 123;

export async function examineClock(server: string | undefined): Promise<Finding[]> {
  if (server === undefined) return [];
  const [, host = server, port] = /^(.+):(\d+)$/.exec(server) ?? [];
  const offset = await offsetTo(host, Number(port ?? NTP_PORT));
  if (typeof offset === 'string')
    return [doubtful('clock', `${server} gave no time: ${offset}`, 'name another time server with --ntp')];
  const text = `the clock differs by ${(Math.abs(offset) / 1000).toFixed(3)} s from that of ${server}`;
  return [
    Math.abs(offset) <= MOST_MS
      ? good('clock', text)
      : bad('clock', text, 'run a time daemon such as chrony or systemd-timesyncd'),
  ];
}

/** Milliseconds that this clock is ahead, or why that is not known. */
function offsetTo(host: string, port: number): Promise<number | string> {
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    const end = (result: number | string): void => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => end(`no answer in ${WAIT_MS / 1000} s`), WAIT_MS);
    const sent = Date.now();
    socket.once('error', (error) => end(error.message));
    socket.once('message', (answer) => {
      const received = Date.now();
      if (answer.length < 48) return end('this is no NTP');
      end((sent + received) / 2 - (timeAt(answer, 32) + timeAt(answer, 40)) / 2);
    });
    // Version 4, mode 3 (client).
    const question = Buffer.alloc(48);
    question[0] = 0x23;
    socket.send(question, port, host, (error) => error && end(error.message));
  });
}

const timeAt = (answer: Buffer, at: number): number =>
  (answer.readUInt32BE(at) - EPOCH_S) * 1000 + (answer.readUInt32BE(at + 4) * 1000) / 2 ** 32;
