/**
 * The one way in. Both doors (SMTP, control socket) end here: checks, header work, routing, one durable commit.
 * A refusal names the field and what to write instead; nothing is half accepted: recipients that are refused are
 * named, all others are committed together.
 */
import type { PolicyConfig } from '../../config/index.ts';
import { err, messageIdOf, ok, type Result } from '../../core/index.ts';
import {
  acceptedOf,
  hasLines,
  KnownLines,
  type MessageRecord,
  type NewDelivery,
  type Pressure,
  type Queue,
} from '../../queue/index.ts';
import type { Router } from '../../routing/index.ts';
import { type CampaignContent, compileRaw, composeContent, encodeCampaign } from '../message/index.ts';
import { CampaignBatch } from './batch.ts';
import type {
  Batch,
  BatchHeader,
  ContentParts,
  Injected,
  InjectionRefusal,
  Injector,
  VariableRules,
  InjectRequest,
  Labels,
  PreparedMessage,
} from './contract.ts';
import { CopyDesk, watchersOf } from './copies.ts';
import { limitsOf } from './limits.ts';
import {
  checkEnvelope,
  type MessageLimits,
  prepareMessage,
  recipientsOf,
  recordOf,
  tooLarge,
} from './prepare.ts';
import { recipientDelivery, stoppedText } from './recipient.ts';
import { checkDeadline, checkReversePath, injectedOf, invalid, unavailable } from './refusals.ts';
import {
  answerFor,
  type KeyedBatch,
  remadeFor,
  remadeForBatch,
  type Repeatable,
  repeatable,
  repeatOf,
  Repeats,
} from './repeats.ts';
import { variableCheck } from './variables.ts';

export interface InjectorOptions extends MessageLimits {
  readonly queue: Queue;
  readonly clock: { now(): number };
  /** How long a request may be repeated under its idempotency key. */
  readonly repeatWindowMs: number;
  readonly policies?: readonly PolicyConfig[];
  readonly onError: (error: unknown) => void;
  /** Back-pressure; without it everything is taken. */
  readonly pressure?: Pressure | undefined;
}

/** What is fixed about a message before its recipients are looked at. */
interface Prepared {
  readonly content: Buffer;
  /** Whether the checksum stands in front of the content. */
  readonly sealed: boolean;
  readonly message: MessageRecord;
  readonly labels: Labels;
}

export class QueueInjector implements Injector {
  #options: InjectorOptions;
  #router: Router;
  readonly #repeats: Repeats;

