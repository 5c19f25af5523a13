/** What happened to a message, told in order: accepted, each attempt, how it ended or what comes next and why. */
import type { AttemptView, DeliveryView, LabelsView, MessageView } from '../api/index.ts';
import { type EventReply, formatAge, formatDuration, formatSize } from '../core/index.ts';
import { clean, clock, type Io, paint } from './io.ts';

type Paper = Pick<Io, 'colour' | 'now'>;

export function messageStory(paper: Paper, message: MessageView): string {
  const { message_id: id, from, bytes, deliveries, more } = message;
  const head = [
    paint(paper, 'bold', `message ${id}`),
    `  from <${clean(from)}>, ${formatSize(bytes)}, accepted ${clock(message.accepted_at)}`,
    labelsLine(message.labels),
    message.content_kept ? '  the content is stored' : '  the content is gone: no delivery needs it any more',
  ];
  const stories = deliveries.map((delivery) => deliveryStory(paper, delivery));
  return (
    [...head, ''].join('\n') + stories.map((story) => `\n${story}`).join('') + (more ? '\nand more\n' : '')
  );
}

export function deliveryStory(paper: Paper, delivery: DeliveryView): string {
  const { id, recipient, sender, node, isp, attempts } = delivery;
  const lines = [
    `${paint(paper, 'bold', clean(recipient))}  ${id}  ${stateText(paper, delivery)}`,
    `  ${clock(delivery.accepted_at)}  accepted for sender ${sender}, node ${node}, ISP ${isp ?? 'not looked up yet'}`,
    ...attempts.map((attempt, i) => attemptLine(attempt, i + 1)),
    ...(delivery.possible_duplicate
      ? ['  a crash left open whether an attempt had succeeded: it may come twice']
      : []),
    ...outlook(paper, delivery),
  ];
  return `${lines.join('\n')}\n`;
}

function labelsLine({ campaign_id, account_id, virtual_sender, group, band }: LabelsView): string {
  const parts = [
    ['campaign', campaign_id],
    ['account', account_id],
    ['virtual sender', virtual_sender],
    ['group', group],
    ['band', band],
  ] as const;
  return `  ${parts
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${clean(value!)}`)
    .join(', ')}`;
}

function stateText(paper: Paper, { state, final }: DeliveryView): string {
  const text = final?.reason === undefined ? state : `${state} (${final.reason})`;
  if (state === 'delivered') return paint(paper, 'green', text);
  return paint(paper, final ? 'red' : 'yellow', text);
}

const attemptLine = ({ at, node, mx, outcome, reply }: AttemptView, number: number): string =>
  `  ${clock(at)}  attempt ${number} from ${node}${mx === undefined ? '' : ` to ${clean(mx)}`}: ${outcome}${
    reply ? `, ${replyText(reply)}` : ''
  }`;

/** `451 4.7.1 greylisted (rcpt)` */
export const replyText = ({ code, enhanced, text, phase }: EventReply): string =>
  `${[code, enhanced, clean(text)].filter((part) => part !== undefined && part !== '').join(' ')} (${phase})`;

/** Why it waits; since when it is held, as other times are told. */
export const whyText = ({ now }: Pick<Io, 'now'>, why: string): string =>
  clean(why).replace(
    /^held since (\d{4}-\S+?Z)(?=[ :])/,
    (_, at: string) => `held since ${clock(at)}, ${formatAge(now() - Date.parse(at))}`,
  );

/** How it ended, or what comes next. */
function outlook(paper: Paper, delivery: DeliveryView): string[] {
  const { final, state, next_attempt: next, why_waiting: why, expires } = delivery;
  if (final) return final.reason === 'lifetime' ? [`  ${clock(final.at)}  its lifetime was over`] : [];
  if (state === 'hold')
    return [`  ${whyText(paper, why ?? 'an operator holds it')}`, `  given up at ${clock(expires)}`];
  if (state === 'proc' || next === undefined) return ['  a session has it now'];
  const wait = Date.parse(next) - paper.now();
  const when =
    wait > 0 ? `next attempt ${clock(next)}, in ${formatDuration(wait)}` : `due since ${clock(next)}`;
  return [
    `  ${when}${why === undefined ? '' : `: ${whyText(paper, why)}`}`,
    `  given up at ${clock(expires)}`,
  ];
}
