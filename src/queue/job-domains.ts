/**
 * The domains that a job by ISP is about: those that were the ISP's and had mail when it was stored. Most of them are
 * known by their hosts, so after a restart nobody knows for a while whose they are, and the DNS may say something else
 * then. So they are stored with the job, in one value that is written once, until it is done.
 *
 * Works of a commit are in the order in which they were submitted. So a job is about what was accepted in the commits
 * before its own, and by the works before it in its own; not about what a later work accepts to a domain that is new.
 */
import { domainOf } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import type { Counters } from './counters.ts';
import type { JobRecord } from './job.ts';
import { numberKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { type DamageTold, encode, healthy } from './records.ts';
import { fitsQueue, type IspOf, type Selector } from './selector.ts';

/** Undefined where the job is not by ISP. */
export type JobDomains = ReadonlySet<string> | undefined;

/** To be asked while the work that stores the job is built: the counts have all commits before, `transaction` the rest. */
export function domainsOf(
  selector: Selector,
  { counters, transaction }: { readonly counters: Counters; readonly transaction: Transaction },
  ispOf: IspOf,
): JobDomains {
  if (selector.isp === undefined) return undefined;
  const domains = new Set<string>();
  for (const row of counters.rows()) if (fitsQueue(selector, row, ispOf)) domains.add(row.domain);
  for (const domain of domainsIn(transaction)) if (ispOf(domain) === selector.isp) domains.add(domain);
  return domains;
}

/** Domains that the works so far have an event of: accepted or moved to where the selector looks, or neither. */
function domainsIn({ events, runs }: Transaction): Set<string> {
  const domains = new Set<string>();
  for (const { recipient } of events) if (recipient !== undefined) domains.add(domainOf(recipient));
  for (const { recipients } of runs) for (const one of recipients) domains.add(domainOf(one));
  return domains;
}

/** The ISP of a domain as a job sees it; `now` is how the sending side does. */
export const ispForJob = ({ isp }: Selector, domains: JobDomains, now: IspOf): IspOf =>
  domains ? (domain) => (domains.has(domain) ? isp : undefined) : (domain) => now(domain);

export const domainsOp = (job: number, domains: JobDomains): Op => ({
  table: 'job_domains',
  key: numberKey(job),
  value: domains && encode([...domains]),
});

/** Those of a job that is not done. Where they are lost it goes by what is known of the ISPs now. */
export function storedDomains({ id, selector }: JobRecord, kv: Kv, told: DamageTold): JobDomains {
  if (selector.isp === undefined) return undefined;
  const value = kv.get('job_domains', numberKey(id));
  const domains = value && healthy<readonly string[]>(value);
  if (domains) return new Set(domains);
  if (value)
    told(
      `the domains of job ${id}`,
      'what waits for those whose ISP is not known yet may stay: ask again then',
    );
  return undefined;
}
