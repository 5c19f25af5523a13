/**
 * What the DNS must say of nodes, senders and report domains, and the exact record where it does not.
 * Standards: forward-confirmed PTR (RFC 1912 §2.1), HELO (RFC 5321 §4.1.4), SPF (RFC 7208), DKIM (RFC 6376 §3.6.1),
 * DMARC (RFC 7489 §6.1).
 */
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { spf } from 'mailauth/lib/spf/index.js';
import type { Config, NodeConfig, SenderConfig } from '../config/index.ts';
import { loadKey, publicRecord } from '../mta/dkim/index.ts';
import type { DnsFailure, QueryType, RecordOf, Resolver } from '../mta/dns/index.ts';
import { bad, doubtful, type Finding, good } from './finding.ts';
import { reverseName } from './reverse-name.ts';

const ASK_AGAIN = 'the resolver of this machine (dns.servers) must answer: ask again later';

export async function examineNames(config: Config, resolver: Resolver): Promise<Finding[]> {
  const nodes = config.nodes.map((node) => examineNode(node, resolver));
  const senders = config.senders.map((sender) => examineSender(config, sender, resolver));
  const reports = config.mx.domains.map((domain) => examineReports(config, domain, resolver));
  return (await Promise.all([...nodes, ...senders, ...reports])).flat();
}

/** The records, none, or the failure, whose text names what was asked for. */
async function ask<T extends QueryType>(
  resolver: Resolver,
  name: string,
  type: T,
): Promise<readonly RecordOf[T][] | DnsFailure> {
  const answer = await resolver.query(name, type);
  if (answer.kind === 'failure') {
    const asked = answer.server === '' ? '' : ` asked of ${answer.server}`;
    return { ...answer, text: `the ${type} of ${name}${asked}: ${answer.text}` };
  }
  return answer.kind === 'records' ? answer.records : [];
}

const failed = <T>(found: readonly T[] | DnsFailure): found is DnsFailure => !Array.isArray(found);

/** Mail from such an address reaches this machine only, so nobody asks for its names. */
const staysHere = ({ address }: NodeConfig): boolean => address === '::1' || address.startsWith('127.');

async function examineNode(node: NodeConfig, resolver: Resolver): Promise<Finding[]> {
  const { name, address, hostname } = node;
  if (staysHere(node))
    return [
      good(
        'node',
        `${name}: ${address} is good for a try-out: receivers on this machine only, so its DNS is not looked at`,
      ),
    ];
  const type = isIPv6(address) ? 'AAAA' : 'A';
  const reverse = reverseName(address);
  const [forward, back] = await Promise.all([ask(resolver, hostname, type), ask(resolver, reverse, 'PTR')]);
  const findings: Finding[] = [];
  if (failed(forward)) findings.push(doubtful('node', `${name}: ${forward.text}`, ASK_AGAIN));
  else if (!forward.includes(address))
    findings.push(
      bad(
        'node',
        `${name}: its name in HELO, ${hostname}, has ${forward.length === 0 ? 'no address' : `the address ${forward.join(', ')}`}, not ${address}`,
        `publish: ${hostname}. IN ${type} ${address}`,
      ),
    );
  else findings.push(good('node', `${name}: ${hostname} has the address ${address}`));
  if (failed(back)) findings.push(doubtful('node', `${name}: ${back.text}`, ASK_AGAIN));
  else if (!back.includes(hostname.toLowerCase()))
    findings.push(
      bad(
        'node',
        `${name}: the PTR of ${address} ${back.length === 0 ? 'is missing' : `is ${back.join(', ')}`}, not ${hostname}`,
        `have the owner of the address publish: ${reverse}. IN PTR ${hostname}.`,
      ),
    );
  else findings.push(good('node', `${name}: the PTR of ${address} is ${hostname}`));
  return findings;
}

async function examineSender(config: Config, sender: SenderConfig, resolver: Resolver): Promise<Finding[]> {
  const addresses = sender.nodes.flatMap(({ node }) => config.nodes.filter(({ name }) => name === node));
  const outward = addresses.filter((node) => !staysHere(node));
  const keys = sender.dkim.map((key) => examineDkim(sender.name, key, resolver));
  const bounces = sender.returnPathDomain;
  const paths =
    bounces === null ? [] : outward.map((node) => examineSpf({ sender, domain: bounces, node }, resolver));
  const mx = bounces === null || outward.length === 0 ? [] : [examineMx(config, bounces, resolver)];
  const domains = [...new Set(sender.dkim.map(({ domain }) => domain))];
  const policies = domains.map((domain) => examineDmarc(domain, resolver));
  const findings = (await Promise.all([...keys, ...paths, ...mx, ...policies])).flat();
  if (sender.dkim.length === 0)
    findings.push(
      doubtful(
        'sender',
        `${sender.name} signs with no DKIM key`,
        'make one: postrider dkim generate, and name it in dkim',
      ),
    );
  return findings;
}

