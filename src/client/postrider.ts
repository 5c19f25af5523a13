/**
 * `postrider/client`: the control API, typed. Methods throw PostriderError when the server refuses and ConnectionBroken
 * when nothing is known of the outcome; `send` and `batch` may then be repeated with the same idempotency key.
 */
import type {
  AcceptedMessage,
  CampaignsView,
  CampaignView,
  DeliveryView,
  LimitedCampaign,
  MessageView,
  NodeView,
  QueueReport,
  schemas,
  SpeedView,
  StatusView,
} from '../api/index.ts';
import type { Event } from '../core/index.ts';
import {
  type BatchHeader,
  type BatchOptions,
  type BatchProgress,
  type BatchRecipient,
  type BatchResult,
  sendBatch,
} from './batch.ts';
import { Connection, type Target } from './connection.ts';
import { type EventsOptions, readEvents } from './events.ts';

export type Message = schemas.MessageInput;

/** What an operation is about: all fields must hold. `all: true` stands for everything. */
export interface Selector {
  readonly sender?: string;
  readonly node?: string;
  readonly account_id?: string;
  readonly campaign_id?: string;
  readonly isp?: string;
  readonly domain?: string;
  readonly recipient?: string;
  /** Duration, `2h`. */
  readonly older_than?: string;
  readonly all?: true;
}

export interface Job {
  readonly job: string;
  /** `counting`: `matched` still grows. */
  readonly state: 'counting' | 'running' | 'done';
  readonly matched: number;
  readonly done: number;
  readonly pending: number;
}

export interface OperationOptions {
  /** Says what it would do. */
  readonly dryRun?: boolean;
}

export interface DeliveryFilter {
  readonly recipient?: string;
  readonly campaignId?: string;
  readonly state?: DeliveryView['state'];
}

export interface CampaignFilter {
  readonly accountId?: string;
  readonly campaignId?: string;
}

export type CampaignLimits = schemas.CampaignLimitsInput;

export interface SpeedFilter {
  readonly sender?: string;
  readonly isp?: string;
  readonly node?: string;
}

const SILENCE_MS = 60_000;

export class Postrider {
  readonly #connection: Connection;

  constructor(target: Target) {
    this.#connection = new Connection(target);
  }

  /** Resolves when the message is durable. */
  send(message: Message): Promise<AcceptedMessage> {
    return this.#post('/v1/messages', message);
  }

