/** Postrider under test: the built program, durable acceptance, and one route for all mail; two nodes unless told. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { version } from '../src/cli/version.ts';
import { startProgram, stopProgram, waitUntilReady } from './child.ts';
import { callControl } from './control.ts';
import { type Contender, freePort, greets, type Place, type Running } from './contender.ts';
import { FROM_DOMAIN, ISP_DOMAINS } from './workloads.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PROGRAM = join(ROOT, 'bin/postrider.mjs');
/** For Node.js, as its first line has them for a shell. */
const OWN_SWITCHES = readFileSync(PROGRAM, 'utf8').split('\n', 1)[0]!.split(' ').slice(3);
const NODES = 2;

export interface Variant {
  readonly name?: string;
  /** For Node.js itself. */
  readonly nodeSwitches?: readonly string[];
  /** As in the configuration. */
  readonly workers?: 'auto' | number;
  /** Further keys of the configuration. */
  readonly settings?: object;
  /** What the status page is signed in with. */
  readonly statusToken?: string;
  /** From 127.0.0.1 on; default 2. */
  readonly nodes?: number;
  /** ISPs besides those that are shipped: the domain d<n>.test belongs to the ISP number n modulo that. */
  readonly isps?: number;
}

export const postrider = (variant: Variant = {}): Contender => ({
  name: variant.name ?? 'postrider',
  version: `${version}${commit()}`,
  cannot: () => undefined,
  start: (place) => startPostrider(place, variant),
});

/** ` (abc1234)`, with a mark when files differ from it; empty outside a checkout. */
function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--', 'src') === '' ? '' : ', src changed';
    return ` (${git('rev-parse', '--short', 'HEAD')}${changed})`;
  } catch {
    return '';
  }
}

export async function startPostrider(
  place: Place,
  variant: Variant = {},
): Promise<Running & { readonly statusPort: number; readonly controlSocket: string }> {
  const { dir } = place;
  const { nodeSwitches = [], workers = 'auto', settings = {}, statusToken } = variant;
  const [smtpPort, statusPort] = [await freePort(), await freePort()];
  const controlSocket = join(dir, 'control.sock');
  const config = join(dir, 'postrider.yaml');
  writeFileSync(join(dir, 'secret'), `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
  if (place.dkimKey !== undefined) writeFileSync(join(dir, 'dkim.pem'), place.dkimKey, { mode: 0o600 });
  if (statusToken !== undefined)
    writeFileSync(join(dir, 'status.token'), `${statusToken}\n`, { mode: 0o600 });
  const status = {
    listen: `127.0.0.1:${statusPort}`,
    token_file: statusToken === undefined ? null : 'status.token',
  };
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify(
      {
        ...configuration(place, { smtpPort, controlSocket }),
        ...sites(place, variant),
        status,
        workers,
        ...settings,
      },
      null,
      2,
    ),
  );
  const log = join(dir, 'log');
  const child = startProgram(
    process.execPath,
    [...OWN_SWITCHES, ...nodeSwitches, PROGRAM, 'serve', '-c', config],
    log,
  );
  await waitUntilReady(child, () => greets(smtpPort), log);
  const queued = (): Promise<number> => queuedOf(controlSocket);
  return { smtpPort, statusPort, controlSocket, pids: [child.pid!], queued, stop: () => stopProgram(child) };
}

function configuration(
  { dir, receiverPort }: Place,
  own: { readonly smtpPort: number; readonly controlSocket: string },
): object {
  return {
    hostname: 'mta.bench.test',
    data_dir: join(dir, 'data'),
    durability: 'sync',
    secret_file: join(dir, 'secret'),
    control: { socket: own.controlSocket },
    smtp: { listen: [`127.0.0.1:${own.smtpPort}`], relay_from: ['127.0.0.0/8'] },
    routes: [{ domain: '*', hosts: [`127.0.0.1:${receiverPort}`], tls: 'none' }],
    retry_rules: [{ name: 'soon', type: 'fixed', attempts: 8, interval: '1s' }],
    strategies: [{ name: 'unlimited', concurrent_connections: 50, messages_per_connection: 1000 }],
    virtual_senders: [
      { name: 'main', rules: [{ when: 'default', senders: [{ sender: 'main', percent: 100 }] }] },
    ],
  };
}

/** Who sends, from where, to whom. */
function sites({ dir, dkimKey }: Place, { nodes = NODES, isps = 0 }: Variant): object {
  const dkim = { domain: FROM_DOMAIN, selector: 's1', key_file: join(dir, 'dkim.pem') };
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
  const domainsOf = (isp: number): string[] =>
    Array.from({ length: Math.ceil((ISP_DOMAINS - isp) / isps) }, (_, i) => `d${isp + i * isps}.test`);
  return {
    nodes: names.map((name, i) => ({
      name,
      address: `127.0.0.${i + 1}`,
      hostname: `${name}.bench.test`,
    })),
    ...(isps > 0 && {
      isps: Array.from({ length: isps }, (_, i) => ({ name: `isp${i}`, domains: domainsOf(i) })),
    }),
    senders: [
      {
        name: 'main',
        nodes: names.map((node) => ({ node, weight: 1 })),
        strategies: { default: 'unlimited' },
        retry: 'soon',
        return_path_domain: 'bounce.bench.test',
        dkim: dkimKey === undefined ? [] : [dkim],
      },
    ],
  };
}

/** Deliveries that the store still has. */
async function queuedOf(socketPath: string): Promise<number> {
  const status = await callControl(socketPath, 'GET', '/v1/status');
  return (status as { readonly counters: { readonly queued: number } }).counters.queued;
}
