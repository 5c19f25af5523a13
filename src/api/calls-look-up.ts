/** Calls that say what became of mail, and what is queued. */
import * as z from 'zod';
import { type Call, MAIL } from './call.ts';
import { explainQuery } from './explain.ts';
import {
  campaignsQuery,
  deliveriesQuery,
  deliveryPath,
  eventsQuery,
  messagePath,
  messageQuery,
  noQuery,
  queueQuery,
} from './schemas.ts';
import { deliveryList, deliveryView, eventView, messageView, queueReport } from './views.ts';
import { campaignList } from './views-campaigns.ts';
import { explainView } from './views-server.ts';

/** The message of the server that the examples are run against. */
export const EXAMPLE_MESSAGE = '0p1gwy3x000';

const mail = { status: 200, description: 'The mail, byte by byte.', schema: z.string(), type: MAIL } as const;

export const LOOK_UP_CALLS: readonly Call[] = [
  {
    method: 'GET',
    path: '/v1/messages/:id',
    id: 'getMessage',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'A message with its deliveries',
    description:
      'By the place of the recipient in the message, in pages: `next` of one is the `cursor` of the one after it.',
    params: messagePath,
    query: messageQuery,
    answer: { status: 200, description: 'The message.', schema: messageView },
    refusals: [404],
    example: { params: { id: EXAMPLE_MESSAGE } },
  },
  {
    method: 'GET',
    path: '/v1/deliveries/:id',
    id: 'getDelivery',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'One delivery: its attempts, and why it waits',
    params: deliveryPath,
    answer: { status: 200, description: 'The delivery.', schema: deliveryView },
    refusals: [404],
    example: { params: { id: `${EXAMPLE_MESSAGE}.1` } },
  },
  {
    method: 'GET',
    path: '/v1/messages/:id/content',
    id: 'getMessageContent',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'The content of a message, as it was accepted',
    description: 'While a delivery needs it. That of a campaign is asked for by delivery.',
    params: messagePath,
    query: noQuery,
    answer: mail,
    refusals: [404],
    example: { params: { id: EXAMPLE_MESSAGE } },
  },
  {
    method: 'GET',
    path: '/v1/deliveries/:id/content',
    id: 'getDeliveryContent',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'The content for one recipient',
    description:
      'While a delivery of the message needs it. With the variables and the From of this delivery; without what an ' +
      'attempt adds: List-Unsubscribe, what an ISP wants, the signature.',
    params: deliveryPath,
    query: noQuery,
    answer: mail,
    refusals: [404],
    example: { params: { id: `${EXAMPLE_MESSAGE}.1` } },
  },
  {
    method: 'GET',
    path: '/v1/deliveries',
    id: 'listDeliveries',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'Deliveries by recipient, campaign or state',
    description:
      'In the order of acceptance. A request reads through 20,000 deliveries at most, so a page may be short or empty and ' +
      'still have a `next`: go on until there is none.',
    query: deliveriesQuery,
    answer: { status: 200, description: 'A page of deliveries.', schema: deliveryList },
    example: { query: { recipient: 'ann@example.net', state: 'new', limit: 10 } },
  },
  {
    method: 'GET',
    path: '/v1/events',
    id: 'getEvents',
    tag: 'look-ups',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'Events of the journal, and those that come',
    description:
      'Oldest first. `after` is the `seq` of the last event that was read; with `follow=true` the stream goes on, with ' +
      'an empty line now and then to keep it alive.',
    query: eventsQuery,
    answer: { status: 200, description: 'Events.', schema: eventView, lines: true },
    example: { query: { after: 0, type: 'accepted,delivered' } },
  },
  {
    method: 'GET',
    path: '/v1/explain',
    id: 'explain',
    tag: 'look-ups',
    scope: 'read',
    summary: 'The way that mail to a recipient takes, and what stands in it',
    description: 'Nothing is sent, and no split takes a turn.',
    query: explainQuery,
    answer: {
      status: 200,
      description: 'Rule, sender, nodes, ISP, hosts, limits, locks.',
      schema: explainView,
    },
    example: { query: { recipient: 'ann@example.net', sender: 'promo' } },
  },
  {
    method: 'GET',
    path: '/v1/queue',
    id: 'getQueue',
    tag: 'queue',
    scope: 'read',
    bound: 'by accounts and senders',
    summary: 'What is queued, grouped',
    query: queueQuery,
    answer: { status: 200, description: 'Counts by group, largest first.', schema: queueReport },
    example: { query: { group_by: 'campaign,isp' } },
  },
  {
    method: 'GET',
    path: '/v1/campaigns',
    id: 'getCampaigns',
    tag: 'queue',
    scope: 'read',
    bound: 'by accounts',
    summary: 'How the mail of each campaign went',
    description:
      '`accepted` is always the sum of `delivered`, `hard_bounced`, `undelivered`, `removed` and `queued`. In the order ' +
      'of account and campaign; `next` of a page is the `cursor` of the one after it.',
    query: campaignsQuery,
    answer: { status: 200, description: 'Counts by account and campaign.', schema: campaignList },
    example: { query: { campaign_id: 'spring', limit: 100 } },
  },
];
