/**
 * The bytes of one attempt: stored or rendered, changed where the sender's rule says so, converted when the peer
 * lacks 8BITMIME, and signed last (RFC 6376 §3.4.5: nothing may change a byte after that).
 */
import { isAscii } from 'node:buffer';
import {
  err,
  messageIdOf,
  needsSmtpUtf8,
  ok,
  parseAddress,
  type Refusal,
  type Result,
} from '../../core/index.ts';
import type { Tokens } from '../../fbl/index.ts';
import type { Delivery, LeasedDelivery } from '../../queue/index.ts';
import { signMessage } from '../dkim/index.ts';
import {
  type CampaignContent,
  decodeCampaign,
  downgrade,
  recode,
  RENDER_ROOM,
  renderContent,
  type Variables,
} from '../message/index.ts';
import type { Capabilities } from '../smtp/index.ts';
import { type BodyForm, BodyHashes } from './body-hashes.ts';
import type { Sender } from './context.ts';
import { feedbackFields } from './feedback-fields.ts';
import type { IspWishes } from './isp.ts';
import { RenderMemory } from './render-memory.ts';
import { ispHeader, overrideHeader } from './override.ts';

export interface AttemptContent {
  /** Rendered content, whose memory may be used again once the message was accepted. */
  readonly rendered: Buffer | undefined;
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  readonly dotLine: boolean;
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
}

const CAMPAIGNS = 32;
const NOTHING = Buffer.alloc(0);

type Filled = Delivery & Pick<LeasedDelivery, 'content'>;

/** Campaign contents, decoded once and used for all their recipients; bounded. */
export class Campaigns {
  readonly #decoded = new Map<number, CampaignContent>();
  readonly #bodyHashes = new BodyHashes();
  readonly memory = new RenderMemory();

