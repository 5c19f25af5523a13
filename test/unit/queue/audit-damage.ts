/** A store with something of everything, and the kinds of damage that an audit must name. */
import { deliveryKey, numberKey, slotKey, textKey } from '../../../src/queue/keys.ts';
import type { Op, Table } from '../../../src/queue/kv.ts';
import { encodeRuns, hashOfRecipient, recipientsIn } from '../../../src/queue/recipient-index.ts';
import { decode, type DeliveryRecord, encode, seal, type SharedMessage } from '../../../src/queue/records.ts';
import { storedKey } from '../../../src/queue/queue-key.ts';
import { queuesOf } from '../../support/queues.ts';
import { answerOps, linesOp } from '../../../src/queue/index.ts';
import {
  accept,
  deferred,
  deliveriesFor,
  delivered,
  HOUR,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';

export interface Scene {
  readonly rig: Rig;
  /** Of one recipient, waiting; its slot is `slot`. */
  readonly waiting: number;
  readonly slot: Buffer;
  /** Of three recipients: finished, leased, deferred. */
  readonly shared: number;
  /** A batch under way. */
  readonly open: number;
  /** A batch with an idempotency key: two commits of two lines and one. */
  readonly keyed: number;
}

const indexed = (number: number, hash: number): Op => {
  const value = encodeRuns([{ number, first: 1, campaign: 0, hashes: [hash] }]);
  return { table: 'recipients', key: numberKey(9_999), value };
};
const groupsOf = ({ rig }: Scene) => [...rig.kv.range('recipients', {})];
/** The group of the shared message, in which one recipient stands in the place of another. */
function swapped(scene: Scene, [from, to]: readonly [index: number, index: number]): Op {
  const { key, value } = groupsOf(scene).find((group) =>
    recipientsIn(group.value)?.some(({ number }) => number === scene.shared),
  )!;
  const runs = recipientsIn(value)!.map(({ number, index, hash }) =>
    index === to
      ? { number, first: from, campaign: 0, hashes: [hashOfRecipient('a@one.test')] }
      : { number, first: index, campaign: 0, hashes: [hash] },
  );
  return { table: 'recipients', key, value: encodeRuns(runs) };
}
const KEY = 'shop\0order-17';
const line = (index: number) => ({ index, digest: Buffer.alloc(8, index) });

async function keyedBatch(rig: Rig): Promise<number> {
  const input = newMessage(rig, { to: [], open: true, delayMs: HOUR });
  const { number } = input;
  const answer = { number, at: rig.clock.now(), digest: 'digest', answer: undefined };
  const split = {
    table: 'splits',
    key: textKey('promo', 'rule'),
    value: encode({ credits: [1, -1] }),
  } as const;
  await rig.queue.accept({ ...input, also: [...answerOps(KEY, answer), split] });
  const add = (first: number, to: string[], close: boolean): Promise<void> =>
    rig.queue.accept({
      number,
      close,
      deliveries: deliveriesFor(rig, { to, delayMs: HOUR }, first),
      also: [
        linesOp(
          number,
          to.map((_, i) => line(first + i)),
        ),
      ],
    });
  await add(1, ['d@one.test', 'e@one.test'], false);
  await add(3, ['f@one.test'], true);
  return number;
}

export async function scene(): Promise<Scene> {
  const rig = await openRig();
  const shared = await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'], campaignId: 'spring' });
  const [first, , third] = await lease(rig);
  await rig.queue.record(first!, delivered(rig));
  await rig.queue.record(third!, deferred(rig));
  const wakeAt = rig.clock.now() + HOUR;
  const waiting = await accept(rig, { delayMs: HOUR });
  const open = await accept(rig, { to: [], open: true });
  await rig.kv.commit([write('meta', textKey('counted'), { seq: 0, bytes: 0 })]); // stored counts have a mark
  const queueId = queuesOf(rig.queue, 'n1', 'one.test').find(({ campaign }) => campaign === '')!.id;
  return {
    rig,
    waiting,
    slot: slotKey({ queueId, wakeAt, number: waiting, index: 1 }),
    shared,
    open,
    keyed: await keyedBatch(rig),
  };
}

export const remove = (table: Table, key: Buffer): Op => ({ table, key, value: undefined });
const spoil = (table: Table, key: Buffer): Op => ({ table, key, value: Buffer.from('rubbish') });
const write = (table: Table, key: Buffer, record: object): Op => ({ table, key, value: encode(record) });
const TWIN = { node: 'n1', domain: 'two.test', sender: 'promo', account: '', campaign: '', rank: 1, mark: 0 };
const NO_VALUE = Buffer.alloc(0);

function edited<T extends object>({ rig }: Scene, table: Table, key: Buffer, change: Partial<T>): Op {
  return write(table, key, { ...decode<T>(rig.kv.get(table, key)!), ...change });
}

export const DAMAGE: readonly { name: string; ops: (scene: Scene) => readonly Op[]; says: RegExp }[] = [
  {
    name: 'a damaged group in the log of the slots',
    ops: ({ rig }) => [...rig.kv.range('slot_log', {})].map(({ key }) => spoil('slot_log', key)),
    says: /in the log of the slots: groups? \d+/,
  },
  { name: 'a lost slot', ops: ({ slot }) => [remove('schedule', slot)], says: /neither a slot nor a lease/ },
  { name: 'a lost lease', ops: () => [remove('leases', numberKey(3))], says: /neither a slot nor a lease/ },
  {
    name: 'a damaged lease',
    ops: () => [spoil('leases', numberKey(3))],
    says: /lease 3: the value is damaged/,
  },
  {
    name: 'a second slot',
    ops: ({ slot }) => {
      const other = Buffer.from(slot);
      other[9] = other[9]! ^ 1;
      return [{ table: 'schedule', key: other, value: NO_VALUE }];
    },
    says: /a slot of \S+ that does not fit its record/,
  },
  {
    name: 'a slot left in the queue before a move',
    ops: ({ rig, waiting, slot }) => {
      const slotIn = 99;
      const other = Buffer.from(slot);
      other.writeUInt32BE(slotIn, 0);
      const key = deliveryKey(waiting, 1);
      const record = decode<DeliveryRecord>(rig.kv.get('deliveries', key)!);
      return [
        write('queues', storedKey(TWIN), { id: slotIn }),
        write('deliveries', key, { ...record, slotIn }),
        { table: 'schedule', key: other, value: NO_VALUE },
      ];
    },
    says: /has two slots/,
  },
  {
    name: 'a slot in a queue nobody knows',
    ops: ({ slot }) => {
      const other = Buffer.from(slot);
      other.writeUInt32BE(99, 0);
      return [remove('schedule', slot), { table: 'schedule', key: other, value: NO_VALUE }];
    },
    says: /is in queue 99, which is unknown/,
  },
  {
    name: 'a slot of nothing',
    ops: ({ waiting }) => [
      remove('deliveries', deliveryKey(waiting, 1)),
      remove('contents', numberKey(waiting)),
    ],
    says: /a slot of \S+, which is not queued/,
  },
  {
    name: 'a vanished delivery',
    ops: ({ waiting, slot }) => [
      remove('deliveries', deliveryKey(waiting, 1)),
      remove('contents', numberKey(waiting)),
      remove('schedule', slot),
    ],
    says: /was accepted, has not ended and is not queued/,
  },
  {
    name: 'a damaged delivery',
    ops: ({ waiting }) => [spoil('deliveries', deliveryKey(waiting, 1))],
    says: /deliveries .* damaged/,
  },
  {
    name: 'a recipient that cannot be found',
    ops: (s) => groupsOf(s).map(({ key }) => remove('recipients', key)),
    says: /does not stand among the recipients/,
  },
  {
    name: 'damaged recipients',
    ops: (s) => groupsOf(s).map(({ key }) => spoil('recipients', key)),
    says: /recipients \d+: the value is damaged/,
  },
  {
    name: 'a recipient with the hash of another',
    ops: ({ waiting }) => [indexed(waiting, 7)],
    says: /stands among the recipients with another address/,
  },
  {
    name: 'a recipient that stands there twice',
    ops: (s) => [swapped(s, [1, 2])],
    says: /\.1 stands among the recipients twice/,
  },
  {
    name: 'a recipient in whose place another one stands twice',
    ops: (s) => [swapped(s, [1, 2])],
    says: /\.2 does not stand among the recipients/,
  },
  {
    name: 'missing content',
    ops: ({ waiting }) => [remove('contents', numberKey(waiting))],
    says: /has no content/,
  },
  {
    name: 'damaged content',
    ops: ({ waiting }) => [spoil('contents', numberKey(waiting))],
    says: /content of message \d+ is damaged/,
  },
  {
    name: 'content left over',
    ops: () => [{ table: 'contents', key: numberKey(7), value: seal(Buffer.from('x')) }],
    says: /content of message 7 is left over/,
  },
  {
    name: 'a missing message',
    ops: ({ shared }) => [remove('messages', numberKey(shared))],
    says: /has no message/,
  },
  {
    name: 'a damaged message',
    ops: ({ shared }) => [spoil('messages', numberKey(shared))],
    says: /messages .* damaged/,
  },
  {
    name: 'a wrong count of what remains',
    ops: (s) => [edited<SharedMessage>(s, 'messages', numberKey(s.shared), { remaining: 1 })],
    says: /counts 1 remaining, 2 are queued/,
  },
  {
    name: 'more remaining than accepted',
    ops: (s) => [edited<SharedMessage>(s, 'messages', numberKey(s.shared), { accepted: 1 })],
    says: /more remaining than accepted/,
  },
  {
    name: 'an open batch without its mark',
    ops: ({ open }) => [remove('meta', textKey('open', String(open)))],
    says: /its mark says otherwise/,
  },
  {
    name: 'a mark without its batch',
    ops: () => [{ table: 'meta', key: textKey('open', '7'), value: Buffer.of(1) }],
    says: /marked open and has no record/,
  },
  {
    name: 'a message inline and on its own',
    ops: (s) => {
      const { message } = decode<DeliveryRecord>(s.rig.kv.get('deliveries', deliveryKey(s.waiting, 1))!);
      return [write('messages', numberKey(s.waiting), { message, accepted: 1, remaining: 1, open: false })];
    },
    says: /stands inline and on its own/,
  },
  {
    name: 'a delivery that is queued and finished',
    ops: ({ rig, shared }) => [
      {
        table: 'deliveries',
        key: deliveryKey(shared, 1),
        value: rig.kv.get('history', deliveryKey(shared, 1)),
      },
    ],
    says: /is queued and in the history/,
  },
  {
    name: 'a delivery that was never accepted',
    ops: ({ rig, shared }) => [
      {
        table: 'deliveries',
        key: deliveryKey(shared, 9),
        value: rig.kv.get('deliveries', deliveryKey(shared, 2)),
      },
    ],
    says: /is queued and was never accepted/,
  },
  {
    name: 'history that tells another end',
    ops: (s) => [
      edited<DeliveryRecord>(s, 'history', deliveryKey(s.shared, 1), {
        final: { type: 'hard_bounce', at: 0 },
      }),
    ],
    says: /ended hard_bounce, the journal says delivered/,
  },
  {
    name: 'a gap in the journal',
    ops: () => [remove('journal', numberKey(4))],
    says: /goes on at 5 after 3/,
  },
  {
    name: 'a damaged group of the journal',
    ops: () => [spoil('journal', numberKey(1))],
    says: /the journal is damaged at 1/,
  },
  {
    name: 'a journal that lost its end',
    ops: () => [write('meta', textKey('counted'), { seq: 99 })],
    says: /the counts include event 99, the journal ends before it/,
  },
  {
    name: 'a journal that lost its beginning',
    ops: () => [remove('journal', numberKey(1))],
    says: /the counts end at 0, the journal begins at 4/,
  },
  {
    name: 'counts that do not fit the tables',
    ops: () => [write('rows', textKey('', 'spring', 'promo', 'n1', 'one.test'), { new: 5, retry: 0 })],
    says: /counted 6 new and 1 retry, found 1 and 1/,
  },
  {
    name: 'totals that do not add up',
    ops: () => [
      write('totals', textKey('', 'spring'), {
        accepted: 7,
        delivered: 0,
        hard_bounced: 0,
        undelivered: 0,
        removed: 0,
        soft_bounces: 0,
      }),
    ],
    says: /spring: .* do not add up/,
  },
  { name: 'damaged totals', ops: () => [spoil('totals', textKey('', 'spring'))], says: /counts are damaged/ },
  {
    name: 'a damaged answer',
    ops: () => [spoil('answers', Buffer.from(KEY))],
    says: /answers \S+: the value is damaged/,
  },
  {
    name: 'a lost answer',
    ops: () => [remove('answers', Buffer.from(KEY))],
    says: /accepted under a key that has no answer/,
  },
  {
    name: 'an answer that nothing forgets',
    ops: ({ keyed }) => [remove('lines', deliveryKey(keyed, 0))],
    says: /the answer of message \d+ is never forgotten/,
  },
  {
    name: 'an answer under another key',
    ops: ({ keyed }) => [{ table: 'lines', key: deliveryKey(keyed, 0), value: seal(Buffer.from('x')) }],
    says: /under another key than its mark/,
  },
  {
    name: 'damaged lines',
    ops: ({ keyed }) => [spoil('lines', deliveryKey(keyed, 3))],
    says: /the lines of message \d+ are damaged at 3/,
  },
  {
    name: 'lost lines',
    ops: ({ keyed }) => [remove('lines', deliveryKey(keyed, 1))],
    says: /accepted 3 lines, 1 are known/,
  },
  {
    name: 'lines in another place',
    ops: ({ keyed }) => [{ ...linesOp(keyed, [line(2)]), key: deliveryKey(keyed, 3) }],
    says: /do not fit their place at 3/,
  },
  {
    name: 'lines out of order',
    ops: ({ keyed }) => [linesOp(keyed, [line(1), line(1)])],
    says: /do not fit their place at 1/,
  },
  {
    name: 'lines cut off',
    ops: ({ keyed }) => [{ table: 'lines', key: deliveryKey(keyed, 3), value: seal(Buffer.alloc(7)) }],
    says: /do not fit their place at 3/,
  },
  {
    name: 'a damaged split',
    ops: () => [spoil('splits', textKey('promo', 'rule'))],
    says: /what the shares of promo are owed is damaged/,
  },
  {
    name: 'a split that is no numbers',
    ops: () => [write('splits', textKey('promo', 'rule'), { credits: [null] })],
    says: /what the shares of promo are owed is damaged/,
  },
  {
    name: 'a damaged format mark',
    ops: () => [spoil('meta', textKey('store'))],
    says: /format mark is damaged/,
  },
  { name: 'no format mark', ops: () => [remove('meta', textKey('store'))], says: /no format mark/ },
  {
    name: 'two queues of one id',
    ops: () => [write('queues', storedKey(TWIN), { id: 1 })],
    says: /queue 1 is n1 two\.test promo \S* \S* 1 0 and n1 one\.test/,
  },
];
