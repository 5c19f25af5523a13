/** The fields of an event that say which delivery it speaks of. */
import { messageIdOf } from '../core/index.ts';
import type { EventDraft } from './committer.ts';
import type { Delivery } from './records.ts';

export type DeliveryLabels = Omit<EventDraft, 'type' | 'time'>;

export function deliveryEvent({ id, number, record, message }: Delivery): DeliveryLabels {
  const metadata = record.metadata ? { ...message.metadata, ...record.metadata } : message.metadata;
  return {
    delivery_id: id,
    message_id: messageIdOf(number),
    campaign_id: message.campaignId,
    account_id: message.accountId,
    group: message.group,
    virtual_sender: message.virtualSender,
    sender: record.sender,
    node: record.node,
    recipient: record.recipient,
    from_domain: message.fromDomain,
    size: message.bytes,
    metadata,
    ...(message.test && { test: true, test_of: message.testOf }),
    ...(record.copyOf && { copy_of: record.copyOf }),
  };
}
