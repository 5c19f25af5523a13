/**
 * One attempt of one delivery over an open session: build the content, spend the token, send, decide, record. An
 * exception here is our own bug: it is reported with its stack, the delivery waits and comes again, nothing bounces.
 */
import { type EventReply, formatReply, type Refusal, type Reply } from '../../core/index.ts';
import type { AttemptFacts, LeasedDelivery, Outcome } from '../../queue/index.ts';
import type { ClientSession, TransactionResult } from '../smtp/index.ts';
import { buildContent, type Campaigns } from './content.ts';
import type { EgressContext, Sender } from './context.ts';
import type { Lane } from './lane.ts';
import type { Reactions } from './reactions.ts';

/** A session waits as long for the cap of a sender; beyond it the delivery goes back. */
const CAP_WAIT_MS = 1_000;

export interface AttemptInput {
  readonly session: ClientSession;
  readonly delivery: LeasedDelivery;
  readonly lane: Lane;
  readonly sourceIp: string;
  readonly signal: AbortSignal;
}

/**
 * `unattempted`: ended or given back without a word to the peer. `stale`: the session had died before anything was said
 * about this delivery; nothing was recorded.
 */
export type AttemptEnd =
  | { readonly kind: 'delivered' | 'unattempted' | 'stale' }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

const MISSING_SENDER_WAIT_MS = 60_000;
const MISSING_SENDER_REPORT_MS = 3_600_000;

export class Attempts {
  readonly #context: EgressContext;
  readonly #campaigns: Campaigns;
  readonly #reactions: Reactions;
  /** When a sender that is not configured was reported (monotonic ms). */
  readonly #missingSenders = new Map<string, number>();

  constructor(context: EgressContext, campaigns: Campaigns, reactions: Reactions) {
    this.#context = context;
    this.#campaigns = campaigns;
    this.#reactions = reactions;
  }

