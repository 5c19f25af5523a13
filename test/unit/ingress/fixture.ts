/** The injector over the real queue on a store without a disk. Nothing is sent: all nodes are down. */
import assert from 'node:assert/strict';
import { type Event, messageNumberOf, ok, type Result } from '../../../src/core/index.ts';
import {
  type Injected,
  type InjectionRefusal,
  type InjectRequest,
  type Labels,
  QueueInjector,
} from '../../../src/mta/ingress/index.ts';
import {
  type DeliveryRecord,
  type MessageRecord,
  type Pressure,
  Queue,
  type QueueState,
} from '../../../src/queue/index.ts';
import { numberKey } from '../../../src/queue/keys.ts';
import { readDelivery } from '../../../src/queue/leasing.ts';
import { unseal } from '../../../src/queue/records.ts';
import { Router } from '../../../src/routing/index.ts';
import { auditStore } from '../../support/audit.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { configured, type Settings } from '../egress/configured.ts';
import { FaultyKv } from '../queue/fixture.ts';

const SETTINGS: Settings = {
  nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
  senders: [
    { name: 'promo', nodes: [{ node: 'n1' }], lifetime: '2h' },
    { name: 'news', nodes: [{ node: 'n1' }] },
  ],
  virtual_senders: [
    {
      name: 'main',
      rules: [
        {
          when: 'default',
          senders: [
            { sender: 'promo', percent: 50 },
            { sender: 'news', percent: 50, from_name: 'News' },
          ],
        },
      ],
    },
  ],
};

export interface Desk {
  readonly kv: FaultyKv;
  readonly clock: FakeClock;
  readonly queue: Queue;
  readonly injector: QueueInjector;
  readonly errors: unknown[];
  /** What the queue reported, in a desk that may be damaged. */
  readonly told: string[];
}

/**
 * `restarted` is what a restart leaves of a desk: its store, its clock and a queue that was opened anew. A queue that
 * reports something fails the test, except where it is going to be damaged.
 */
export async function openDesk(
  settings: Settings = {},
  restarted?: Pick<Desk, 'kv' | 'clock' | 'queue'>,
  state: 'sound' | 'damaged' = 'sound',
  pressure?: Pressure,
): Promise<Desk> {
  const told: string[] = [];
  const kv = restarted?.kv ?? new FaultyKv();
  const clock = restarted?.clock ?? createFakeClock();
  const listen = state === 'sound' ? undefined : told;
  const queue = restarted?.queue ?? (await openQueue({ kv, clock }, listen));
  const config = configured({ ...SETTINGS, ...settings });
  const errors: unknown[] = [];
  const { maxMessageBytes } = config.smtp;
  const injector = new QueueInjector(
    {
      queue,
      clock,
      hostname: config.hostname,
      maxMessageBytes,
      maxRecipients: config.smtp.maxRecipients,
      repeatWindowMs: config.idempotencyWindowMs,
      policies: config.policies,
      pressure,
      onError: (error) => void errors.push(error),
    },
    new Router(config, () => false),
  );
  return { kv, clock, queue, injector, errors, told };
}

/** A queue on the store, as a start opens it; what it reports fails the test, or goes into `told`. */
export async function openQueue({ kv, clock }: Pick<Desk, 'kv' | 'clock'>, told?: string[]): Promise<Queue> {
  const report: QueueState['report'] = (_, text, details) =>
    told ? void told.push(`${text}: ${JSON.stringify(details)}`) : assert.fail(text);
  const { queue } = await Queue.open({ kv, clock, report });
  return queue;
}

const HEADER = ['From: Shop <news@shop.test>', 'To: all', 'Subject: s'];

export const mail = (fields: readonly string[] = [], body = 'Hello.\r\n'): Buffer =>
  Buffer.from(`${[...HEADER, ...fields].join('\r\n')}\r\n\r\n${body}`);

export const ORIGIN = { protocol: 'ESMTP', helo: 'app.test', peerAddress: '127.0.0.9' } as const;

export const request = (wish: Partial<InjectRequest> = {}): InjectRequest => ({
  from: 'bounce@shop.test',
  to: ['a@one.test'],
  content: mail(),
  labels: { virtualSender: 'main' } satisfies Labels,
  origin: ORIGIN,
  ...wish,
});

/** What was injected; the test fails when it was refused. The store is audited. */
export async function injected(desk: Desk, wish: Partial<InjectRequest> = {}): Promise<Injected> {
  return taken(desk, await desk.injector.inject(request(wish)));
}

/** `damage` is all that the audit may name. */
export function taken<T>(desk: Desk, result: Result<T, InjectionRefusal>, damage?: RegExp): T {
  assert.deepEqual(result, ok(result.ok ? result.value : undefined));
  const found = auditStore(desk.kv).filter((text) => !damage?.test(text));
  assert.deepEqual(found, []);
  return (result as { value: T }).value;
}

/** Why it was refused; nothing must be stored then. */
export async function refusal(desk: Desk, wish: Partial<InjectRequest> = {}): Promise<InjectionRefusal> {
  return refusedBy(desk, await desk.injector.inject(request(wish)));
}

export function refusedBy(desk: Desk, result: Result<unknown, InjectionRefusal>): InjectionRefusal {
  assert.ok(!result.ok, 'it was accepted');
  assert.equal([...desk.kv.range('deliveries', {})].length, 0);
  assert.equal([...desk.kv.range('contents', {})].length, 0);
  return result.error;
}

export function stored(
  { queue }: Desk,
  messageId: string,
  index = 1,
): { record: DeliveryRecord; message: MessageRecord } {
  const delivery = readDelivery(queue.state, messageNumberOf(messageId)!, index);
  return delivery ?? assert.fail(`no delivery ${messageId}.${index}`);
}

export const storedBytes = ({ kv }: Desk, messageId: string): Buffer =>
  unseal(kv.get('contents', numberKey(messageNumberOf(messageId)!))!);

export const storedContent = (desk: Desk, messageId: string): string =>
  storedBytes(desk, messageId).toString();

export const events = ({ queue }: Desk): Event[] => [...queue.state.journal.events(0)];
