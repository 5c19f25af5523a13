/** `postrider queue quarantine list|release|remove`: deliveries that are damaged and set aside. */
import { Command } from 'commander';
import type { QuarantineChange, QuarantineView } from '../api/index.ts';
import { ok, type Result } from '../core/index.ts';
import type { ControlClient, Problem } from './client.ts';
import { asks, type ConfirmOptions, confirmed, withConfirmation } from './confirm.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, clock, type ExitCode, exitingWith, type Io } from './io.ts';
import { renderTable } from './table.ts';

const PATH = '/v1/queue/quarantine';
const PAGE = 1000;

interface ListOptions extends ConnectionOptions {
  readonly limit: string;
}

interface ChangeOptions extends ConnectionOptions, ConfirmOptions {
  readonly all?: true;
}

export function quarantineCommand(io: Io): Command {
  const quarantine = new Command('quarantine').description('deliveries that are damaged and set aside');
  quarantine.addCommand(
    withConnection(new Command('list').description('which, and why'))
      .option('--limit <n>', 'how many to print, the oldest first', '100')
      .action(exitingWith((options: ListOptions) => list(io, options))),
  );
  for (const [name, text] of [
    ['release', 'try again what can be read again'],
    ['remove', 'end them as undelivered with the reason removed'],
  ] as const)
    quarantine.addCommand(
      withConnection(new Command(name).description(text))
        .argument('[deliveries...]', 'ids of deliveries')
        .option('--all', 'all that are in the quarantine')
        .action(
          exitingWith((ids: readonly string[], options: ChangeOptions) => change(io, { name, ids }, options)),
        ),
    );
  withConfirmation(quarantine.commands.at(-1)!, 'how many it would remove');
  return quarantine;
}

async function list(io: Io, options: ListOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const result = await client.get<QuarantineView>(`${PATH}?limit=${encodeURIComponent(options.limit)}`);
  return show(io, options, result, (view) => quarantineText(io, view));
}

export function quarantineText(io: Pick<Io, 'columns'>, { quarantined, deliveries }: QuarantineView): string {
  if (quarantined === 0) return 'the quarantine is empty\n';
  const columns = [
    { title: 'delivery', whole: true },
    { title: 'since', whole: true },
    ...['to', 'sender', 'node'].map((title) => ({ title })),
    { title: 'reason', beneath: true },
  ] as const;
  const cells = deliveries.map((one) => [
    one.delivery_id,
    clock(one.since),
    clean(one.recipient ?? (one.domain === undefined ? '-' : `@${one.domain}`)),
    one.sender ?? '-',
    one.node ?? '-',
    clean(one.reason),
  ]);
  const more = quarantined - deliveries.length;
  return renderTable(columns, cells, io) + (more > 0 ? `${more} more: see --limit\n` : '');
}

async function change(
  io: Io,
  { name, ids }: { readonly name: string; readonly ids: readonly string[] },
  options: ChangeOptions,
): Promise<ExitCode> {
  if (ids.length > 0 === (options.all === true))
    return fail(io, options, {
      exitCode: 2,
      code: 'usage',
      message: 'name deliveries, or give --all',
      lines: [],
    });
  const client = await connect(io, options);
  if (name === 'remove') {
    const count = options.all ? await countOf(client) : ok({ quarantined: ids.length });
    if (!count.ok || options.dryRun)
      return show(io, options, count, ({ quarantined }) => `${quarantined} would be removed\n`);
    if (count.value.quarantined === 0 && asks(io, options))
      return show(io, options, count, () => 'nothing is in the quarantine\n');
    const agreed = await confirmed(io, options, `remove ${count.value.quarantined} damaged deliveries?`);
    if (!agreed.ok) return fail(io, options, agreed.error);
    if (!agreed.value) return 1;
  }
  const result = await (options.all ? changeAll(client, name) : changeSome(client, name, ids));
  const code = await show(io, options, result, ({ done, refused }) =>
    [
      `${done} ${name === 'remove' ? 'removed' : 'released'}\n`,
      ...refused.map((one) => clean(`${one.delivery_id} ${one.message}`) + '\n'),
    ].join(''),
  );
  return result.ok && result.value.refused.length > 0 ? 1 : code;
}

async function countOf(client: ControlClient): Promise<Result<{ quarantined: number }, Problem>> {
  const page = await client.get<QuarantineView>(`${PATH}?limit=1`);
  return page.ok ? ok({ quarantined: page.value.quarantined }) : page;
}

type Changed = Promise<Result<QuarantineChange, Problem>>;

const changeSome = (client: ControlClient, name: string, ids: readonly string[]): Changed =>
  client.post<QuarantineChange>(`${PATH}/${name}`, { delivery_ids: ids });

/** In pages; what is refused stays, so the next page begins behind it. */
async function changeAll(client: ControlClient, name: string): Changed {
  let all: QuarantineChange = { done: 0, refused: [] };
  for (let after = ''; ;) {
    const page = await client.get<QuarantineView>(`${PATH}?limit=${PAGE}${after}`);
    if (!page.ok) return page;
    const ids = page.value.deliveries.map((one) => one.delivery_id);
    if (ids.length === 0) return ok(all);
    const changed = await changeSome(client, name, ids);
    if (!changed.ok) return changed;
    all = { done: all.done + changed.value.done, refused: [...all.refused, ...changed.value.refused] };
    after = `&after=${ids.at(-1)!}`;
  }
}
