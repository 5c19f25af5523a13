/** `postrider serve`: runs the MTA until it is told to end. SIGHUP reloads, SIGTERM and SIGINT end in order. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { loadConfig } from '../config/index.ts';
import { formatDuration, parseDuration } from '../core/index.ts';
import { boundGarbage } from './collector.ts';
import { EndSignals, ENDED } from './end-signals.ts';
import { createLog } from './log.ts';
import { Service } from './service.ts';
import { version } from './version.ts';

/** How long transactions under way may take when the program ends. */
const DRAIN_MS = 30_000; // config/systemd/postrider.service waits longer

export function serveCommand(): Command {
  return new Command('serve')
    .description('run the MTA')
    .requiredOption('-c, --config <file>', 'configuration file')
    .addOption(
      new Option('--drain <duration>', 'how long transactions under way may take at the end')
        .argParser(duration)
        .default(DRAIN_MS, formatDuration(DRAIN_MS)),
    )
    .action(async ({ config, drain }: { config: string; drain: number }) => {
      process.exitCode = await serve(resolve(config), drain);
    });
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('expected a duration such as 30s or 2m.');
  return ms;
}

/** Exit status: 0 ended in order, 1 could not start, 2 configuration errors. */
async function serve(configFile: string, drainMs: number): Promise<number> {
  boundGarbage();
  const loaded = await loadConfig(configFile);
  const log = createLog(
    loaded.ok ? loaded.value.config.log : { level: 'info', format: 'auto' },
    process.stderr,
  );
  const signals = new EndSignals({ log, drainMs, process, mono: () => performance.now() });
  const started = await Service.start({ configFile, log, ending: signals.ending });
  if (!started.ok) {
    if (started.error.length === 0) {
      log.info(ENDED);
      return 0;
    }
    for (const line of started.error) process.stderr.write(`${line}\n`);
    return loaded.ok ? 1 : 2;
  }
  if (!signals.ending.aborted) announce(started.value, log);
  return signals.ended(started.value);
}

function announce({ config, egress }: Service, log: Logger): void {
  const { hostname, durability, control, smtp, status } = config;
  const place = ({ host, port }: { host: string; port: number }): string => `${host}:${port}`;
  log.info(
    {
      version,
      pid: process.pid,
      hostname,
      durability,
      control: control.socket,
      smtp: smtp.listen.map(place),
      ...(status.listen && { status: place(status.listen) }),
      nodes: egress.nodeFigures().map(({ name, address, state }) => `${name} ${address} ${state}`),
    },
    'postrider is running',
  );
  for (const { name, address, state } of egress.nodeFigures()) {
    if (state !== 'down') continue;
    const moves = config.nodes.find((node) => node.name === name)?.whenDown === 'move';
    log.error(
      { node: name },
      `node ${name} is down: ${address} is not on this machine; its mail ${moves ? 'moves to other nodes' : 'waits'}`,
    );
  }
}
