/**
 * A DNS server whose zones are a plain object, on UDP and TCP of one port: for tests, the demo and the bench. It
 * misbehaves on request (`behaviour`). It answers what it knows and never recurses.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import packet, { type Packet, type Question } from 'dns-packet';
import { answerFromZones, entryFor, type Zones } from './dns-zones.ts';

export interface DnsStubOptions {
  readonly zones: Zones;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Delay of entries with `behaviour: 'slow'`; 1,000 by default. */
  readonly slowMs?: number;
}

export interface DnsStub {
  /** `ip:port`, as a resolver takes it. */
  readonly address: string;
  readonly port: number;
  /** Questions received: all, or those of a name and type (`MX example.com`). */
  count(question?: string): number;
  /** Questions received over TCP. */
  tcpCount(): number;
  close(): Promise<void>;
}

interface Asked {
  readonly id: number;
  readonly question: Question;
}

const MAX_COUNTED_QUESTIONS = 10_000;
const BIND_ATTEMPTS = 5;

/** Starts the server; rejects when the port is taken. */
export async function startDnsStub(options: DnsStubOptions): Promise<DnsStub> {
  const stub = new StubServer(options);
  await stub.listen();
  return stub;
}

class StubServer implements DnsStub {
  readonly #zones: Zones;
  readonly #host: string;
  readonly #slowMs: number;
  readonly #counts = new Map<string, number>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #connections = new Set<Socket>();
  #tcp: Server | undefined;
  #udp: UdpSocket | undefined;
  #port: number;
  #total = 0;
  #overTcp = 0;

  constructor(options: DnsStubOptions) {
    this.#zones = options.zones;
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.#slowMs = options.slowMs ?? 1_000;
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return this.#host.includes(':') ? `[${this.#host}]:${this.#port}` : `${this.#host}:${this.#port}`;
  }

  count(question?: string): number {
    return question === undefined ? this.#total : (this.#counts.get(question) ?? 0);
  }

  tcpCount(): number {
    return this.#overTcp;
  }

  /** A port that is free for TCP may be taken for UDP: then try another one. */
  async listen(): Promise<void> {
    const wanted = this.#port;
    for (let attempt = 1; ; attempt++) {
      const tcp = createServer((socket) => this.#onConnection(socket));
      tcp.listen(wanted, this.#host);
      await once(tcp, 'listening');
      const { port } = tcp.address() as AddressInfo;
      const udp = createSocket(this.#host.includes(':') ? 'udp6' : 'udp4');
      try {
        udp.bind(port, this.#host);
        await once(udp, 'listening');
      } catch (error) {
        udp.close();
        tcp.close();
        if (wanted !== 0 || attempt === BIND_ATTEMPTS) throw error;
        continue;
      }
      udp.on('message', (message, peer) => {
        this.#onQuery(message, false, (reply) => this.#udp?.send(reply, peer.port, peer.address));
      });
      [this.#tcp, this.#udp, this.#port] = [tcp, udp, port];
      return;
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#connections) socket.destroy();
    const [tcp, udp] = [this.#tcp, this.#udp];
    if (!tcp || !udp) return;
    this.#tcp = this.#udp = undefined;
    const closed = Promise.all([once(tcp, 'close'), once(udp, 'close')]);
    tcp.close();
    udp.close();
    await closed;
  }

  #onConnection(socket: Socket): void {
    let received = Buffer.alloc(0);
    this.#connections.add(socket);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const message = received.subarray(2, 2 + received.readUInt16BE(0));
        received = received.subarray(2 + message.length);
        this.#onQuery(message, true, (reply) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        });
      }
    });
  }

  #onQuery(message: Buffer, overTcp: boolean, send: (reply: Buffer) => void): void {
    const asked = readQuery(message);
    if (!asked) return;
    this.#tally(asked.question, overTcp);
    const replies = this.#repliesTo(asked, overTcp);
    if (entryFor(this.#zones, asked.question.name)?.behaviour !== 'slow') {
      replies.forEach(send);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      replies.forEach(send);
    }, this.#slowMs);
    this.#timers.add(timer);
  }

  #tally(question: Question, overTcp: boolean): void {
    this.#total++;
    if (overTcp) this.#overTcp++;
    const key = `${question.type} ${question.name.toLowerCase()}`;
    if (this.#counts.size < MAX_COUNTED_QUESTIONS || this.#counts.has(key))
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  #repliesTo({ id, question }: Asked, overTcp: boolean): Buffer[] {
    const reply: Packet = { ...answerFromZones(this.#zones, question), id };
    const whole = packet.encode(reply);
    switch (entryFor(this.#zones, question.name)?.behaviour) {
      case 'drop':
        return [];
      case 'truncate':
        return [overTcp ? whole : cut(reply)];
      case 'garbage':
        return [rubbish(reply)];
      case 'spoof':
        return [...forgeries(reply), whole];
      case 'slow':
      case undefined:
        return [!overTcp && whole.length > 1232 ? cut(reply) : whole];
    }
  }
}

function readQuery(message: Buffer): Asked | undefined {
  try {
    const query = packet.decode(message);
    const question = query.questions?.[0];
    return question && query.id !== undefined ? { id: query.id, question } : undefined;
  } catch {
    return undefined; // not a DNS message: a server says nothing
  }
}

const cut = (reply: Packet): Buffer =>
  packet.encode({
    ...reply,
    flags: (reply.flags ?? 0) | packet.TRUNCATED_RESPONSE,
    answers: [],
    authorities: [],
  });

/** A header that announces answers, the question, and nothing that is an answer. */
function rubbish(reply: Packet): Buffer {
  const bytes = packet.encode({ ...reply, answers: [], authorities: [] });
  bytes.writeUInt16BE(3, 6);
  return Buffer.concat([bytes, Buffer.from([0xc0, 0xff, 0xee])]);
}

function forgeries(reply: Packet): Buffer[] {
  const forged = { name: reply.questions?.[0]?.name ?? '', type: 'A', ttl: 9, data: '203.0.113.66' } as const;
  const otherId = packet.encode({ ...reply, id: (reply.id ?? 0) ^ 1, answers: [forged], authorities: [] });
  const otherName = packet.encode({
    ...reply,
    questions: [{ name: 'other.invalid', type: reply.questions?.[0]?.type ?? 'A', class: 'IN' }],
    answers: [forged],
    authorities: [],
  });
  return [Buffer.alloc(3), otherId, otherName];
}
