/**
 * Exim beside Postrider: the installed program with a configuration, spool and log of its own. It queues what it takes,
 * and queue runners deliver side by side: with a process for each message at once it is slower. Needs root, because
 * Exim changes users.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProgram, stopProgram, waitUntilReady } from './child.ts';
import { type Contender, freePort, greets, type Place, type Running } from './contender.ts';
import { FROM_DOMAIN } from './workloads.ts';

const EXIM = '/usr/sbin/exim4';
const USER = 'Debian-exim';
/** Queue runners at a time; more made it slower on two cores. */
const RUNNERS = 4;

const output = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** Exim where it can run, or why it cannot. */
export function findExim(): Contender | string {
  if (!existsSync(EXIM)) return 'Exim is not installed';
  if (process.getuid?.() !== 0) return 'Exim needs root';
  const user = new RegExp(`^${USER}:[^:]*:(\\d+):(\\d+)`, 'm').exec(output('/usr/bin/getent', 'passwd'));
  if (!user) return `the user ${USER} does not exist`;
  const [uid, gid] = [Number(user[1]), Number(user[2])];
  return {
    name: 'exim',
    version: /Exim version (\S+)/.exec(output(EXIM, '-C', '/dev/null', '-bV'))?.[1] ?? '',
    cannot: ({ injection, refusals }) => {
      if (refusals !== undefined) return 'its retries follow other times';
      return injection === 'campaign' ? 'Exim has no campaigns' : undefined;
    },
    start: (place) => start(place, uid, gid),
  };
}

async function start(place: Place, uid: number, gid: number): Promise<Running> {
  const { dir, dkimKey } = place;
  const smtpPort = await freePort();
  for (const name of ['spool', 'log']) {
    mkdirSync(join(dir, name), { mode: 0o750 });
    chownSync(join(dir, name), uid, gid);
  }
  if (dkimKey !== undefined) {
    writeFileSync(join(dir, 'dkim.pem'), dkimKey, { mode: 0o600 });
    chownSync(join(dir, 'dkim.pem'), uid, gid);
  }
  const config = join(dir, 'exim.conf');
  writeFileSync(config, configuration(place, smtpPort));
  const log = join(dir, 'out');
  const exim = startProgram(EXIM, ['-C', config, '-bdf', '-q1s'], log);
  await waitUntilReady(exim, () => greets(smtpPort), log);
  return {
    smtpPort,
    controlSocket: undefined,
    pids: [exim.pid!],
    queued: () => Promise.resolve(messagesIn(join(dir, 'spool/input'))),
    stop: () => stopProgram(exim),
  };
}

/** No lookups, no limits meant for strangers, and the same receiver for everything. */
function configuration({ dir, receiverPort, dkimKey }: Place, smtpPort: number): string {
  const signing = [
    `dkim_domain = ${FROM_DOMAIN}`,
    'dkim_selector = s1',
    `dkim_private_key = ${join(dir, 'dkim.pem')}`,
    'dkim_canon = relaxed',
  ];
  return [
    'primary_hostname = mta.bench.test',
    `exim_user = ${USER}`,
    `exim_group = ${USER}`,
    // With a configuration of its own it runs as that user anyway.
    'deliver_drop_privilege = true',
    `spool_directory = ${join(dir, 'spool')}`,
    `log_file_path = ${join(dir, 'log')}/%slog`,
    `pid_file_path = ${join(dir, 'spool')}/pid`,
    'local_interfaces = 127.0.0.1',
    `daemon_smtp_ports = ${smtpPort}`,
    'disable_ipv6 = true',
    'keep_environment =',
    'host_lookup =',
    'rfc1413_hosts =',
    'acl_smtp_rcpt = acl_all',
    'acl_smtp_data = acl_all',
    'smtp_accept_max = 300',
    'smtp_accept_queue_per_connection = 0',
    'smtp_accept_max_nonmail = 1000000',
    'smtp_enforce_sync = false',
    'split_spool_directory = true',
    'message_logs = false',
    'queue_only = true',
    `queue_run_max = ${RUNNERS}`,
    'tls_advertise_hosts =',
    'dkim_verify_signers =',
    'begin acl',
    'acl_all:',
    'accept',
    'begin routers',
    'all:',
    'driver = manualroute',
    'route_list = * 127.0.0.1 byname',
    'self = send',
    'transport = out',
    'begin transports',
    'out:',
    'driver = smtp',
    `port = ${receiverPort}`,
    'allow_localhost',
    'hosts_avoid_tls = *',
    'hosts_try_dane =',
    'hosts_try_prdr =',
    'connection_max_messages = 500',
    ...(dkimKey === undefined ? [] : signing),
    'begin retry',
    '* * F,2h,1m',
    '',
  ].join('\n');
}

/** Each message has a file of its envelope that ends in -H. */
const messagesIn = (input: string): number =>
  existsSync(input)
    ? readdirSync(input, { recursive: true }).filter((name) => String(name).endsWith('-H')).length
    : 0;
