/**
 * Other people's mail servers, that take our mail and send reports about it: Postfix and Exim as installed, with a
 * configuration, queue and log of their own in a temporary directory; the system's are neither read nor touched. Both
 * need root, because they change users. Mail for REPORTS_DOMAIN goes to our MX, of `big.test` to a receiver that takes
 * small mail only, of `slow.test` to a port where nobody listens; `full@to.test` has a full mailbox, and nobody else at
 * `to.test` has one. What cannot be delivered at the first attempt has outlived its time.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const POSTFIX = '/usr/sbin/postfix';
const EXIM = '/usr/sbin/exim4';
export const REPORTS_DOMAIN = 'bounce.test';
/** What a mailbox takes, and what is in the full one already. */
const BOX_BYTES = 50_000;

export interface Neighbours {
  readonly host: string;
  readonly port: number;
  readonly mx: { readonly host: string; readonly port: number };
  /** Takes small mail only. */
  readonly smallPort: number;
  /** Nobody listens there. */
  readonly closedPort: number;
}

export interface MailServer {
  readonly name: string;
  /** Why it cannot run here; undefined: it can. */
  readonly missing: string | undefined;
  start(t: TestContext, neighbours: Neighbours): Promise<void>;
}

const missing = (program: string): string | undefined =>
  existsSync(program)
    ? process.getuid?.() === 0
      ? undefined
      : `${program} needs root`
    : `${program} is not installed`;

/** User and group id of a user of the system. */
function idsOf(user: string): readonly [uid: number, gid: number] {
  const line = execFileSync('/usr/bin/getent', ['passwd', user], { encoding: 'utf8' });
  const [, , uid, gid] = line.split(':');
  return [Number(uid), Number(gid)];
}

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'pr-peer-'));
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'boxes'));
  writeFileSync(join(dir, 'boxes', 'full'), `From a@b.test\n\n${'x'.repeat(BOX_BYTES - 100)}\n`);
  for (const path of ['boxes', 'boxes/full']) chownSync(join(dir, path), ...idsOf('mail'));
  return dir;
}

