/** `postrider message show ID`: the story of a message or of one delivery. */
import { Command } from 'commander';
import type { DeliveryView, MessageView } from '../api/index.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { type ExitCode, exitingWith, type Io, shortClock } from './io.ts';
import { deliveryStory, messageStory, replyText, whyText } from './story.ts';
import { renderTable } from './table.ts';

export const messageCommand = (io: Io): Command =>
  new Command('message')
    .description('messages')
    .addCommand(listCommand(io))
    .addCommand(
      withConnection(
        new Command('show').description('what happened to a message or delivery, and what comes next'),
      )
        .argument('<id>', 'message id, or delivery id (with a dot)')
        .option('--content', 'the mail itself, while it is stored; of a campaign, that of a delivery')
        .action(exitingWith((id: string, options: ShowOptions) => showMessage(io, id, options))),
    );

interface ShowOptions extends ConnectionOptions {
  readonly content?: true;
}

interface ListOptions extends ConnectionOptions {
  readonly recipient?: string;
  readonly campaign?: string;
  readonly state?: string;
  readonly limit: string;
}

interface Listed {
  readonly deliveries: readonly DeliveryView[];
  readonly next?: string;
}

const listCommand = (io: Io): Command =>
  withConnection(
    new Command('list').description('deliveries, queued and finished; with --recipient their story'),
  )
    .option('--recipient <address>', 'to one address: tells all that happened')
    .option('--campaign <id>', 'of one campaign')
    .option('--state <state>', 'new, proc, retry, hold, delivered, hard_bounce or undelivered')
    .option('--limit <n>', 'how many', '50')
    .action(exitingWith((options: ListOptions) => list(io, options)));

/** Exit code 1: there is none. */
async function list(io: Io, options: ListOptions): Promise<ExitCode> {
  const { recipient, campaign, state, limit } = options;
  const query = new URLSearchParams({
    limit,
    ...(recipient !== undefined && { recipient }),
    ...(campaign !== undefined && { campaign_id: campaign }),
    ...(state !== undefined && { state }),
  });
  const client = await connect(io, options);
  const found = await client.get<Listed>(`/v1/deliveries?${query.toString()}`);
  const code = await show(io, options, found, (listed) => listText(io, listed, recipient !== undefined));
  return code === 0 && found.ok && found.value.deliveries.length === 0 ? 1 : code;
}

const COLUMNS = [
  { title: 'delivery', whole: true },
  { title: 'recipient' },
  { title: 'state' },
  { title: 'tried', align: 'right' },
  { title: 'accepted', whole: true },
  { title: 'the last reply, or why it waits', beneath: true },
] as const;

export function listText(
  paper: Pick<Io, 'colour' | 'now' | 'columns'>,
  { deliveries, next }: Listed,
  asStories: boolean,
): string {
  if (deliveries.length === 0)
    return 'none is queued or in the history (history_retention says how long it is kept)\n';
  const more = next === undefined ? '' : 'there are more: see --limit\n';
  if (asStories) return deliveries.map((one) => deliveryStory(paper, one)).join('\n') + more;
  const rows = deliveries.map((one) => {
    const reply = one.attempts.at(-1)?.reply;
    const why = reply
      ? replyText(reply)
      : one.why_waiting === undefined
        ? one.final?.reason
        : whyText(paper, one.why_waiting);
    return [one.id, one.recipient, one.state, one.attempts.length, shortClock(paper, one.accepted_at), why];
  });
  return renderTable(COLUMNS, rows, paper) + more;
}

async function showMessage(io: Io, id: string, options: ShowOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const path = encodeURIComponent(id);
  if (options.content) {
    const content = await client.bytes(`/v1/${id.includes('.') ? 'deliveries' : 'messages'}/${path}/content`);
    if (!content.ok) return fail(io, options, content.error);
    // As bytes: mail need not be UTF-8.
    const base64 = { content: content.value.toString('base64') };
    await io.out(options.json ? `${JSON.stringify(base64)}\n` : content.value);
    return 0;
  }
  if (!id.includes('.')) {
    const message = await client.get<MessageView>(`/v1/messages/${path}`);
    return show(io, options, message, (view) => messageStory(io, view));
  }
  const delivery = await client.get<DeliveryView>(`/v1/deliveries/${path}`);
  return show(io, options, delivery, (view) => deliveryStory(io, view));
}
