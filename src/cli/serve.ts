/** `postrider serve`: runs the MTA until it is told to end. SIGHUP reloads, SIGTERM and SIGINT end in order. */
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Logger } from 'pino';
import { loadConfig } from '../config/index.ts';
import { formatDuration, parseDuration } from '../core/index.ts';
import { boundGarbage } from './collector.ts';
import { SAME_MS } from './interruption.ts';
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
  const started = await Service.start({ configFile, log });
  if (!started.ok) {
    for (const line of started.error) process.stderr.write(`${line}\n`);
    return loaded.ok ? 1 : 2;
  }
  announce(started.value, log);
  return ended(started.value, { log, drainMs });
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

/** Resolves to the exit status when the service has stopped after a signal. */
function ended(service: Service, { log, drainMs }: { log: Logger; drainMs: number }): Promise<number> {
  return new Promise((resolve) => {
    let since: number | undefined;
    const stop = (signal: NodeJS.Signals): void => {
      if (since !== undefined) {
        // One and the same: a terminal or systemd tells the whole group, and a parent (npm, our own) passes it on.
        if (performance.now() - since < SAME_MS) return;
        log.warn(`${signal} again: open sessions are cut`);
        service.hurry();
        return;
      }
      since = performance.now();
      log.info(
        `${signal}: ending; transactions under way may take ${formatDuration(drainMs)}, a second signal cuts them`,
      );
      service.stop(drainMs).then(
        () => {
          log.info('ended in order');
          resolve(0);
        },
        (error: unknown) => {
          log.error({ err: error }, 'the end was not in order; the next start recovers');
          resolve(1);
        },
      );
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('SIGHUP', () => void service.reloadBySignal());
  });
}
