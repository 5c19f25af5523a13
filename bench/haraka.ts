/**
 * Haraka beside Postrider, from a folder with its npm package (`npm install Haraka`), which `HARAKA_MODULES` names: two
 * processes, which is what it does best on two cores. A plugin of a few lines takes all mail and routes it.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { startProgram, stopProgram, waitUntilReady } from './child.ts';
import { type Contender, freePort, greets, type Place, type Running } from './contender.ts';
import { FROM_DOMAIN } from './workloads.ts';

const PROCESSES = 2;
const SESSIONS = 100;

/** Haraka where it can run, or why it cannot. */
export function findHaraka(): Contender | string {
  const modules = process.env['HARAKA_MODULES'];
  if (modules === undefined) return 'HARAKA_MODULES does not name a node_modules folder with it';
  const home = join(modules, 'Haraka');
  if (!existsSync(join(home, 'bin/haraka'))) return `there is no ${home}`;
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string };
  return {
    name: 'haraka',
    version,
    cannot: ({ injection, refusals }) => {
      if (refusals !== undefined) return 'its retries follow other times';
      return injection === 'campaign' ? 'Haraka has no campaigns' : undefined;
    },
    start: (place) => start(place, home),
  };
}

async function start({ dir, receiverPort, dkimKey }: Place, home: string): Promise<Running> {
  const smtpPort = await freePort();
  const config: Record<string, string> = {
    'plugins/route.js': plugin(receiverPort),
    'config/plugins': `route\n${dkimKey === undefined ? '' : 'dkim\n'}`,
    'config/smtp.ini': `listen=127.0.0.1:${smtpPort}\nnodes=${PROCESSES}\n[headers]\nclean_auth_results=false\n`,
    'config/outbound.ini': `concurrency_max=${SESSIONS}\nlocal_mx_ok=true\nenable_tls=false\ninet_prefer=v4\n`,
    'config/me': 'mta.bench.test\n',
    'config/log.ini': '[main]\nlevel=notice\n',
    'config/internalcmd_key': 'x\n',
    'package.json': '{"name":"bench-haraka","version":"1.0.0","private":true}\n',
  };
  if (dkimKey !== undefined) {
    config['config/dkim.ini'] = '[sign]\nenabled=true\n[verify]\nenabled=false\n';
    config[`config/dkim/${FROM_DOMAIN}/private`] = dkimKey;
    config[`config/dkim/${FROM_DOMAIN}/selector`] = 's1\n';
  }
  for (const [name, text] of Object.entries(config)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  // Without it the program does not start.
  copyFileSync(join(home, 'config/connection.ini'), join(dir, 'config/connection.ini'));
  mkdirSync(join(dir, 'queue'));
  symlinkSync(dirname(home), join(dir, 'node_modules'));
  const log = join(dir, 'log');
  const haraka = startProgram(process.execPath, [join(home, 'bin/haraka'), '-c', dir], log);
  await waitUntilReady(haraka, () => greets(smtpPort), log);
  return {
    smtpPort,
    controlSocket: undefined,
    pids: [haraka.pid!],
    queued: () => Promise.resolve(readdirSync(join(dir, 'queue')).length),
    stop: () => stopProgram(haraka),
  };
}

const plugin = (receiverPort: number): string => `
exports.hook_connect_init = (next, connection) => { connection.relaying = true; next(); };
exports.hook_get_mx = (next) => next(OK, { exchange: '127.0.0.1', port: ${receiverPort}, priority: 0 });
`;
