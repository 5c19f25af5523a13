/** What the machine must have: a data directory with room, free ports, the addresses of the nodes, a way out. */
import { accessSync, constants, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import type { StatusView } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { formatSize } from '../core/index.ts';
import type { Resolver } from '../mta/dns/index.ts';
import { plannerOf } from './assembly.ts';
import { ControlClient } from './client.ts';
import { bad, doubtful, type Finding, good } from './finding.ts';
import { loadTokens } from './secrets.ts';
import { dialogue } from './trace-session.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export async function examineMachine(
  config: Config,
  {
    file,
    probe,
    resolver,
  }: { readonly file: string; readonly probe: string | undefined; readonly resolver: Resolver },
): Promise<Finding[]> {
  const status = await statusOf(config, file);
  return [
    ...examineDirectory(config),
    ...examineKey(config),
    ...(status ? serverFindings(status) : await examinePorts(config)),
    ...examineAddresses(config),
    ...(probe === undefined ? [] : await probeFrom(config, probe, resolver)),
  ];
}

async function statusOf({ control, dataDir }: Config, configFile: string): Promise<StatusView | undefined> {
  const client = new ControlClient({ socketPath: control.socket, configFile });
  const status = await client.get<StatusView>('/v1/status');
  return status.ok && status.value.data_dir === dataDir ? status.value : undefined;
}

function serverFindings({ version, not_ready: reasons, alerts }: StatusView): Finding[] {
  return [
    good('machine', `the server runs (version ${version}), so its ports and its store are its own`),
    ...reasons.map((reason) => bad('machine', `it is not ready: ${reason}`, 'postrider status says more')),
    ...alerts.map(({ name, text }) =>
      doubtful('machine', `alert ${name}: ${text}`, 'postrider status says more'),
    ),
  ];
}

function examineDirectory({ dataDir, diskReserveBytes: reserve }: Config): Finding[] {
  // What is missing is made at the start, in the nearest directory that is there.
  let there = dataDir;
  while (!existsSync(there)) there = dirname(there);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch {
    return [
      bad(
        'machine',
        `${there} may not be written by this user`,
        `chown it to the user of the server: chown postrider ${there}`,
      ),
    ];
  }
  const refused = there === dataDir ? writingInto(there) : undefined;
  if (refused !== undefined)
    return [
      bad(
        'machine',
        `${there} takes no file: ${refused}`,
        'make room, or see dmesg; a file system that turned read-only is mended (fsck) and mounted anew',
      ),
    ];
  const { bavail, bsize } = statfsSync(there);
  const free = bavail * bsize;
  const text = `${formatSize(free)} free in ${dataDir}, disk_reserve is ${formatSize(reserve)}`;
  if (free < reserve) return [bad('machine', `${text}: new mail is refused`, 'make room')];
  return [
    free < 2 * reserve
      ? doubtful('machine', `${text}: injection is slowed`, 'make room')
      : good('machine', text),
  ];
}

/** What the file system says when it is to take a file; a right to write says nothing of a disk that failed. */
function writingInto(dir: string): string | undefined {
  const file = join(dir, `doctor-${process.pid}`);
  try {
    writeFileSync(file, 'x', { flag: 'wx' });
    rmSync(file);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function examineKey({ secretFile }: Config): Finding[] {
  if (!existsSync(secretFile)) return [good('machine', `${secretFile} is made at the first start`)];
  const tokens = loadTokens(secretFile);
  return tokens.ok
    ? [good('machine', 'the key of the return paths can be read')]
    : [bad('machine', tokens.error, 'restore it from a backup: return paths of mail under way depend on it')];
}

async function examinePorts({ smtp, mx, status, control }: Config): Promise<Finding[]> {
  const listeners = [...smtp.listen, ...mx.listen, status.listen, control.listen].filter(
    (one) => one !== null,
  );
  return Promise.all(listeners.map(examinePort));
}

/** Nothing answers on the control socket, so nothing may have the ports either. */
async function examinePort({ host, port }: Endpoint): Promise<Finding> {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const code = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
  if (code === undefined) return good('ports', `${where} can be listened on`);
  if (code === 'EADDRINUSE')
    return bad('ports', `${where} is in use by another program`, `find it with: ss -ltnp sport = :${port}`);
  if (code === 'EACCES')
    return bad(
      'ports',
      `${where} needs a privilege`,
      'give the unit AmbientCapabilities=CAP_NET_BIND_SERVICE',
    );
  if (code === 'EADDRNOTAVAIL')
    return bad(
      'ports',
      `${host} is no address of this machine`,
      'write one that "ip address" shows, or 0.0.0.0',
    );
  return bad('ports', `${where} cannot be listened on (${code})`, 'write another address or port');
}

function examineAddresses({ nodes }: Config): Finding[] {
  const own = new Set(
    Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .map(({ address }) => address),
  );
  // All of 127.0.0.0/8 is on the loopback interface, which names one address of it.
  const has = (address: string): boolean => own.has(address) || address.startsWith('127.');
  return nodes
    .filter(({ address }) => !has(address))
    .map(({ name, address }) =>
      bad(
        'node',
        `${name}: ${address} is not on this machine, so it is down`,
        `ip address add ${address}/32 dev ${firstInterface()}`,
      ),
    );
}

const firstInterface = (): string =>
  Object.entries(networkInterfaces()).find(([, all]) => all?.some(({ internal }) => !internal))?.[0] ??
  'eth0';

/** Port 25 is closed outwards in many networks; only an attempt tells. */
async function probeFrom(config: Config, domain: string, resolver: Resolver): Promise<Finding[]> {
  const plan = await plannerOf(config, resolver).resolve(domain);
  const host = plan.ok ? plan.value.hosts()[0] : undefined;
  const [address] = host?.addresses ?? [];
  if (!host || address === undefined)
    return [bad('node', `${domain} has no mail host that can be asked`, 'name another domain with --probe')];
  return Promise.all(
    config.nodes.map(async ({ name, address: from, hostname }) => {
      const said = await dialogue({ host: host.name, address, port: host.port, from, hostname, tls: false });
      return said.problem === undefined
        ? good(
            'node',
            `${name} reaches ${host.name}: ${said.lines.find(({ who }) => who === 'them')?.text ?? ''}`,
          )
        : bad(
            'node',
            `${name} does not reach ${host.name}: ${said.problem}`,
            `ask the provider of ${from} to open port ${host.port} outwards`,
          );
    }),
  );
}