  constructor(options: InjectorOptions, router: Router) {
    this.#options = options;
    this.#router = router;
    const { queue, clock } = options;
    this.#repeats = new Repeats(
      queue,
      () => clock.now(),
      () => this.#options.repeatWindowMs,
    );
  }

  /** After a reload. */
  configure(options: InjectorOptions, router: Router): void {
    this.#options = options;
    this.#router = router;
  }

  async inject(request: InjectRequest): Promise<Result<Injected, InjectionRefusal>> {
    const { queue, clock } = this.#options;
    const prepared = prepareMessage(request, this.#options, {
      nextNumber: () => queue.nextNumber(),
      now: clock.now(),
    });
    return prepared.ok ? this.submit(prepared.value) : prepared;
  }

  /** The second half of `inject`, for a message that `prepareMessage` has made ready. */
  async submit(prepared: PreparedMessage): Promise<Result<Injected, InjectionRefusal>> {
    const refused = await this.#held();
    if (refused) return err(refused);
    const { number, content, message, labels, digest } = prepared;
    const accept = (repeat?: Repeatable): Promise<Result<Injected, InjectionRefusal>> =>
      this.#accept(number, prepared, { content, sealed: true, message, labels }, repeat);
    if (digest === undefined) return accept();
    const repeat = repeatable(prepared.origin.caller, labels.idempotencyKey!, digest);
    return this.#repeats.once(repeat, remadeFor(prepared.recipients), () => accept(repeat));
  }

  async compose(request: Parameters<Injector['compose']>[0]): Promise<Result<Injected, InjectionRefusal>> {
    const checked = checkEnvelope(request, this.#options);
    if (!checked.ok) return checked;
    const timed = checkDeadline(request.labels);
    if (!timed.ok) return timed;
    const refused = await this.#held();
    if (refused) return err(refused);
    const number = this.#options.queue.nextNumber();
    const compiled = this.#compile(request.parts, number);
    if (!compiled.ok) return compiled;
    const campaign = withDefaults(compiled.value, request);
    const { maxMessageBytes } = this.#options;
    // No recipient of one message has variables of its own.
    const lacks = variableCheck(campaign, request, { maxMessageBytes, field: 'defaults' })(undefined);
    if (lacks) return err(invalid(lacks.field, lacks.message, [550, '5.6.0']));
    const prepared = this.#campaign(campaign, request.labels, checked.value);
    const repeat = repeatOf(request);
    const accepted = { recipients: recipientsOf(request.to), origin: request.origin };
    if (!repeat) return this.#accept(number, accepted, prepared);
    const remake = remadeFor(accepted.recipients);
    return this.#repeats.once(repeat, remake, () => this.#accept(number, accepted, prepared, repeat));
  }

  async openBatch(header: BatchHeader): Promise<Result<Batch, InjectionRefusal>> {
    const repeat = repeatOf(header);
    if (!repeat) return this.#openBatch(header);
    const entered = await this.#repeats.enter(repeat, remadeForBatch);
    if (!entered.ok) return entered;
    const { known, leave } = entered.value;
    const batch = await this.#openBatch(header, { repeat, known, leave }).catch((error: unknown) => {
      leave();
      throw error;
    });
    if (!batch.ok) leave();
    return batch;
  }

  async #openBatch(header: BatchHeader, keyed?: KeyedBatch): Promise<Result<Batch, InjectionRefusal>> {
    const from = checkReversePath(header.from);
    if (!from.ok) return from;
    const timed = checkDeadline(header.labels);
    if (!timed.ok) return timed;
    const refused = await this.#held();
    if (refused) return err(refused);
    const { queue } = this.#options;
    const known = keyed?.known;
    const number = known?.number ?? queue.nextNumber();
    const compiled = this.#compile(header.content, number, known?.at);
    if (!compiled.ok) return compiled;
    const campaign = withDefaults(compiled.value, header);
    const { content, message: record, labels } = this.#campaign(campaign, header.labels, from.value);
    const { allowedSenders: allowed } = header.origin;
    // A sender that does not exist is the header's fault, not that of every line.
    const virtual = this.#virtualOf(labels, allowed);
    if (!virtual.ok) return virtual;
    const message = { ...record, virtualSender: virtual.value };
    const router = this.#router;
    const { clock, pressure } = this.#options;
    const { maxMessageBytes } = this.#options;
    const checkVars = variableCheck(campaign, header, { maxMessageBytes });
    const watchers = watchersOf(labels.copies);
    if (!watchers.ok) return watchers;
    const limits = limitsOf(this.#options.policies ?? [], message);
    const facts = {
      queue,
      clock,
      pressure,
      number,
      router,
      message,
      labels,
      allowed,
      checkVars,
      limits,
    };
    return this.#store(content.length, async () => {
      if (known) await queue.reopen({ number, message: { ...message, createdAt: known.at }, content });
      else {
        const also = keyed && answerFor(keyed.repeat, { number, message }, undefined);
        await queue.accept({ number, message, content, deliveries: [], open: true, ...(also && { also }) });
      }
      const accepted = known && acceptedOf(queue.state, number);
      const copies = new CopyDesk(watchers.value, { queue, number, message, content, accepted });
      const lines = keyed && {
        known: new KnownLines(queue.state, number),
        resumed: hasLines(queue.state, number),
        leave: keyed.leave,
      };
      return new CampaignBatch({ ...facts, copies, ...(lines && { keyed: lines }) });
    });
  }

  async #accept(
    number: number,
    { recipients, origin }: Pick<PreparedMessage, 'recipients' | 'origin'>,
    { content, sealed, message, labels }: Prepared,
    repeat?: Repeatable,
  ): Promise<Result<Injected, InjectionRefusal>> {
    const { allowedSenders: allowed, protocol } = origin;
    const virtual = this.#virtualOf(labels, allowed);
    if (!virtual.ok) return virtual;
    const watchers = watchersOf(labels.copies);
    if (!watchers.ok) return watchers;
    const deliveries: NewDelivery[] = [];
    const rejected = [...recipients.rejected];
    for (const recipient of recipients.valid) {
      // Over SMTP nothing tells of one recipient among several: there the stop list ends the delivery with an event.
      const stopped = this.#options.queue.stopList.find(recipient, labels.accountId);
      if (stopped && protocol === 'HTTP') {
        rejected.push({ recipient, text: stoppedText(stopped) });
        continue;
      }
      const facts = { router: this.#router, message, labels, allowed };
      const index = deliveries.length + 1;
      const routed = recipientDelivery(facts, { index, recipient, stopped: stopped !== undefined });
      if (!routed.ok) return err(invalid(routed.error.field, routed.error.text, [550, '5.7.1']));
      deliveries.push(routed.value);
    }
    if (deliveries.length === 0)
      return err(
        invalid('to', `no recipient is valid: ${rejected[0]?.text ?? 'none given'}`, [550, '5.1.3']),
      );
    const answer = injectedOf(number, deliveries, rejected);
    const also = repeat && answerFor(repeat, { number, message }, answer);
    const limits = limitsOf(this.#options.policies ?? [], message);
    const { queue } = this.#options;
    const facts = { ...message, virtualSender: virtual.value };
    const copies = new CopyDesk(watchers.value, { queue, number, message: facts, content });
    return this.#store(content.length, async () => {
      const accepted = queue.accept({
        number,
        message: facts,
        content,
        sealed,
        deliveries,
        ...(also && { also }),
        ...(limits && { limits }),
      });
      await Promise.all([accepted, copies.acceptAll(deliveries)]);
      return answer;
    });
  }

  /** The virtual sender that routes the message, if one does. */
  #virtualOf(
    { sender, virtualSender }: Labels,
    allowed: readonly string[] | undefined,
  ): Result<string | undefined, InjectionRefusal> {
    const checked = this.#router.check({ sender, virtualSender, allowed });
    if (!checked.ok) return err(invalid(checked.error.field, checked.error.text, [550, '5.7.1']));
    return ok(checked.value.virtualSender);
  }

  async #store<T>(bytes: number, write: () => Promise<T>): Promise<Result<T, InjectionRefusal>> {
    const { pressure, onError } = this.#options;
    pressure?.waits(bytes);
    try {
      return ok(await write());
    } catch (error) {
      onError(error);
      const why = pressure?.reason === undefined ? '' : `: ${pressure.reason}`;
      return err(unavailable(`the queue cannot store the message now, try again later${why}`));
    } finally {
      pressure?.waits(-bytes);
    }
  }

  /** The refusal when there is no room for mail; takes its time when room is short. */
  async #held(): Promise<InjectionRefusal | undefined> {
    const { pressure } = this.#options;
    if (!pressure || pressure.level === 'none' || (await pressure.admit())) return undefined;
    return unavailable(`no mail is taken now, try again later: ${pressure.reason ?? 'short of room'}`);
  }

  #compile(
    content: ContentParts | Buffer,
    number: number,
    now = this.#options.clock.now(),
  ): Result<CampaignContent, InjectionRefusal> {
    const { hostname, maxMessageBytes } = this.#options;
    const options = { hostname, now, unique: messageIdOf(number) };
    const compiled = Buffer.isBuffer(content)
      ? compileRaw(content, options)
      : composeContent(content, options);
    if (!compiled.ok) {
      const given = Buffer.isBuffer(content) ? 'content' : 'parts';
      return err(invalid(`${given}.${compiled.error.field}`, compiled.error.message, [550, '5.6.0']));
    }
    if (compiled.value.fixedBytes > maxMessageBytes)
      return err(tooLarge(compiled.value.fixedBytes, this.#options));
    return compiled;
  }

  #campaign(campaign: CampaignContent, labels: Labels, from: string): Prepared {
    const { fromAddress, fromDomain, fixedBytes } = campaign;
    const facts = {
      kind: 'campaign',
      fromAddress,
      fromDomain,
      bytes: fixedBytes,
      eightBit: false,
      dotLine: true,
      smtpUtf8: false,
      createdAt: this.#options.clock.now(),
    } as const;
    const message = recordOf(from, labels, facts);
    return { content: encodeCampaign(campaign), sealed: false, message, labels };
  }
}

const withDefaults = (campaign: CampaignContent, { defaults }: VariableRules): CampaignContent =>
  defaults ? { ...campaign, defaults } : campaign;