/** Runs a server until the test ends; ready when it takes connections. */
async function serve(
  t: TestContext,
  { host, port }: Neighbours,
  {
    dir,
    command,
    stop,
    log,
  }: { dir: string; command: readonly string[]; stop: (child: ChildProcess) => void; log: string },
): Promise<void> {
  const child = spawn(command[0]!, command.slice(1), { stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.after(async () => {
    if (child.exitCode === null && child.signalCode === null) stop(child);
    await ended;
    rmSync(dir, { recursive: true, force: true });
  });
  const deadline = performance.now() + 30_000;
  while (!(await listens(host, port))) {
    const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-2_000) : '';
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`${command[0]} does not start: ${tail}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('data', () => {
      socket.end('QUIT\r\n');
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

export const postfix: MailServer = {
  name: 'Postfix',
  missing: missing(POSTFIX),
  start: async (t, neighbours) => {
    const dir = directory();
    for (const name of ['etc', 'queue', 'data']) mkdirSync(join(dir, name));
    chownSync(join(dir, 'data'), ...idsOf('postfix'));
    const etc = join(dir, 'etc');
    writeFileSync(join(etc, 'main.cf'), mainCf(dir, neighbours));
    writeFileSync(join(etc, 'master.cf'), masterCf(neighbours));
    await serve(t, neighbours, {
      dir,
      command: [POSTFIX, '-c', etc, 'start-fg'],
      stop: () => execFileSync(POSTFIX, ['-c', etc, 'stop'], { stdio: 'ignore' }),
      log: join(dir, 'maillog'),
    });
  },
};

function mainCf(dir: string, { mx, smallPort, closedPort }: Neighbours): string {
  const [uid, gid] = idsOf('mail');
  const transports = [
    `{ ${REPORTS_DOMAIN} = smtp:[${mx.host}]:${mx.port} }`,
    `{ big.test = smtp:[127.0.0.1]:${smallPort} }`,
    `{ slow.test = smtp:[127.0.0.1]:${closedPort} }`,
  ];
  const values = {
    compatibility_level: '3.6',
    queue_directory: join(dir, 'queue'),
    data_directory: join(dir, 'data'),
    maillog_file: join(dir, 'maillog'),
    maillog_file_prefixes: dir,
    myhostname: 'postfix.far.test',
    // Postfix only believes addresses that an interface names; where it listens is in master.cf.
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    mydestination: '',
    alias_maps: '',
    local_recipient_maps: '',
    smtpd_reject_unlisted_recipient: 'no',
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    smtpd_peername_lookup: 'no',
    smtp_dns_support_level: 'disabled',
    transport_maps: `inline:{ ${transports.join(', ')} }`,
    virtual_mailbox_domains: 'to.test',
    virtual_mailbox_maps: 'inline:{ full@to.test=full }',
    virtual_mailbox_base: join(dir, 'boxes'),
    virtual_mailbox_limit: BOX_BYTES,
    message_size_limit: BOX_BYTES,
    virtual_uid_maps: `static:${uid}`,
    virtual_gid_maps: `static:${gid}`,
    virtual_minimum_uid: 1,
    maximal_queue_lifetime: 0,
  };
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');
}

/** service, type, private, unprivileged, chroot, wakeup, process limit, command: master(5). */
const masterCf = ({ host, port }: Neighbours): string =>
  [
    `${host}:${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'rewrite unix - - n - - trivial-rewrite',
    ...['bounce', 'defer', 'trace'].map((name) => `${name} unix - - n - 0 bounce`),
    'proxymap unix - - n - - proxymap',
    'smtp unix - - n - - smtp',
    'virtual unix - n n - - virtual',
    ...['error', 'retry'].map((name) => `${name} unix - - n - - error`),
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n');

export const exim: MailServer = {
  name: 'Exim',
  missing: missing(EXIM),
  start: async (t, neighbours) => {
    const dir = directory();
    const config = join(dir, 'exim.conf');
    for (const name of ['spool', 'log']) {
      mkdirSync(join(dir, name));
      chownSync(join(dir, name), ...idsOf('Debian-exim'));
    }
    writeFileSync(config, eximConf(dir, neighbours));
    await serve(t, neighbours, {
      dir,
      command: [EXIM, '-C', config, '-bdf', '-q30m'],
      stop: (child) => child.kill('SIGTERM'),
      log: join(dir, 'log', 'main'),
    });
  },
};

/** No retry rule: what fails for now fails for good. */
const eximConf = (dir: string, { host, port, mx, smallPort, closedPort }: Neighbours): string => `
primary_hostname = exim.far.test
spool_directory = ${join(dir, 'spool')}
log_file_path = ${join(dir, 'log')}/%s
exim_user = Debian-exim
exim_group = Debian-exim
never_users =
local_interfaces = ${host}.${port}
acl_smtp_rcpt = take
acl_smtp_data = take
host_lookup =
rfc1413_query_timeout = 0s
qualify_domain = far.test
begin acl
take:
  accept
begin routers
reports:
  driver = manualroute
  domains = ${REPORTS_DOMAIN}
  route_list = * ${mx.host}
  self = send
  transport = mx
big:
  driver = manualroute
  domains = big.test
  route_list = * 127.0.0.1
  self = send
  transport = small
slow:
  driver = manualroute
  domains = slow.test
  route_list = * 127.0.0.1
  self = send
  transport = closed
boxes:
  driver = accept
  domains = to.test
  local_parts = full
  transport = box
nobody:
  driver = redirect
  domains = to.test
  allow_fail
  data = :fail: Unknown user
begin transports
mx:
  driver = smtp
  port = ${mx.port}
  allow_localhost
small:
  driver = smtp
  port = ${smallPort}
  allow_localhost
closed:
  driver = smtp
  port = ${closedPort}
  allow_localhost
box:
  driver = appendfile
  file = ${join(dir, 'boxes', 'full')}
  user = mail
  group = mail
  quota = ${BOX_BYTES}
begin retry
`;
