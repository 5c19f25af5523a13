/** `postrider events`: the journal, one readable line per event. */
import { Command } from 'commander';
import type { Event } from '../core/index.ts';
import { connect, type ConnectionOptions, fail, withConnection } from './connection.ts';
import { eventLine } from './event-line.ts';
import { folded } from './fold.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';

interface Options extends ConnectionOptions {
  readonly follow?: true;
  readonly after?: string;
  readonly type?: string;
  readonly campaign?: string;
  readonly delivery?: string;
  readonly limit?: string;
}

/** What is printed when nothing says where to start. */
const LAST = '-20';

export const eventsCommand = (io: Io): Command =>
  withConnection(new Command('events').description('what happened, from the journal'))
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--after <n>', `events after this number; -N: the last N (default: ${LAST})`)
    .option(
      '--type <types>',
      'accepted, delivered, soft_bounce, hard_bounce, undelivered, ...; several by commas',
    )
    .option('--campaign <id>', 'of one campaign')
    .option('--delivery <id>', 'of one delivery')
    .option('--limit <n>', 'end after so many')
    .action(exitingWith((options: Options) => events(io, options)));

export function eventsPath({ follow, after, type, campaign, delivery, limit }: Options): string {
  const query = new URLSearchParams({ after: after ?? LAST });
  if (follow) query.set('follow', 'true');
  if (type !== undefined) query.set('type', type);
  if (campaign !== undefined) query.set('campaign_id', campaign);
  if (delivery !== undefined) query.set('delivery_id', delivery);
  if (limit !== undefined) query.set('limit', limit);
  return `/v1/events?${query.toString()}`;
}

async function events(io: Io, options: Options): Promise<ExitCode> {
  const client = await connect(io, options);
  const signal = io.interrupted();
  const lines = await client.lines(eventsPath(options), signal);
  if (!lines.ok) return signal.aborted ? 0 : fail(io, options, lines.error);
  try {
    let printed = 0;
    for await (const line of lines.value) {
      const text = options.json ? line : folded(eventLine(io, JSON.parse(line) as Event), io.columns);
      await io.out(`${text}\n`);
      printed++;
    }
    if (printed === 0 && !options.follow && !options.json)
      io.err(
        `none${options.after === undefined ? ` among the last ${LAST.slice(1)} events: --after 0 looks at all that are kept` : ''}\n`,
      );
  } catch (error) {
    if (signal.aborted) return 0;
    const message = `the stream broke: ${(error as Error).message}`;
    return fail(io, {}, { exitCode: 1, code: 'connection', message, lines: [] });
  }
  // A followed stream has no end of its own.
  if (!options.follow || signal.aborted || options.limit !== undefined) return 0;
  io.err('the server ended the stream\n');
  return 1;
}
