/**
 * Where mail for a domain goes, and why it goes nowhere. Pure: the answers of the DNS come in, a plan or a refusal
 * comes out. The policy, by what the DNS said (RFC 5321 §5.1, RFC 7505):
 *   domain NXDOMAIN                  permanent 5.1.2   null MX                       permanent 5.1.10
 *   MX unknown (failure)             transient 4.4.3   no MX, but A or AAAA          implicit MX
 *   no MX, no address                permanent 5.4.4   MX without usable addresses   permanent 5.4.4, or
 *   only this host                   permanent 5.4.6     transient 4.4.3 when a lookup among them failed
 * An MX that leads to this host ends the list there, as everything behind it would loop (RFC 5321 §5.1).
 */
import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { err, ok, toAsciiDomain, type Result } from '../../core/index.ts';
import type { DnsAnswer, MxRecord } from './answer.ts';
import type { AddressFault, AddressRule } from './address-rules.ts';

export interface MxHost {
  readonly name: string;
  readonly preference: number;
  /** IPv4 first, then IPv6, as the DNS gave them. */
  readonly addresses: readonly string[];
  /** The addresses were validated by DNSSEC. */
  readonly secure: boolean;
}

export interface MxPlan {
  readonly domain: string;
  /** By preference, equal ones by name; at least one, each with at least one address. */
  readonly hosts: readonly MxHost[];
  /** The sorted MX names, cut and with a digest when long: domains with the same key are served by the same hosts. */
  readonly key: string;
  readonly implicit: boolean;
  /** The list of hosts was validated by DNSSEC (RFC 7672 §2.2.1). */
  readonly secure: boolean;
  /** On the monotonic clock. */
  readonly expiresAtMs: number;
  /** By preference, equal ones in random order at each call (RFC 5321 §5.1). */
  ordered(): MxHost[];
}

export interface DnsRefusal {
  readonly permanent: boolean;
  readonly enhanced: string;
  readonly text: string;
  readonly category: 'bad_domain' | 'dns';
}

/** A name that mail may go to, before its addresses are known. */
export interface MxCandidate {
  readonly name: string;
  readonly preference: number;
}

export interface Candidates {
  readonly hosts: readonly MxCandidate[];
  readonly ttlMs: number;
  readonly secure: boolean;
  readonly implicit: boolean;
  /** Why MX records were left out, for the refusal text. */
  readonly faults: readonly HostFault[];
}

export interface HostAnswers {
  readonly host: MxCandidate;
  readonly answers: readonly (DnsAnswer<'A'> | DnsAnswer<'AAAA'>)[];
}

type HostFault = AddressFault | 'literal' | 'missing' | 'failed';

const MAX_HOSTS = 10;
const MAX_ADDRESSES = 16;
/** Characters of a key: ten names of 253 each would be more than the store takes as a key. */
const MAX_KEY = 500;
/** A plan that lacks a host because its lookup failed is made anew soon. */
const INCOMPLETE_TTL_MS = 60_000;

export const permanentRefusal = (enhanced: string, text: string): DnsRefusal => ({
  permanent: true,
  enhanced,
  text,
  category: 'bad_domain',
});
export const transientRefusal = (text: string): DnsRefusal => ({
  permanent: false,
  enhanced: '4.4.3',
  text,
  category: 'dns',
});

/** The hosts that the MX answer names; the domain itself when it has no MX (implicit MX). */
export function candidatesOf(domain: string, answer: DnsAnswer<'MX'>): Result<Candidates, DnsRefusal> {
  switch (answer.kind) {
    case 'nxdomain':
      return err(permanentRefusal('5.1.2', `${domain} does not exist (NXDOMAIN)`));
    case 'failure':
      return err(transientRefusal(`MX of ${domain}: ${answer.text}`));
    case 'nodata': {
      const hosts = [{ name: domain, preference: 0 }];
      return ok({ hosts, ttlMs: answer.ttlMs, secure: answer.authenticated, implicit: true, faults: [] });
    }
    case 'records':
      // RFC 7505 §3: a null MX stands alone; among others it is a mistake and leads nowhere.
      if (answer.records.every((record) => record.exchange === '.'))
        return err(permanentRefusal('5.1.10', `${domain} accepts no mail (null MX)`));
      return ok(namedHosts(answer.records, answer.ttlMs, answer.authenticated));
  }
}

function namedHosts(records: readonly MxRecord[], ttlMs: number, secure: boolean): Candidates {
  const byName = new Map<string, MxCandidate>();
  const faults: HostFault[] = [];
  for (const { exchange, preference } of [...records].sort(byPreference)) {
    const fault = faultOfName(exchange);
    if (fault) faults.push(fault);
    else if (!byName.has(exchange)) byName.set(exchange, { name: exchange, preference });
  }
  return { hosts: [...byName.values()].slice(0, MAX_HOSTS), ttlMs, secure, implicit: false, faults };
}

/** Equal preferences by name, so that the cut at ten hosts and the key do not depend on the order of an answer. */
const byPreference = (a: MxRecord, b: MxRecord): number =>
  a.preference - b.preference || (a.exchange < b.exchange ? -1 : 1);

