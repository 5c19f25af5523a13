/**
 * The DNS without sockets: the zones of the stub server behind the real cache and the real message codec, on a clock
 * that the test turns.
 */
import packet from 'dns-packet';
import type { Clock } from '../../src/core/index.ts';
import { dnsFailure, type AnyAnswer, type Question, type Resolver } from '../../src/mta/dns/answer.ts';
import { CachingResolver, type CacheLimits } from '../../src/mta/dns/resolver.ts';
import { encodeQuery, isQueryName, readMessage } from '../../src/mta/dns/wire.ts';
import { answerFromZones, entryFor, type Zones } from '../../src/testbed/dns-zones.ts';

export interface FakeDns {
  readonly resolver: Resolver;
  /** Questions that passed the cache: all, or those of a name and type (`MX example.com`). */
  count(question?: string): number;
  /** Keeps answers back from now on. `asked` resolves when one is wanted. */
  hold(): { readonly asked: Promise<void>; give(): void };
}

export function createFakeDns(
  zones: Zones,
  limits: Partial<CacheLimits> & { readonly clock: Clock },
): FakeDns {
  const asked: string[] = [];
  let wanted = (): void => undefined;
  let held = Promise.resolve();
  const lookup = (question: Question): Promise<AnyAnswer> => {
    asked.push(`${question.type} ${question.name}`);
    wanted();
    return held.then(() => answer(zones, question));
  };
  const resolver = new CachingResolver(lookup, { cacheSize: 10_000, ...limits });
  const count = (question?: string): number =>
    question === undefined ? asked.length : asked.filter((one) => one === question).length;
  const hold: FakeDns['hold'] = () => {
    const [first, given] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    wanted = first.resolve;
    held = given.promise;
    return { asked: first.promise, give: given.resolve };
  };
  return { resolver, count, hold };
}

function answer(zones: Zones, question: Question): AnyAnswer {
  if (!isQueryName(question.name)) return { kind: 'nxdomain', ttlMs: 0, authenticated: false };
  const behaviour = entryFor(zones, question.name)?.behaviour;
  if (behaviour === 'drop') return dnsFailure('timeout', 'no answer from the fake', 'fake');
  if (behaviour === 'garbage') return dnsFailure('malformed', 'the DNS answer cannot be read', 'fake');
  const query = encodeQuery(question, 1);
  const message = packet.encode({ ...answerFromZones(zones, question), id: 1 });
  const reading = readMessage(message, query, 'fake');
  if (reading.kind === 'foreign' || reading.kind === 'truncated' || reading.kind === 'alias')
    throw new Error(`the fake DNS gave ${reading.kind} for ${question.name}`);
  return reading;
}