  /** Never rejects. */
  async run(input: AttemptInput): Promise<AttemptEnd> {
    const token = { spent: false };
    try {
      return await this.#send(input, token);
    } catch (error) {
      if (!token.spent) input.lane.forgo();
      const { delivery, signal } = input;
      if (!signal.aborted) {
        this.#context.report('error', 'an attempt failed by a fault of our own; the delivery waits', {
          delivery_id: delivery.id,
          error,
        });
      }
      const wakeAt = signal.aborted ? delivery.record.wakeAt : this.#context.clock.now() + 60_000;
      void this.#context.recorder.record(delivery, { kind: 'released', wakeAt });
      return { kind: 'unattempted' };
    }
  }

  /** Records that the strategy discards the delivery: no session, no attempt. */
  drop(delivery: LeasedDelivery): void {
    void this.#context.recorder.record(delivery, unattempted('dropped', this.#context.clock.now()));
  }

  /** Records a refusal that came before any session (DNS, no connection). */
  refuse(
    delivery: LeasedDelivery,
    refusal: Refusal,
    about: Pick<AttemptFacts, 'isp' | 'source_ip'> & { readonly lane?: Lane },
  ): Promise<void> {
    const { lane, ...where } = about;
    const facts = { ...this.#facts(delivery, refusal), ...where };
    const outcome = this.#reactions.to({ delivery, refusal, facts, lane });
    return this.#context.recorder.record(delivery, outcome);
  }

  /** The configuration may name the sender again; until then one line per sender and hour says what waits, and why. */
  #waitForSender(delivery: LeasedDelivery): AttemptEnd {
    const { clock, recorder, report } = this.#context;
    const { sender } = delivery.record;
    const now = clock.mono();
    if (now - (this.#missingSenders.get(sender) ?? -Infinity) > MISSING_SENDER_REPORT_MS) {
      this.#missingSenders.set(sender, now);
      report(
        'error',
        'mail waits for a sender that is not configured: configure it again, or purge its mail',
        {
          sender,
        },
      );
    }
    void recorder.record(delivery, { kind: 'released', wakeAt: clock.now() + MISSING_SENDER_WAIT_MS });
    return { kind: 'unattempted' };
  }

  async #send(input: AttemptInput, token: { spent: boolean }): Promise<AttemptEnd> {
    const { session, delivery, lane } = input;
    const { recorder, clock, settings, queue } = this.#context;
    const sender = settings.senders.get(delivery.record.sender);
    if (!sender) {
      lane.forgo();
      token.spent = true;
      return this.#waitForSender(delivery);
    }
    const reason = lane.strategy.drop
      ? 'dropped'
      : delivery.record.expiresAt <= clock.now()
        ? 'lifetime'
        : queue.stopList.find(delivery.record.recipient, delivery.message.accountId)
          ? 'stop_list'
          : undefined;
    if (reason) {
      lane.forgo();
      token.spent = true;
      void recorder.record(delivery, unattempted(reason, clock.now()));
      return { kind: 'unattempted' };
    }
    const later = capped(lane, delivery.record.sender);
    if (later !== undefined) {
      lane.forgo();
      token.spent = true;
      void recorder.record(delivery, { kind: 'released', wakeAt: later });
      return { kind: 'unattempted' };
    }
    const content = await buildContent({
      delivery,
      sender,
      campaigns: this.#campaigns,
      tokens: this.#context.tokens,
      peer: session.facts.capabilities,
      wishes: this.#context.isps.wishesOf(lane.isp),
      now: clock.now(),
    });
    if (!content.ok) {
      lane.forgo();
      token.spent = true;
      return this.#refused(input, content.error);
    }
    const reused = session.transactions > 0;
    const { parts, ...properties } = content.value;
    const result = await session.send({
      from: this.#reversePath(delivery, sender),
      recipients: [delivery.record.recipient],
      content: parts,
      ...properties,
      beforeRcpt: () => {
        token.spent = true;
        return lane.spend(input.signal, delivery.record.sender);
      },
    });
    if (!token.spent) {
      lane.forgo();
      token.spent = true;
    }
    return this.#judge(input, result, { reused, bytes: properties.bytes });
  }

  #judge(
    input: AttemptInput,
    result: TransactionResult,
    sent: { reused: boolean; bytes: number },
  ): AttemptEnd {
    const [first] = result.recipients;
    if (first!.ok) {
      const facts = this.#facts(input.delivery, undefined, { input, reply: first!.value, bytes: sent.bytes });
      input.lane.accepted();
      void this.#context.recorder.record(input.delivery, { kind: 'delivered', facts });
      return { kind: 'delivered' };
    }
    const refusal = first!.error;
    const silent = refusal.scope === 'session' && refusal.phase === 'mail' && refusal.reply === undefined;
    if (sent.reused && silent) return { kind: 'stale' };
    return this.#refused(input, refusal);
  }

  #refused(input: AttemptInput, refusal: Refusal): AttemptEnd {
    const { delivery, lane } = input;
    const facts = this.#facts(delivery, refusal, { input });
    lane.lastError = {
      at: facts.time,
      text: refusal.reply ? formatReply(refusal.reply) : refusal.text,
    };
    if (refusal.reply) lane.refused(facts.bounce!, lane.lastError.text);
    const outcome = this.#reactions.to({ delivery, refusal, facts, lane });
    void this.#context.recorder.record(delivery, outcome);
    return { kind: 'refused', refusal };
  }

  /** RFC 5321 §4.4: the null reverse-path of a report stays null; otherwise it is the signed return path, if there is one. */
  #reversePath({ id, message }: LeasedDelivery, { config }: Sender): string {
    if (message.from === '' || config.returnPathDomain === null) return message.from;
    return this.#context.tokens.returnPath(id, config.returnPathDomain);
  }

  #facts(
    delivery: LeasedDelivery,
    refusal: Refusal | undefined,
    over?: { readonly input: AttemptInput; readonly reply?: Reply; readonly bytes?: number },
  ): AttemptFacts {
    const time = this.#context.clock.now();
    const session = over?.input.session.facts;
    const reply = over?.reply ?? refusal?.reply;
    return {
      time,
      ...(over && { source_ip: over.input.sourceIp, isp: over.input.lane.isp }),
      ...(session && { mx: session.host, mx_ip: session.remoteAddress }),
      ...(session?.tls && { tls: { version: session.tls.version, cipher: session.tls.cipher } }),
      ...(over?.bytes !== undefined && { size: over.bytes }),
      reply: eventReply(reply, refusal),
      queue_ms: time - delivery.message.createdAt,
      ...(refusal && { bounce: this.#context.settings.classifier.classify(refusal, over?.input.lane.isp) }),
    };
  }
}

/** Wall ms of its slot, if the sender's cap towards this ISP is used up for more than a moment. */
function capped(lane: Lane, sender: string): number | undefined {
  const full = lane.capsOf(sender).find(({ limiter }) => limiter.waitMs() > CAP_WAIT_MS);
  return full?.nextSlot();
}

function eventReply(reply: Reply | undefined, refusal: Refusal | undefined): EventReply {
  const phase = refusal?.phase ?? 'content';
  if (!reply) return { text: refusal?.text ?? '', phase };
  return {
    code: reply.code,
    ...(reply.enhanced !== undefined && { enhanced: reply.enhanced }),
    text: reply.text,
    phase,
  };
}

const unattempted = (reason: 'dropped' | 'lifetime' | 'stop_list', time: number): Outcome => ({
  kind: 'failed',
  type: 'undelivered',
  reason,
  facts: { time },
  attempted: false,
});
