/**
 * Forwards what is neither a report nor a request, through the queue like any other mail. From is kept; the reverse-path
 * becomes one of ours, so SPF holds and a bounce comes back here, where it cannot be forwarded again. Mail that was
 * forwarded before, or came around too often, is not forwarded: two systems must not write to each other for ever. What
 * becomes of it never puts the address on the stop list, for then all that comes later would be lost.
 */
import type { MxConfig } from '../../config/index.ts';
import type { InboundMail } from '../../queue/index.ts';
import type { Injector } from '../ingress/index.ts';
import { editHeader, scanHeader } from '../message/index.ts';

export interface ForwardOptions {
  readonly injector: Injector;
  readonly hostname: string;
  readonly mx: MxConfig;
  /** Name of the sender that does it; undefined: there is none. */
  readonly sender: string | undefined;
}

/** `forwarded`: durable in the queue. `later`: the store takes nothing now. Else why it cannot be. */
export type Forwarded =
  | { readonly kind: 'forwarded' }
  | { readonly kind: 'later' }
  | { readonly kind: 'refused'; readonly reason: string };

/** The box whose mail is never forwarded. */
const OWN_BOX = 'forwarded';
const MARK = 'postrider-forwarded';
const MAX_RECEIVED = 25;

const refused = (reason: string): Forwarded => ({ kind: 'refused', reason });

export async function forward(mail: InboundMail, raw: Buffer, options: ForwardOptions): Promise<Forwarded> {
  const { injector, hostname, mx, sender } = options;
  if (mx.forwardTo === null || sender === undefined) return refused('not_a_report');
  const scan = scanHeader(raw);
  const loops = scan.fields.some(({ name }) => name === MARK);
  const hops = scan.fields.filter(({ name }) => name === 'received').length;
  if (loops || hops > MAX_RECEIVED || mail.to.every((to) => to.startsWith(`${OWN_BOX}@`)))
    return refused('loop');
  const content = editHeader(raw, scan, {
    // Labels are for those who may inject.
    drop: (name) => name.startsWith('x-postrider-') || name === 'return-path',
    top: `Postrider-Forwarded: by ${hostname}\r\n`,
  });
  const injected = await injector.inject({
    from: mail.from === '' ? '' : `${OWN_BOX}@${mx.domains[0]!}`,
    to: [mx.forwardTo],
    content,
    labels: { sender },
    toOurselves: true,
    origin: { protocol: 'ESMTP', helo: mail.helo, peerAddress: mail.peer },
  });
  if (injected.ok) return { kind: 'forwarded' };
  return injected.error.kind === 'unavailable'
    ? { kind: 'later' }
    : refused(`cannot_forward: ${injected.error.text}`);
}
