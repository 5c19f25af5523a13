/**
 * One question to the configured servers, without a cache. Each server gets `attempts` tries, in rounds; a try gets
 * an equal share of the time that is left. A timeout or network error goes on to the next server and puts the silent
 * one last for a while; SERVFAIL, REFUSED and unreadable answers also go on, but that server is not asked again.
 * The deadline starts when the question leaves the gate: waiting for our own limits is nobody's failure.
 */
import { randomInt } from 'node:crypto';
import type { Clock } from '../../core/index.ts';
import { dnsFailure, type AnyAnswer, type DnsFailure, type Question } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { Gate } from './gate.ts';
import { formatServer, type DnsServer } from './servers.ts';
import { encodeQuery, isQueryName, type Reading } from './wire.ts';

export type Lookup = (question: Question) => Promise<AnyAnswer>;

export interface LookupOptions {
  readonly servers: readonly DnsServer[];
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly clock: Clock;
  readonly maxOutstanding: number;
  readonly maxWaiting: number;
  readonly signal: AbortSignal;
  readonly udp: Exchange;
  readonly tcp: Exchange;
}

/** How long a server that did not answer is asked last. */
const SILENT_MS = 10_000;
/** Questions asked for the targets of CNAMEs that the server left to us. */
const MAX_ALIASES = 4;

export function createLookup(options: LookupOptions): Lookup {
  const gate = new Gate(options.maxOutstanding, options.maxWaiting);
  const asker = new Asker(options);
  return async (question) => {
    // A name that cannot be put into a question cannot exist.
    if (!isQueryName(question.name)) return { kind: 'nxdomain', ttlMs: 0, authenticated: false };
    const answer = await gate.run(() => asker.resolve(question));
    return answer ?? dnsFailure('network', `more than ${options.maxWaiting} DNS questions are waiting`);
  };
}

class Asker {
  readonly #options: LookupOptions;
  readonly #silentUntil = new Map<DnsServer, number>();

  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /** Asks, and asks on for the target of a CNAME that came alone. */
  async resolve(question: Question): Promise<AnyAnswer> {
    const deadline = this.#options.clock.mono() + this.#options.timeoutMs;
    let current = question;
    let ttlMs = Infinity;
    let authenticated = true;
    for (let hop = 0; hop <= MAX_ALIASES; hop++) {
      const reading = await this.#askServers(current, deadline);
      if (reading.kind === 'failure') return reading;
      ttlMs = Math.min(ttlMs, reading.ttlMs);
      authenticated &&= reading.authenticated;
      if (reading.kind !== 'alias') return { ...reading, ttlMs, authenticated };
      if (!isQueryName(reading.target)) return { kind: 'nxdomain', ttlMs, authenticated };
      current = { name: reading.target, type: question.type };
    }
    return dnsFailure('malformed', 'the chain of CNAMEs is too long');
  }

  async #askServers(question: Question, deadline: number): Promise<Conclusive | DnsFailure> {
    const { clock, attempts, signal } = this.#options;
    const order = this.#order();
    let tries = Array.from({ length: attempts }, () => order).flat();
    let failure = signal.aborted
      ? dnsFailure('network', 'the resolver was closed')
      : dnsFailure('timeout', 'no answer in time');
    while (tries.length > 0 && !signal.aborted) {
      const leftMs = deadline - clock.mono();
      if (leftMs <= 0) break;
      const [server, ...rest] = tries as [DnsServer, ...DnsServer[]];
      tries = rest;
      const reading = await this.#ask(server, question, { deadline, shareMs: leftMs / (rest.length + 1) });
      if (reading.kind !== 'failure') {
        this.#silentUntil.delete(server);
        return reading;
      }
      failure = reading;
      if (isSilence(reading)) this.#silentUntil.set(server, clock.mono() + SILENT_MS);
      else tries = tries.filter((other) => other !== server);
    }
    return failure;
  }

  /** One try: UDP for its share, then TCP for what is left of the whole when the answer was cut. */
  async #ask(server: DnsServer, question: Question, time: TryTime): Promise<Conclusive | DnsFailure> {
    const { clock, signal, udp, tcp } = this.#options;
    const query = encodeQuery(question, randomInt(0x10000));
    const reading = await udp(server, query, { timeoutMs: time.shareMs, signal });
    if (isConclusive(reading)) return reading;
    const timeoutMs = Math.max(1, time.deadline - clock.mono());
    const whole = await tcp(server, query, { timeoutMs, signal });
    if (isConclusive(whole)) return whole;
    return dnsFailure('malformed', 'the answer is truncated over TCP too', formatServer(server));
  }

  /** The servers in the configured order, those that were silent lately last. */
  #order(): DnsServer[] {
    const now = this.#options.clock.mono();
    const silent = (server: DnsServer): boolean => (this.#silentUntil.get(server) ?? -Infinity) > now;
    const { servers } = this.#options;
    return [...servers.filter((server) => !silent(server)), ...servers.filter(silent)];
  }
}

interface TryTime {
  readonly deadline: number;
  readonly shareMs: number;
}

type Conclusive = Exclude<Reading, { kind: 'foreign' } | { kind: 'truncated' }>;

const isConclusive = (reading: Reading): reading is Conclusive =>
  reading.kind !== 'truncated' && reading.kind !== 'foreign';

const isSilence = (failure: DnsFailure): boolean =>
  failure.reason === 'timeout' || failure.reason === 'network';
