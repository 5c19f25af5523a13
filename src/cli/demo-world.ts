/**
 * The world of the demo: four receivers with different manners and one that puts all mail off, a DNS that knows them,
 * and a configuration for the MTA between them. Everything is on 127.0.0.0/8 and free ports; root is not needed.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPem, loadKey, publicRecord } from '../mta/dkim/index.ts';
import {
  type DnsStub,
  type Sink,
  type SinkOptions,
  startDnsStub,
  startSink,
  type Zones,
} from '../testbed/index.ts';

export interface DemoIsp {
  readonly name: string;
  readonly domain: string;
  readonly address: string;
  /** How it behaves, in a few words. */
  readonly manner: string;
  readonly sink: SinkOptions;
}

export const NODES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'] as const;
export const FROM_DOMAIN = 'news.shop.test';
export const UNKNOWN = 'unknown-';

/** What one node may send in a second to the receiver that counts, and what that receiver takes: a little less. */
const SENT_PER_SECOND = 60;
const TAKEN_PER_SECOND = 50;

export const ISPS: readonly DemoIsp[] = [
  { name: 'openpost', domain: 'openpost.test', address: '127.0.1.1', manner: 'takes all mail', sink: {} },
  {
    name: 'greymail',
    domain: 'greymail.test',
    address: '127.0.1.2',
    manner: 'greylists: 451 4.7.1 at the first attempt',
    sink: {
      rules: [
        {
          phase: 'rcpt',
          once: true,
          action: { code: 451, enhanced: '4.7.1', text: 'Greylisted, please try again in a moment' },
        },
      ],
    },
  },
  {
    name: 'slowbox',
    domain: 'slowbox.test',
    address: '127.0.1.3',
    manner: `answers 421 above ${TAKEN_PER_SECOND} a second`,
    sink: { rateLimit: { count: TAKEN_PER_SECOND, perMs: 1000 } },
  },
  {
    name: 'strictpost',
    domain: 'strictpost.test',
    address: '127.0.1.4',
    manner: 'refuses unknown users: 550 5.1.1',
    sink: { unknownUsers: [`${UNKNOWN}*@strictpost.test`] },
  },
];

/** Gets mail only when somebody stays to look around: he finds out why it is delayed. */
export const BUSY: DemoIsp = {
  name: 'busypost',
  domain: 'busypost.test',
  address: '127.0.1.5',
  manner: 'puts all mail off: 451 4.3.2',
  sink: {
    rules: [
      {
        phase: 'rcpt',
        action: { code: 451, enhanced: '4.3.2', text: 'Our storage is being moved, try again later' },
      },
    ],
  },
};
const RECEIVERS = [...ISPS, BUSY];

export interface DemoWorld {
  readonly dir: string;
  readonly configFile: string;
  readonly socket: string;
  readonly smtpPort: number;
  /** To sign in on the status page. */
  readonly statusToken: string;
  readonly sinks: ReadonlyMap<string, Sink>;
  close(): Promise<void>;
}

/** Starts receivers and DNS, and writes the configuration into a new directory under the system's temporary one. */
export async function createWorld(): Promise<DemoWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-demo-'));
  const sinks = await startSinks();
  const mxPort = sinks.get(ISPS[0]!.name)!.port;
  const pem = generateKeyPem('rsa-sha256');
  writeFileSync(join(dir, 'dkim.pem'), pem, { mode: 0o600 });
  const statusToken = randomBytes(9).toString('base64url');
  writeFileSync(join(dir, 'status.token'), statusToken, { mode: 0o600 });
  const dns = await startDnsStub({ zones: zones(pem) });
  const [smtpPort, statusPort] = await Promise.all([freePort(), freePort()]);
  const configFile = join(dir, 'postrider.yaml');
  const socket = join(dir, 'control.sock');
  writeFileSync(configFile, configuration({ dns, mxPort, smtpPort, statusPort }));
  const close = async (): Promise<void> => {
    await Promise.all([dns.close(), ...[...sinks.values()].map((sink) => sink.close())]);
  };
  return { dir, configFile, socket, smtpPort, statusToken, sinks, close };
}

/** All receivers on one port, as MX hosts are; another port when one of them has it in use. */
async function startSinks(): Promise<Map<string, Sink>> {
  for (let attempt = 1; ; attempt++) {
    const sinks = new Map<string, Sink>();
    try {
      let port = 0;
      for (const { name, address, domain, sink } of RECEIVERS) {
        const started = await startSink({
          ...sink,
          hostname: `mx.${domain}`,
          listen: [{ host: address, port }],
        });
        sinks.set(name, started);
        port = started.port;
      }
      return sinks;
    } catch (error) {
      await Promise.all([...sinks.values()].map((sink) => sink.close()));
      if (attempt === 5) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  const probe = await startSink();
  await probe.close();
  return probe.port;
}

function zones(pem: string): Zones {
  const key = loadKey(pem, { domain: FROM_DOMAIN, selector: 'demo' });
  const record = key.ok ? publicRecord(key.value) : undefined;
  const entries: (readonly [string, Zones[string]])[] = RECEIVERS.flatMap(({ domain, address }) => [
    [domain, { MX: [[10, `mx.${domain}`]] as const }] as const,
    [`mx.${domain}`, { A: [address] }] as const,
  ]);
  return { ...Object.fromEntries(entries), ...(record && { [record.name]: { TXT: [record.text] } }) };
}

interface Places {
  readonly dns: DnsStub;
  readonly mxPort: number;
  readonly smtpPort: number;
  readonly statusPort: number;
}

const configuration = ({
  dns,
  mxPort,
  smtpPort,
  statusPort,
}: Places): string => `# Made by \`postrider demo\`.
hostname: mta.shop.test
data_dir: data
control: { socket: control.sock }
status: { listen: "127.0.0.1:${statusPort}", token_file: status.token }
smtp: { listen: ["127.0.0.1:${smtpPort}"], relay_from: [127.0.0.1/32] }
dns: { servers: ["${dns.address}"], allow_loopback_mx: true }   # the receivers of the demo are on 127.0.1.x
egress: { port: ${mxPort} }                                     # 25 in real life
nodes:
${NODES.map((address, i) => `  - { name: n${i + 1}, address: ${address}, hostname: n${i + 1}.shop.test }`).join('\n')}
isps:
${RECEIVERS.map(({ name, domain, manner }) => `  - { name: ${name}, domains: [${domain}] }   # ${manner}`).join('\n')}
strategies:
  - { name: fast, concurrent_connections: 10, messages_per_connection: 100 }
  - { name: careful, rate: ${SENT_PER_SECOND}/1s, concurrent_connections: 3, messages_per_connection: 50 }
retry_rules:
  - { name: demo, type: fixed, interval: 2s, attempts: 20 }     # minutes to hours in real life
  - { name: patient, type: fixed, interval: 1m, attempts: 100 }
senders:
  - name: shop
    nodes: [{ node: n1 }, { node: n2 }, { node: n3 }]
    strategies: { default: fast, slowbox: careful }
    retry: demo
    lifetime: 10m
    return_path_domain: bounce.shop.test
    dkim: [{ domain: ${FROM_DOMAIN}, selector: demo, key_file: dkim.pem }]
  - name: news
    nodes: [{ node: n1 }, { node: n2 }, { node: n3 }]
    strategies: { default: fast, slowbox: careful }
    retry: patient
    lifetime: 24h
    return_path_domain: bounce.shop.test
    dkim: [{ domain: ${FROM_DOMAIN}, selector: demo, key_file: dkim.pem }]
`;
