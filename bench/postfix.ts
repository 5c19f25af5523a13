/**
 * Postfix beside Postrider: the installed programs with a configuration, queue and log of their own in a temporary
 * directory. The system's Postfix is neither read nor touched. Mail from the loopback interface is relayed to the
 * receiver. Signing is OpenDKIM's, over its milter socket. Both run in the foreground, as our children, so that their
 * processes can be counted and ended. Needs root, because Postfix changes users.
 */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startProgram, stopProgram, waitUntilReady } from './child.ts';
import { type Contender, freePort, greets, type Place, type Running } from './contender.ts';
import { FROM_DOMAIN } from './workloads.ts';

const POSTFIX = '/usr/sbin/postfix';
const OPENDKIM = '/usr/sbin/opendkim';
/** Delivery processes and sessions to the receiver; more made it slower on two cores. */
const CONCURRENCY = 20;
const PROCESSES = 40;

const output = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/** Postfix where it can run, or why it cannot. */
export function findPostfix(): Contender | string {
  if (!existsSync(POSTFIX)) return 'Postfix is not installed';
  if (process.getuid?.() !== 0) return 'Postfix needs root';
  const signs = existsSync(OPENDKIM);
  const opendkim = signs ? `, OpenDKIM ${/v([\d.]+)/.exec(output(OPENDKIM, '-V'))?.[1] ?? ''}` : '';
  return {
    name: 'postfix',
    version: `${output('/usr/sbin/postconf', '-d', '-h', 'mail_version').trim()}${opendkim}`,
    cannot: ({ injection, dkim, refusals }) => {
      if (refusals !== undefined) return 'its retries follow other times';
      if (injection === 'campaign') return 'Postfix has no campaigns';
      return dkim && !signs ? 'OpenDKIM is not installed' : undefined;
    },
    start,
  };
}

async function start(place: Place): Promise<Running> {
  const { dir, dkimKey } = place;
  const smtpPort = await freePort();
  const [etc, queue] = [join(dir, 'etc'), join(dir, 'queue')];
  layOut(dir);
  writeFileSync(join(etc, 'main.cf'), mainCf(place));
  writeFileSync(join(etc, 'master.cf'), masterCf(smtpPort));
  const log = join(dir, 'log');
  const signer = dkimKey === undefined ? undefined : await startSigner(dir, dkimKey, log);
  const postfix = startProgram(POSTFIX, ['-c', etc, 'start-fg'], log);
  try {
    await waitUntilReady(postfix, () => greets(smtpPort), log);
  } catch (error) {
    if (signer) await stopProgram(signer);
    throw error;
  }
  return {
    smtpPort,
    controlSocket: undefined,
    pids: [postfix.pid!, ...(signer ? [signer.pid!] : [])],
    queued: () => Promise.resolve(filesIn(queue)),
    stop: async () => {
      await stopProgram(postfix, async () => {
        await promisify(execFile)(POSTFIX, ['-c', etc, 'stop']).catch(() => undefined);
      });
      if (signer) await stopProgram(signer);
    },
  };
}

function layOut(dir: string): void {
  for (const name of ['etc', 'queue', 'data']) mkdirSync(join(dir, name), { mode: 0o755 });
  const user = /^postfix:[^:]*:(\d+):(\d+)/m.exec(output('/usr/bin/getent', 'passwd', 'postfix'));
  if (!user) throw new Error('the user postfix does not exist');
  chownSync(join(dir, 'data'), Number(user[1]), Number(user[2]));
  chmodSync(join(dir, 'data'), 0o700);
}

