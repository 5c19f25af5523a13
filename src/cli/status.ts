/** `postrider status`: how the server is, in a dozen lines; exit code 1 when it is not ready. */
import { Command } from 'commander';
import type { StatusView } from '../api/index.ts';
import { formatDuration } from '../core/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io, paint } from './io.ts';

export const statusCommand = (io: Io): Command =>
  withConnection(new Command('status').description('how the running server is')).action(
    exitingWith((options: ConnectionOptions) => status(io, options)),
  );

async function status(io: Io, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.get<StatusView>('/v1/status');
  const code = await show(io, options, result, (view) => statusText(io, view));
  return code === 0 && result.ok && !result.value.ready ? 1 : code;
}

export function statusText(io: Pick<Io, 'colour'>, view: StatusView): string {
  const { counters, queue, nodes, events } = view;
  const age =
    queue.oldest_seconds === undefined ? '' : `, oldest ${formatDuration(queue.oldest_seconds * 1000)}`;
  const failed = counters.hard_bounced + counters.undelivered;
  const running = nodes.filter(({ state }) => state === 'running').length;
  const lines = [
    `postrider ${view.version} on ${view.hostname}: ${view.ready ? paint(io, 'green', 'ready') : paint(io, 'red', 'not ready')}`,
    ...view.not_ready.map((reason) => `  ${reason}`),
    `up          since ${clock(view.up_since)} (${formatDuration(view.uptime_seconds * 1000)})`,
    `durability  ${view.durability}`,
    `queue       ${queue.total} (${queue.new} new, ${queue.proc} proc, ${queue.retry} retry, ${queue.hold} hold)${age}`,
    `accepted    ${counters.accepted} = ${counters.delivered} delivered + ${failed} failed + ${counters.removed} removed + ${counters.queued} queued`,
    `nodes       ${running} of ${nodes.length} running, ${nodes.reduce((sum, { sessions }) => sum + sessions, 0)} sessions`,
    ...nodes
      .filter(({ state }) => state !== 'running')
      .map(({ name, address, state }) => `  ${name} (${address}) is ${paint(io, 'yellow', state)}`),
    `events      ${events.last_seq < events.first_seq ? 'none yet' : `${events.first_seq} to ${events.last_seq}`}`,
    `data        ${view.data_dir}`,
    `config      ${view.config_file}`,
  ];
  return `${lines.map((line) => (io.colour ? line : clean(line))).join('\n')}\n`;
}