  /**
   * Sends one content to many recipients; gives progress as commits happen and returns the result. The source is read
   * as fast as the server takes it. A connection that breaks is opened again, and no recipient is sent twice.
   */
  batch(
    header: BatchHeader,
    recipients: Iterable<BatchRecipient> | AsyncIterable<BatchRecipient>,
    options?: BatchOptions,
  ): AsyncGenerator<BatchProgress, BatchResult> {
    return sendBatch(this.#connection, { header, recipients }, options);
  }

  /** The same without the progress; `onRejected` is told of each recipient that was refused. */
  async sendBatch(
    header: BatchHeader,
    recipients: Iterable<BatchRecipient> | AsyncIterable<BatchRecipient>,
    options: BatchOptions & { readonly onProgress?: (progress: BatchProgress) => void } = {},
  ): Promise<BatchResult> {
    const batch = this.batch(header, recipients, options);
    for (;;) {
      const step = await batch.next();
      if (step.done) return step.value;
      options.onProgress?.(step.value);
    }
  }

  /** Events in order; with `follow` for ever, over broken connections. */
  events(options: EventsOptions = {}): AsyncGenerator<Event> {
    return readEvents(this.#connection, options);
  }

  message(id: string): Promise<MessageView> {
    return this.#get(`/v1/messages/${encodeURIComponent(id)}`);
  }

  delivery(id: string): Promise<DeliveryView> {
    return this.#get(`/v1/deliveries/${encodeURIComponent(id)}`);
  }

  /** The mail of a message, or of one delivery of a campaign, byte by byte, while a delivery needs it. */
  content(id: string): Promise<Buffer> {
    const kind = id.includes('.') ? 'deliveries' : 'messages';
    const path = `/v1/${kind}/${encodeURIComponent(id)}/content`;
    return this.#connection.bytes({ method: 'GET', path, silenceMs: SILENCE_MS });
  }

  /** All deliveries that fit, page by page. */
  async *deliveries({ recipient, campaignId, state }: DeliveryFilter = {}): AsyncGenerator<DeliveryView> {
    const fields = { recipient, campaign_id: campaignId, state };
    let cursor: string | undefined;
    do {
      const path = `/v1/deliveries?${queryOf({ ...fields, cursor, limit: '500' })}`;
      const page = await this.#get<{ deliveries: DeliveryView[]; next?: string }>(path);
      yield* page.deliveries;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  queue(groupBy: readonly schemas.Group[] = ['isp']): Promise<QueueReport> {
    return this.#get(`/v1/queue?${queryOf({ group_by: groupBy.join(',') })}`);
  }

  /** How the mail of each campaign goes, page by page, in the order of account and campaign. */
  async *campaigns({ accountId, campaignId }: CampaignFilter = {}): AsyncGenerator<CampaignView> {
    const fields = { account_id: accountId, campaign_id: campaignId };
    let cursor: string | undefined;
    do {
      const page = await this.#get<CampaignsView>(`/v1/campaigns?${queryOf({ ...fields, cursor })}`);
      yield* page.campaigns;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  /** Replaces the limits of a campaign, also while it runs; none given takes them away. */
  limitCampaign(
    campaignId: string,
    { accountId, ...limits }: CampaignLimits & { readonly accountId?: string },
  ): Promise<LimitedCampaign> {
    return this.#campaign(campaignId, 'limits', { account_id: accountId, ...limits });
  }

  /** The next start of a campaign: what its `per_start` keeps may go. */
  startCampaign(campaignId: string, accountId?: string): Promise<LimitedCampaign> {
    return this.#campaign(campaignId, 'start', { account_id: accountId });
  }

  status(): Promise<StatusView> {
    return this.#get('/v1/status');
  }

  async nodes(): Promise<readonly NodeView[]> {
    return (await this.#get<{ nodes: NodeView[] }>('/v1/nodes')).nodes;
  }

  /** What each sender may send towards each ISP, per node and in sum. */
  async speeds(filter: SpeedFilter = {}): Promise<readonly SpeedView[]> {
    return (await this.#get<{ speeds: SpeedView[] }>(`/v1/speeds?${queryOf({ ...filter })}`)).speeds;
  }

  /** Stops what fits, also what comes later, until `release`. */
  hold(selector: Selector, options?: OperationOptions): Promise<Job> {
    return this.#operate('hold', selector, options);
  }

  release(selector: Selector, options?: OperationOptions): Promise<Job> {
    return this.#operate('release', selector, options);
  }

  /** Ends what fits as undelivered, reason `removed`. */
  purge(selector: Selector, options?: OperationOptions): Promise<Job> {
    return this.#operate('purge', selector, options);
  }

  /** Makes what waits for a retry due now. */
  retry(selector: Selector, options?: OperationOptions): Promise<Job> {
    return this.#operate('retry', selector, options);
  }

  move(
    selector: Selector,
    target: { readonly node: string } | { readonly sender: string },
    options?: OperationOptions,
  ): Promise<Job> {
    return this.#operate('move', { ...selector, target }, options);
  }

  change(
    selector: Selector,
    target: { readonly band: 'priority' | 'geo' | 'standard' } | { readonly sender: string },
    options?: OperationOptions,
  ): Promise<Job> {
    return this.#operate('change', { ...selector, target }, options);
  }

  job(id: string): Promise<Job> {
    return this.#get(`/v1/jobs/${encodeURIComponent(id)}`);
  }

  /** Ends idle connections; the object is not used any more. */
  close(): void {
    this.#connection.close();
  }

  #operate(verb: string, body: object, { dryRun }: OperationOptions = {}): Promise<Job> {
    return this.#post(`/v1/queue/${verb}`, { ...body, ...(dryRun && { dry_run: true }) });
  }

  #campaign(id: string, verb: string, body: object): Promise<LimitedCampaign> {
    return this.#post(`/v1/campaigns/${encodeURIComponent(id)}/${verb}`, body);
  }

  #get<T>(path: string): Promise<T> {
    return this.#connection.call({ method: 'GET', path, silenceMs: SILENCE_MS });
  }

  #post<T>(path: string, body: object): Promise<T> {
    return this.#connection.call({ method: 'POST', path, body: JSON.stringify(body), silenceMs: SILENCE_MS });
  }
}

function queryOf(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new URLSearchParams(given).toString();
}