async function examineDkim(
  sender: string,
  { domain, selector, keyFile }: SenderConfig['dkim'][number],
  resolver: Resolver,
): Promise<Finding[]> {
  const key = loadKey(readFileSync(keyFile), { domain, selector });
  if (!key.ok)
    return [bad('sender', `${sender}: ${keyFile}: ${key.error}`, 'make another: postrider dkim generate')];
  const { name, text } = publicRecord(key.value);
  const found = await ask(resolver, name, 'TXT');
  const publish = `publish: ${name}. IN TXT "${text}"`;
  if (failed(found)) return [doubtful('sender', `${sender}: ${found.text}`, ASK_AGAIN)];
  if (found.length === 0) return [bad('sender', `${sender}: the DKIM key ${name} is not published`, publish)];
  if (found.length > 1)
    return [bad('sender', `${sender}: ${name} has ${found.length} TXT records`, 'leave one of them')];
  return tagOf(found[0]!, 'p') === tagOf(text, 'p')
    ? [good('sender', `${sender}: the DKIM key ${name} is published and is ours`)]
    : [bad('sender', `${sender}: the DKIM key at ${name} is another one than in ${keyFile}`, publish)];
}

/** Of a tag list (RFC 6376 §3.2); white space means nothing. */
const tagOf = (record: string, tag: string): string | undefined =>
  new RegExp(`(?:^|;)${tag}=([^;]*)`).exec(record.replace(/\s+/g, ''))?.[1];

async function examineSpf(
  {
    sender,
    domain,
    node,
  }: { readonly sender: SenderConfig; readonly domain: string; readonly node: NodeConfig },
  resolver: Resolver,
): Promise<Finding[]> {
  const { status } = await spf({
    sender: `postmaster@${domain}`,
    ip: node.address,
    helo: node.hostname,
    mta: node.hostname,
    resolver: (name: string, type: string) => asNode(resolver, name, type as QueryType),
  });
  const { result, comment } = status;
  const way = `${isIPv6(node.address) ? 'ip6' : 'ip4'}:${node.address}`;
  if (result === 'pass')
    return [good('sender', `${sender.name}: SPF of ${domain} lets ${node.address} send`)];
  const text = `${sender.name}: SPF of ${domain} says ${result} to ${node.address} (${node.name})${typeof comment === 'string' ? `: ${comment}` : ''}`;
  if (result === 'temperror') return [doubtful('sender', text, ASK_AGAIN)];
  return [
    result === 'none'
      ? bad('sender', text, `publish: ${domain}. IN TXT "v=spf1 ${way} -all"`)
      : bad('sender', text, `add ${way} to the v=spf1 record of ${domain}`),
  ];
}

/** In the form of node:dns, which the SPF library expects. */
async function asNode(resolver: Resolver, name: string, type: QueryType): Promise<never> {
  const found = await ask(resolver, name.toLowerCase().replace(/\.$/, ''), type);
  if (failed(found)) throw Object.assign(new Error(found.text), { code: 'ETIMEOUT' });
  if (found.length === 0) throw Object.assign(new Error('no such record'), { code: 'ENODATA' });
  if (type === 'TXT') return found.map((text) => [text]) as never;
  if (type === 'MX')
    return found.map((one) => {
      const { preference: priority, exchange } = one as RecordOf['MX'];
      return { priority, exchange };
    }) as never;
  return found as never;
}

async function examineDmarc(domain: string, resolver: Resolver): Promise<Finding[]> {
  const organisation = domain.split('.').slice(-2).join('.');
  for (const name of new Set([domain, organisation])) {
    const found = await ask(resolver, `_dmarc.${name}`, 'TXT');
    if (failed(found)) return [doubtful('sender', found.text, ASK_AGAIN)];
    const record = found.find((text) => /^v=DMARC1\b/i.test(text));
    if (record !== undefined) return [good('sender', `DMARC of ${domain}: ${record}`)];
  }
  return [
    doubtful(
      'sender',
      `${domain} has no DMARC policy; large receivers want one`,
      `publish: _dmarc.${domain}. IN TXT "v=DMARC1; p=none; rua=mailto:postmaster@${domain}"`,
    ),
  ];
}

async function examineMx({ hostname, mx }: Config, domain: string, resolver: Resolver): Promise<Finding[]> {
  // What Postrider receives itself is looked at with the report domains.
  if (mx.domains.includes(domain)) return [];
  const found = await ask(resolver, domain, 'MX');
  if (failed(found)) return [doubtful('sender', found.text, ASK_AGAIN)];
  return found.length > 0
    ? [good('sender', `bounces to ${domain} go to ${found.map(({ exchange }) => exchange).join(', ')}`)]
    : [
        bad(
          'sender',
          `${domain} of the return paths has no MX, so bounces get lost`,
          `publish: ${domain}. IN MX 10 ${hostname}.`,
        ),
      ];
}

async function examineReports(
  { hostname, mx }: Config,
  domain: string,
  resolver: Resolver,
): Promise<Finding[]> {
  if (mx.listen.length === 0) return [];
  const found = await ask(resolver, domain, 'MX');
  if (failed(found)) return [doubtful('reports', found.text, ASK_AGAIN)];
  const hosts = found.map(({ exchange }) => exchange);
  return hosts.length > 0
    ? [good('reports', `reports to ${domain} go to ${hosts.join(', ')}`)]
    : [
        bad(
          'reports',
          `${domain} has no MX, so no report comes`,
          `publish: ${domain}. IN MX 10 ${hostname}.`,
        ),
      ];
}