const settings = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} = ${value}\n`)
    .join('');

/** No lookups, no limits meant for strangers, and the same receiver for everything. */
function mainCf({ dir, receiverPort, dkimKey }: Place): string {
  const signing = {
    smtpd_milters: `unix:${join(dir, 'milter.sock')}`,
    milter_default_action: 'tempfail',
  };
  return settings({
    compatibility_level: '3.6',
    queue_directory: join(dir, 'queue'),
    data_directory: join(dir, 'data'),
    maillog_file: join(dir, 'maillog'),
    maillog_file_prefixes: dir,
    myhostname: 'mta.bench.test',
    inet_interfaces: '127.0.0.1',
    inet_protocols: 'ipv4',
    mynetworks: '127.0.0.0/8',
    mydestination: '',
    local_recipient_maps: '',
    alias_maps: '',
    relayhost: `[127.0.0.1]:${receiverPort}`,
    smtpd_relay_restrictions: 'permit_mynetworks, reject',
    smtpd_peername_lookup: 'no',
    smtp_dns_support_level: 'disabled',
    smtpd_tls_security_level: 'none',
    smtp_tls_security_level: 'none',
    smtpd_client_connection_count_limit: 0,
    in_flow_delay: 0,
    default_process_limit: PROCESSES,
    default_destination_concurrency_limit: CONCURRENCY,
    initial_destination_concurrency: CONCURRENCY,
    qmgr_message_active_limit: 50_000,
    qmgr_message_recipient_limit: 50_000,
    ...(dkimKey === undefined ? {} : signing),
  });
}

/** service, type, private, unprivileged, chroot, wakeup, process limit, command: master(5). */
function masterCf(smtpPort: number): string {
  const inQueue = 'unix n - n';
  const hidden = 'unix - - n';
  return [
    `127.0.0.1:${smtpPort} inet n - n - - smtpd`,
    `pickup ${inQueue} 60 1 pickup`,
    `cleanup ${inQueue} - 0 cleanup`,
    `qmgr ${inQueue} 300 1 qmgr`,
    `showq ${inQueue} - - showq`,
    `flush ${inQueue} 1000? 0 flush`,
    `rewrite ${hidden} - - trivial-rewrite`,
    ...['bounce', 'defer', 'trace'].map((name) => `${name} ${hidden} - 0 bounce`),
    `verify ${hidden} - 1 verify`,
    `proxymap ${hidden} - - proxymap`,
    `tlsmgr ${hidden} 1000? 1 tlsmgr`,
    ...['smtp', 'relay'].map((name) => `${name} ${hidden} - ${CONCURRENCY} smtp`),
    ...['error', 'retry'].map((name) => `${name} ${hidden} - - error`),
    `discard ${hidden} - - discard`,
    `anvil ${hidden} - 1 anvil`,
    `scache ${hidden} - 1 scache`,
    'postlog unix-dgram n - n - 1 postlogd',
    '',
  ].join('\n');
}

async function startSigner(dir: string, key: string, log: string): Promise<ChildProcess> {
  const [config, keyFile, milter] = [
    join(dir, 'opendkim.conf'),
    join(dir, 'dkim.pem'),
    join(dir, 'milter.sock'),
  ];
  writeFileSync(keyFile, key, { mode: 0o600 });
  const values = {
    Mode: 's',
    Domain: FROM_DOMAIN,
    Selector: 's1',
    KeyFile: keyFile,
    Canonicalization: 'relaxed/relaxed',
    SignatureAlgorithm: 'rsa-sha256',
    InternalHosts: '127.0.0.0/8',
    Socket: `local:${milter}`,
    // The temporary directory belongs to everybody; the key is made for this run only.
    RequireSafeKeys: 'no',
    // Postfix connects as another user.
    UMask: '000',
    Syslog: 'no',
  };
  writeFileSync(
    config,
    Object.entries(values)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  );
  const signer = startProgram(OPENDKIM, ['-f', '-x', config], log);
  await waitUntilReady(signer, () => existsSync(milter), log);
  return signer;
}

function filesIn(queue: string): number {
  return ['maildrop', 'incoming', 'active', 'deferred']
    .map((name) => join(queue, name))
    .filter(existsSync)
    .flatMap((path) => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile()).length;
}
