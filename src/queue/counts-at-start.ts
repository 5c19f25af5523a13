/**
 * The counts as a start finds them: the stored snapshot and the events after it. Where one of these is damaged they are
 * counted anew: what is queued from the deliveries, how campaigns went from the events that are kept, and what was
 * accepted so that it is the sum of the others, because no more than that is known.
 */
import { domainOf, type Event } from '../core/index.ts';
import type { Counters } from './counters.ts';
import type { EndedToday } from './ended-today.ts';
import type { Journal } from './journal.ts';
import { numberKey, parseDeliveryKey } from './keys.ts';
import type { Kv } from './kv.ts';
import type { QuarantineRecord } from './quarantine.ts';
import {
  type DamageTold,
  type DeliveryRecord,
  healthy,
  type MessageRecord,
  type SharedMessage,
} from './records.ts';

interface Sources {
  readonly kv: Kv;
  readonly journal: Journal;
  readonly counters: Counters;
  readonly endedToday: EndedToday;
  readonly told: DamageTold;
}

/** False: they were counted anew. */
export function loadCounts(
  { kv, journal, counters, endedToday, told }: Sources,
  markIsWhole: boolean,
): boolean {
  let whole = counters.load(kv) && markIsWhole;
  endedToday.load(kv, told);
  const apply = (event: Event): void => {
    counters.apply(event);
    endedToday.apply(event);
  };
  // Without the mark nobody knows which events the snapshot has.
  if (markIsWhole)
    for (const event of journal.events(journal.counted)) {
      if (event.type === 'sink_gap' && !journal.leftOut(event)) whole = false;
      apply(event);
    }
  if (whole) return true;
  // A snapshot of an unknown event, or a campaign without one: all that is kept is told again, if it is all there was.
  if (journal.first === 1) {
    counters.forget();
    endedToday.forget();
    for (const event of journal.events(0)) apply(event);
  }
  counters.recount(queuedRows(kv));
  return false;
}

type RowLabels = readonly [account: string, campaign: string, sender: string, node: string, domain: string];
interface Queued {
  readonly labels: RowLabels;
  readonly tried: boolean;
}

/** The row of each queued delivery, as far as it can be read. */
function* queuedRows(kv: Kv): Generator<Queued> {
  let last: { readonly number: number; readonly message: MessageRecord | undefined } | undefined;
  for (const { key, value } of kv.range('deliveries', {})) {
    const { number } = parseDeliveryKey(key);
    const record = healthy<DeliveryRecord>(value);
    if (last?.number !== number) {
      const shared = kv.get('messages', numberKey(number));
      last = { number, message: shared && healthy<SharedMessage>(shared)?.message };
    }
    const message = record?.message ?? last.message;
    if (record && message) {
      const { accountId: account = '', campaignId: campaign = '' } = message;
      const labels = [account, campaign, record.sender, record.node, domainOf(record.recipient)] as const;
      yield { labels, tried: record.attempts.length > 0 };
      continue;
    }
    const aside = kv.get('damaged', key);
    const row = aside && healthy<QuarantineRecord>(aside)?.row;
    if (row) yield { labels: [row.account, row.campaign, row.sender, row.node, row.domain], tried: false };
  }
}
