/**
 * The worker in which mail of strangers is read. It has no door to anything: bytes in, a `Reading` out. Time and memory
 * are limited from outside (parse-pool.ts); what goes wrong here ends this thread and nothing else.
 */
import { ReporterDns } from './reporter-dns.ts';
import { constants, setPriority } from 'node:os';
import { workerData } from 'node:worker_threads';
import { parseReport } from '../../fbl/index.ts';
import type { ParseTask, WorkerSettings } from './parse-pool.ts';
import { type Reading, readingOf, type ReporterCheck } from './reading.ts';

/** How long the DNS may take over one reporter; after it the check is a temporary error. */
const CHECK_MS = 4_000;
const REPORTS: ReadonlySet<Reading['kind']> = new Set(['dsn', 'arf', 'unsubscribe']);

const settings = workerData as WorkerSettings;
// On Linux 0 is the calling thread: reports are read when delivery leaves time, and wait in the inbox meanwhile.
if (process.platform === 'linux') setPriority(0, constants.priority.PRIORITY_BELOW_NORMAL);

const dns = new ReporterDns(settings.dnsServers);

export default async function read(task: ParseTask): Promise<Reading> {
  const raw = Buffer.from(task.raw.buffer, task.raw.byteOffset, task.raw.byteLength);
  const report = parseReport(raw);
  const wanted = settings.checkReporter && REPORTS.has(report.kind);
  return readingOf(report, wanted ? await check(raw, task) : undefined);
}

async function check(raw: Buffer, { peer, helo, from }: ParseTask): Promise<ReporterCheck> {
  // Only here: it takes longer to load than all the rest.
  const { authenticate } = await import('mailauth');
  const unknown = { dkim: 'temperror', spf: 'temperror' };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<ReporterCheck>((resolve) => {
    timer = setTimeout(() => resolve(unknown), CHECK_MS);
  });
  const checked = authenticate(raw, {
    ip: peer,
    helo,
    sender: from === '' ? `postmaster@${helo}` : from,
    mta: 'postrider',
    resolver: (name: string, type: string) => dns.resolve(name, type),
    disableArc: true,
    disableDmarc: true,
    disableBimi: true,
  }).then(({ dkim, spf }) => ({
    dkim:
      dkim.results.find(({ status }) => status.result === 'pass')?.status.result ??
      dkim.results[0]?.status.result ??
      'none',
    spf: spf ? spf.status.result : 'none',
  }));
  try {
    return await Promise.race([checked, late]);
  } catch {
    return unknown;
  } finally {
    clearTimeout(timer);
  }
}