  /** Throws when the stored content cannot be decoded: a bug or damage, never the peer's business. */
  get({ number, content }: Filled): CampaignContent {
    const known = this.#decoded.get(number);
    if (known) return known;
    const decoded = decodeCampaign(content);
    if (!decoded.ok) throw new Error(`campaign content ${messageIdOf(number)}: ${decoded.error}`);
    if (this.#decoded.size >= CAMPAIGNS) this.#decoded.delete(this.#decoded.keys().next().value!);
    this.#decoded.set(number, decoded.value);
    return decoded.value;
  }

  /** That of the content as it leaves, where it is the same for all recipients. */
  bodyHash(delivery: LeasedDelivery, form: BodyForm, content: Buffer): string | undefined {
    return delivery.message.kind === 'raw'
      ? undefined
      : this.#bodyHashes.of(this.get(delivery), form, content);
  }
}

export interface BuildInput {
  readonly delivery: LeasedDelivery;
  readonly sender: Sender;
  readonly campaigns: Campaigns;
  readonly tokens: Tokens;
  readonly peer: Capabilities;
  /** What the ISP wants changed: header fields, encoding of texts. */
  readonly wishes: IspWishes | undefined;
  readonly now: number;
}

export async function buildContent(input: BuildInput): Promise<Result<AttemptContent, Refusal>> {
  const { delivery, sender, peer } = input;
  const { message, record } = delivery;
  const rendered = recipientContent(delivery, input.campaigns);
  let content = rendered;
  const keys = sender.keys.keysFor(fromDomainOf(delivery));
  let front = frontOf(content, input, keys.length > 0);
  // What changes the whole message needs it in one piece; a stored message that leaves as it is need not be copied.
  if (front.length > 0 && (input.wishes || (message.eightBit && !peer.eightBitMime))) {
    content = inOnePiece(front, content, delivery);
    front = NOTHING;
  }
  const { headers, encoding } = input.wishes ?? {};
  if (headers) content = ispHeader(content, headers);
  if (encoding) content = recode(content, encoding);
  const asStored = message.kind === 'raw' && !encoding && !record.override;
  const declared = asStored ? message.eightBit : !isAscii(content);
  let eightBit = declared;
  if (eightBit && !peer.eightBitMime) {
    const converted = downgrade(content);
    if (!converted.ok)
      return err(
        refuse(
          'unsupported',
          `the peer lacks 8BITMIME and the message cannot be converted: ${converted.error}`,
        ),
      );
    content = converted.value;
    eightBit = false;
  }
  if (keys.length === 0 && sender.config.dkimMissing === 'refuse') {
    return err(
      refuse(
        'dkim',
        `sender ${sender.config.name} has no DKIM key for ${fromDomainOf(delivery)} and dkim_missing is refuse`,
      ),
    );
  }
  const form = { wishes: input.wishes, converted: eightBit !== declared };
  const bodyHash = keys.length > 0 ? input.campaigns.bodyHash(delivery, form, content) : undefined;
  const options = { now: input.now, front, ...(bodyHash !== undefined && { bodyHash }) };
  const signature = keys.length > 0 ? await signMessage(content, keys, options) : undefined;
  const recipient = parseAddress(record.recipient);
  const utf8Address = recipient.ok && needsSmtpUtf8(recipient.value);
  return ok({
    rendered: hasRoom(delivery) ? rendered : undefined,
    parts: [signature ?? NOTHING, front, content].filter((part) => part.length > 0),
    bytes: front.length + content.length + (signature?.length ?? 0),
    dotLine:
      message.kind === 'campaign' ||
      message.dotLine ||
      record.override !== undefined ||
      input.wishes !== undefined ||
      eightBit !== declared,
    eightBit,
    smtpUtf8: message.smtpUtf8 || utf8Address || (eightBit && isUtf8Header(content)),
  });
}

/** An address that came with a variable or a sender's rule is only seen in the header as it leaves (RFC 6532 §3.2). */
const isUtf8Header = (content: Buffer): boolean =>
  !isAscii(content.subarray(0, content.indexOf('\r\n\r\n') + 1));

/** What `recipientContent` gives stands behind RENDER_ROOM, in memory of its own. */
const hasRoom = ({ message, record }: Delivery): boolean =>
  message.kind === 'campaign' && record.override === undefined;

function inOnePiece(front: Buffer, content: Buffer, delivery: Delivery): Buffer {
  if (!hasRoom(delivery) || front.length > RENDER_ROOM) return Buffer.concat([front, content]);
  const bytes = front.length + content.length;
  const whole = Buffer.from(content.buffer, content.byteOffset - front.length, bytes);
  front.copy(whole);
  return whole;
}

/** Fields that go in front of the content, for senders that ask for them. */
function frontOf(content: Buffer, { delivery, sender, tokens }: BuildInput, signed: boolean): Buffer {
  const { config } = sender;
  if (config.returnPathDomain === null && config.listUnsubscribe === null) return NOTHING;
  return feedbackFields(content, { delivery, sender: config, tokens, signed });
}

/** The domain whose key signs: that of the From field as it leaves. */
export function fromDomainOf({ record, message }: LeasedDelivery): string {
  const address = record.override?.fromEmail;
  return address === undefined
    ? message.fromDomain
    : address.slice(address.lastIndexOf('@') + 1).toLowerCase();
}

/** The content for the recipient, before what the attempt adds: fields of the sender, wishes of the ISP, the signature. */
export function recipientContent(delivery: Filled, campaigns = new Campaigns()): Buffer {
  const { message, record, id: messageIdText } = delivery;
  const content =
    message.kind === 'raw'
      ? delivery.content
      : renderContent(
          campaigns.get(delivery),
          {
            recipient: record.recipient,
            vars: (record.vars ?? {}) as Variables,
            messageIdText,
          },
          campaigns.memory.take,
        );
  return record.override ? overrideHeader(content, record.override) : content;
}

const refuse = (cause: 'unsupported' | 'dkim', text: string): Refusal => ({
  scope: 'message',
  permanent: true,
  phase: 'mail',
  reply: undefined,
  cause,
  text,
});
