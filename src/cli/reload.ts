/** `postrider reload`: the running server reads its configuration again; with errors it keeps the one it has. */
import { Command } from 'commander';
import type { ReloadView } from '../api/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';

export const reloadCommand = (io: Io): Command =>
  withConnection(new Command('reload').description('read the configuration again')).action(
    exitingWith((options: ConnectionOptions) => reload(io, options)),
  );

async function reload(io: Io, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.post<ReloadView>('/v1/config/reload', {});
  return show(io, options, result, (view) => reloadText(io, view));
}

export function reloadText(io: Pick<Io, 'colour'>, { changed, needs_restart: later }: ReloadView): string {
  if (changed.length === 0) return 'reloaded: nothing has changed\n';
  const lines = changed.map((key) =>
    later.includes(key) ? `  ${clean(key)}  ${paint(io, 'yellow', 'after a restart')}` : `  ${clean(key)}`,
  );
  return `reloaded, changed:\n${lines.join('\n')}\n`;
}
