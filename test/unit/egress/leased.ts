/** Leased deliveries that no store knows. */
import { deliveryIdOf, messageNumberAt } from '../../../src/core/index.ts';
import type { DeliveryRecord, LeasedDelivery, MessageRecord, QueueHead } from '../../../src/queue/index.ts';

const FIRST = messageNumberAt(Date.UTC(2026, 0, 1));
const STANDARD = 2 ** 32 - 1;
let numbers = 0;

/** A queue that no store knows; its wake time may be changed. */
export function headOf(wish: Partial<QueueHead> = {}): QueueHead & { wakeAt: number } {
  const key = {
    node: 'n1',
    domain: 'one.test',
    sender: 'promo',
    account: '',
    campaign: '',
    rank: STANDARD,
    mark: 0,
  };
  const head = { id: ++numbers, wakeAt: Infinity, held: false, keepsBack: () => false, ...key, ...wish };
  return { flow: `${head.sender}\0${head.account}\0${head.campaign}`, ...head };
}

export interface LeasedWish {
  readonly recipient?: string;
  readonly content?: string | Buffer;
  readonly message?: Partial<MessageRecord>;
  readonly record?: Partial<DeliveryRecord>;
  readonly queue?: QueueHead;
}

export function leased({
  recipient = 'a@one.test',
  content = 'x',
  ...wish
}: LeasedWish = {}): LeasedDelivery {
  const number = FIRST + ++numbers;
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content);
  const record: DeliveryRecord = {
    recipient,
    sender: 'promo',
    node: 'n1',
    wakeAt: 0,
    expiresAt: Number.MAX_SAFE_INTEGER,
    attempts: [],
    ...wish.record,
  };
  const message: MessageRecord = {
    from: 'news@shop.test',
    fromAddress: 'news@shop.test',
    fromDomain: 'shop.test',
    kind: 'raw',
    bytes: bytes.length,
    eightBit: false,
    dotLine: false,
    smtpUtf8: false,
    createdAt: 0,
    band: 'standard',
    ...wish.message,
  };
  const id = deliveryIdOf(number, 1);
  const queue = wish.queue ?? headOf({ domain: recipient.slice(recipient.indexOf('@') + 1) });
  return { id, number, queue, index: 1, leaseId: numbers, shared: false, record, message, content: bytes };
}