function faultOfName(name: string): HostFault | undefined {
  if (name === 'localhost' || name.endsWith('.localhost')) return 'loopback'; // RFC 6761 §6.3
  if (isIP(name) !== 0 || /^[0-9.]+$/.test(name)) return 'literal'; // RFC 5321 §5.1: an MX names a host
  return toAsciiDomain(name) === undefined ? 'missing' : undefined;
}

/** Puts the hosts' addresses into a plan. */
export function assemblePlan(
  domain: string,
  candidates: Candidates,
  found: readonly HostAnswers[],
  rules: PlanRules,
): Result<MxPlan, DnsRefusal> {
  const faults = [...candidates.faults];
  const hosts: MxHost[] = [];
  let ttlMs = candidates.ttlMs;
  // An unknown host may be served again in a minute, so this plan must not outlive it.
  if (found.some((host) => hasFailure(host))) ttlMs = Math.min(ttlMs, INCOMPLETE_TTL_MS);
  const selfPreference = preferenceOfSelf(found, rules.addressRule);
  for (const { host, answers } of found) {
    const { addresses, fault } = usableAddresses(answers, rules.addressRule);
    const loops = host.preference >= selfPreference;
    if (addresses.length === 0 || loops) faults.push(loops ? 'self' : fault);
    else hosts.push({ ...host, addresses, secure: areSecure(answers) });
    ttlMs = Math.min(ttlMs, ...answers.map(ttlOf));
  }
  if (hosts.length === 0) return err(refusalOf(domain, faults, candidates.implicit));
  return ok({
    domain,
    hosts,
    key: keyOf(candidates.hosts),
    implicit: candidates.implicit,
    secure: candidates.secure,
    expiresAtMs: rules.nowMs + ttlMs,
    ordered: () => orderHosts(hosts, rules.random),
  });
}

function keyOf(hosts: readonly MxCandidate[]): string {
  const names = hosts
    .map(({ name }) => name)
    .sort()
    .join(',');
  if (names.length <= MAX_KEY) return names;
  const digest = createHash('sha256').update(names).digest('hex').slice(0, 32);
  return `${names.slice(0, MAX_KEY - digest.length - 1)}~${digest}`;
}

export interface PlanRules {
  readonly addressRule: AddressRule;
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: () => number;
}

const ttlOf = (answer: DnsAnswer): number => (answer.kind === 'failure' ? Infinity : answer.ttlMs);

const hasFailure = (host: HostAnswers): boolean => host.answers.some((answer) => answer.kind === 'failure');

/** The lowest preference of a host that is this host; Infinity when none is. */
function preferenceOfSelf(found: readonly HostAnswers[], rule: AddressRule): number {
  const own = found.filter(({ answers }) => addressesOf(answers).some((address) => rule(address) === 'self'));
  return Math.min(Infinity, ...own.map(({ host }) => host.preference));
}

const addressesOf = (answers: HostAnswers['answers']): string[] =>
  answers.flatMap((answer) => (answer.kind === 'records' ? answer.records : []));

/** Up to 16 addresses of each family-mixed list; without one, the fault that weighs most. */
function usableAddresses(
  answers: HostAnswers['answers'],
  rule: AddressRule,
): { addresses: string[]; fault: HostFault } {
  const all = addressesOf(answers);
  const addresses = all.filter((address) => rule(address) === undefined).slice(0, MAX_ADDRESSES);
  if (answers.some((answer) => answer.kind === 'failure')) return { addresses, fault: 'failed' };
  const fault = all.map(rule).find((found) => found !== undefined);
  return { addresses, fault: fault ?? 'missing' };
}

const areSecure = (answers: HostAnswers['answers']): boolean =>
  answers.every((answer) => answer.kind !== 'failure' && answer.authenticated);

/** What it means that no host is left; a failed lookup keeps the mail, whatever else was wrong. */
function refusalOf(domain: string, faults: readonly HostFault[], implicit: boolean): DnsRefusal {
  if (faults.includes('failed'))
    return transientRefusal(`the addresses of the MX of ${domain} are not known`);
  if (faults.includes('self') || faults.includes('loopback'))
    return permanentRefusal('5.4.6', `${implicit ? 'address' : 'MX'} of ${domain} points to this host`);
  if (faults.includes('literal'))
    return permanentRefusal('5.4.4', `MX of ${domain} is an IP address, not a host name`);
  if (implicit) return permanentRefusal('5.4.4', `${domain} has neither MX nor address`);
  return permanentRefusal('5.4.4', `no MX of ${domain} has an address`);
}

/** Fisher-Yates within each group of equal preference; `hosts` is sorted by preference. */
export function orderHosts(hosts: readonly MxHost[], random: () => number): MxHost[] {
  const ordered = [...hosts];
  for (let i = ordered.length - 1; i > 0; i--) {
    const first = ordered.findIndex((host) => host.preference === ordered[i]!.preference);
    const j = first + Math.floor(random() * (i - first + 1));
    [ordered[i], ordered[j]] = [ordered[j]!, ordered[i]!];
  }
  return ordered;
}
