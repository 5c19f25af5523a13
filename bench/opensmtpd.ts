/**
 * OpenSMTPD beside Postrider: the installed program, where its package has been unpacked or installed. Its spool and
 * its socket are fixed paths of the system, so it runs in a mount namespace of its own, where these are directories of
 * the run: the system's are neither read nor touched. It does not sync what it accepts, so it is no equal. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram, stopProgram, waitUntilReady } from './child.ts';
import { type Contender, freePort, greets, type Place, type Running } from './contender.ts';
import { FROM_DOMAIN } from './workloads.ts';

const SMTPD = '/usr/sbin/smtpd';
const SIGNER = '/usr/libexec/opensmtpd/filter-dkimsign';
const SESSIONS = 100;
/** What is mounted over by a directory of the run: spool, directory to be shut in, socket. */
const OWN = { spool: '/var/spool', lib: '/var/lib', run: '/run' } as const;

interface Ids {
  readonly user: number;
  readonly group: number;
}

/** OpenSMTPD where it can run, or why it cannot. */
export function findOpensmtpd(): Contender | string {
  if (!existsSync(SMTPD)) return 'OpenSMTPD is not installed';
  if (process.getuid?.() !== 0) return 'OpenSMTPD needs root';
  const queue = idsOf('opensmtpq');
  if (!queue || !idsOf('opensmtpd')) return 'the users opensmtpd and opensmtpq do not exist';
  const signs = existsSync(SIGNER) && idsOf('opensmtpf') !== undefined;
  return {
    name: 'opensmtpd',
    version: `${versionOf()} (never syncs)`,
    cannot: ({ injection, dkim, refusals }) => {
      if (refusals !== undefined) return 'its retries follow other times';
      if (injection === 'campaign') return 'OpenSMTPD has no campaigns';
      return dkim && !signs ? 'filter-dkimsign is not installed' : undefined;
    },
    start: (place) => start(place, queue),
  };
}

function idsOf(name: string): Ids | undefined {
  const passwd = execFileSync('/usr/bin/getent', ['passwd'], { encoding: 'utf8' });
  const ids = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+)`, 'm').exec(passwd);
  return ids ? { user: Number(ids[1]), group: Number(ids[2]) } : undefined;
}

/** It prints its version with the usage, and calls that an error. */
function versionOf(): string {
  const said = execFileSync('/bin/sh', ['-c', `${SMTPD} -h 2>&1 || true`], { encoding: 'utf8' });
  return /OpenSMTPD (\S+)/.exec(said)?.[1] ?? '';
}

async function start(place: Place, queue: Ids): Promise<Running> {
  const { dir, dkimKey } = place;
  const smtpPort = await freePort();
  layOut(dir, queue);
  // The filter reads it as another user; the key is made for this run only.
  if (dkimKey !== undefined) writeFileSync(join(dir, 'dkim.pem'), dkimKey, { mode: 0o644 });
  const config = join(dir, 'smtpd.conf');
  writeFileSync(config, configuration(place, smtpPort));
  const mounts = Object.entries(OWN).map(([name, path]) => `mount --bind ${join(dir, name)} ${path}`);
  const script = [...mounts, `exec ${SMTPD} -d -f ${config}`].join(' && ');
  const log = join(dir, 'log');
  const smtpd = startProgram('/usr/bin/unshare', ['--mount', '/bin/sh', '-c', script], log);
  await waitUntilReady(smtpd, () => greets(smtpPort), log);
  return {
    smtpPort,
    controlSocket: undefined,
    pids: [smtpd.pid!],
    queued: () => Promise.resolve(envelopesIn(join(dir, 'spool/smtpd/queue'))),
    stop: () => stopProgram(smtpd),
  };
}

/** With the owners and modes that it insists on. */
function layOut(dir: string, { user, group }: Ids): void {
  for (const path of ['run', 'lib/opensmtpd/empty', 'spool/smtpd'])
    mkdirSync(join(dir, path), { recursive: true });
  chmodSync(join(dir, 'spool/smtpd'), 0o711);
  for (const name of ['purge', 'queue', 'incoming', 'corrupt', 'temporary']) {
    mkdirSync(join(dir, 'spool/smtpd', name), { mode: 0o700 });
    chownSync(join(dir, 'spool/smtpd', name), user, 0);
  }
  mkdirSync(join(dir, 'spool/smtpd/offline'));
  chmodSync(join(dir, 'spool/smtpd/offline'), 0o770);
  chownSync(join(dir, 'spool/smtpd/offline'), 0, group);
}

/** No limits meant for strangers, and the same receiver for everything. */
function configuration({ dir, receiverPort, dkimKey }: Place, smtpPort: number): string {
  const sign = `${SIGNER} -a rsa-sha256 -c relaxed/relaxed -d ${FROM_DOMAIN} -s s1 -k ${join(dir, 'dkim.pem')}`;
  const none = ['host', 'route', 'source', 'connector', 'domain', 'relay'].map((of) => `conn-delay-${of} 0`);
  const most = ['host', 'route', 'connector', 'relay'].map((of) => `max-conn-per-${of} ${SESSIONS}`);
  return [
    ...(dkimKey === undefined ? [] : [`filter "dkim" proc-exec "${sign}" user opensmtpf group opensmtpf`]),
    'smtp limit max-mails 100000',
    `mta limit ${[...most, ...none].join(' ')} reconn-delay-route 0 session-mail-max 1000`,
    'mta limit task-hiwat 100000 task-lowat 50000 task-release 50000',
    `listen on 127.0.0.1 port ${smtpPort} hostname mta.bench.test${dkimKey === undefined ? '' : ' filter "dkim"'}`,
    `action "out" relay host "smtp+notls://127.0.0.1:${receiverPort}" helo mta.bench.test`,
    'match from any for any action "out"',
    '',
  ].join('\n');
}

/** The files of envelopes have 16 hexadecimal digits. While one looks, directories go: then there was still one. */
function envelopesIn(queue: string): number {
  try {
    return readdirSync(queue, { recursive: true }).filter((name) => /\/[0-9a-f]{16}$/.test(String(name)))
      .length;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 1;
    throw error;
  }
}
