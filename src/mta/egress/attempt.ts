/**
 * One attempt of a delivery, or of several in one transaction, over an open session: build the content, spend the
 * tokens, send, decide, record. An exception here is our own bug: it is reported with its stack, the delivery waits and
 * comes again, nothing bounces.
 */
import { type EventReply, formatReply, type Refusal, type Reply, type Result } from '../../core/index.ts';
import type { AttemptFacts, LeasedDelivery, Outcome } from '../../queue/index.ts';
import { buildContent, type Campaigns } from './content.ts';
import type { EgressContext, Sender } from './context.ts';
import { hasOwnReturnPath } from './feedback-fields.ts';
import { type AttemptEnd, type AttemptInput, Handed } from './handed.ts';
import type { Lane } from './lane.ts';
import type { Reactions } from './reactions.ts';
import { limitsOf } from './limits-of.ts';
import { type Cap, NoToken } from './token-line.ts';

const BEYOND_ASCII = /[^\x00-\x7f]/;
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

  /** One end for each delivery, in order. Never rejects. */
  async run(input: AttemptInput): Promise<readonly AttemptEnd[]> {
    const handed = new Handed(input);
    try {
      await this.#send(input, handed);
    } catch (error) {
      handed.forgoAll();
      const { signal } = input;
      const ours = !signal.aborted && !(error instanceof NoToken);
      for (const delivery of handed.open) {
        if (ours) {
          this.#context.report('error', 'an attempt failed by a fault of our own; the delivery waits', {
            delivery_id: delivery.id,
            error,
          });
        }
        const wakeAt = ours ? this.#context.clock.now() + 60_000 : delivery.record.wakeAt;
        handed.end(delivery, this.#release(delivery, wakeAt));
      }
    }
    return handed.ends;
  }

  /** Records that the strategy discards the delivery: no session, no attempt. */
  drop(delivery: LeasedDelivery): void {
    void this.#context.recorder.record(delivery, unattempted('dropped', this.#context.clock.now()));
  }

  /** Records that the lifetime of the delivery was over before its turn came. */
  expire(delivery: LeasedDelivery): void {
    void this.#context.recorder.record(delivery, unattempted('lifetime', this.#context.clock.now()));
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
    const { clock, report } = this.#context;
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
    return this.#release(delivery, clock.now() + MISSING_SENDER_WAIT_MS);
  }

  #release(delivery: LeasedDelivery, wakeAt: number): AttemptEnd {
    void this.#context.recorder.record(delivery, { kind: 'released', wakeAt });
    return { kind: 'unattempted' };
  }

  /** Ends the delivery without an attempt, if there is a reason to. */
  #spare(delivery: LeasedDelivery, lane: Lane): AttemptEnd | undefined {
    const { recorder, clock, settings, queue } = this.#context;
    const { sender, expiresAt, recipient } = delivery.record;
    if (!settings.senders.has(sender)) return this.#waitForSender(delivery);
    const reason = lane.strategy.drop
      ? 'dropped'
      : expiresAt <= queue.lifetimeNow()
        ? 'lifetime'
        : queue.stopList.find(recipient, delivery.message.accountId)
          ? 'stop_list'
          : undefined;
    if (reason) {
      void recorder.record(delivery, unattempted(reason, clock.now()));
      return { kind: 'unattempted' };
    }
    // It stays due: its queue is asked for again when there is room.
    return this.#capped(lane, delivery) ? this.#release(delivery, delivery.record.wakeAt) : undefined;
  }

  async #send(input: AttemptInput, handed: Handed): Promise<void> {
    const { session, lane } = input;
    for (const delivery of handed.open) {
      const spared = this.#spare(delivery, lane);
      if (spared) handed.forgo(delivery, spared);
    }
    const going = handed.open;
    const [first] = going;
    if (!first) return;
    const sender = this.#context.settings.senders.get(first.record.sender)!;
    // In one go with the content, so that its tokens share a MAC (fbl/token.ts).
    const from = this.#reversePath(first, sender);
    const content = await buildContent({
      delivery: first,
      sender,
      campaigns: this.#campaigns,
      tokens: this.#context.tokens,
      peer: session.facts.capabilities,
      wishes: this.#context.isps.wishesOf(lane.isp),
      now: this.#context.clock.now(),
    });
    if (!content.ok) {
      handed.forgoAll();
      for (const delivery of going) handed.end(delivery, this.#refused(input, delivery, content.error));
      return;
    }
    const reused = session.transactions > 0;
    const { parts, rendered, ...properties } = content.value;
    const result = await session.send({
      from,
      recipients: going.map(({ record }) => record.recipient),
      content: parts,
      ...properties,
      // RFC 6531 §3.4: a reverse-path beyond ASCII goes to no receiver that has not said it takes one.
      smtpUtf8: properties.smtpUtf8 || BEYOND_ASCII.test(from),
      beforeRcpt: () => handed.spend(() => this.#capsOf(lane, going)),
      beforeContent: () => going.forEach((delivery) => this.#context.queue.sending(delivery)),
    });
    handed.forgoAll();
    // A peer may say 250 before it has read all: what it has not read must not become the mail of another.
    if (rendered && session.flushed && result.recipients.some(({ ok }) => ok))
      this.#campaigns.memory.giveBack(rendered);
    const [answer] = result.recipients;
    const stale = reused && !answer!.ok && isSilent(answer!.error);
    for (const [at, delivery] of going.entries()) {
      const said = result.recipients[at];
      if (stale || !said) handed.end(delivery, { kind: 'unsent', stale });
      else handed.end(delivery, this.#judge(input, delivery, { said, bytes: properties.bytes }));
    }
  }

  /** A limit beside that of the lane has no token for it for more than a moment, or came after its lease. */
  #capped(lane: Lane, { id, queue }: LeasedDelivery): boolean {
    return limitsOf(this.#context, lane, queue).some((limit) => !limit.lets(id));
  }

  /** What the deliveries of one transaction, which are of one queue, pass beside the gates of the lane. */
  #capsOf(lane: Lane, deliveries: readonly LeasedDelivery[]): readonly Cap[] {
    const limits = limitsOf(this.#context, lane, deliveries[0]!.queue);
    if (limits.length === 0) return NO_LIMITS;
    const ids = deliveries.map(({ id }) => id);
    return limits.map((limit) => limit.capOf(ids));
  }

  #judge(
    input: AttemptInput,
    delivery: LeasedDelivery,
    { said, bytes }: { readonly said: Result<Reply, Refusal>; readonly bytes: number },
  ): AttemptEnd {
    if (!said.ok) return this.#refused(input, delivery, said.error);
    const facts = this.#facts(delivery, undefined, { input, reply: said.value, bytes });
    input.lane.accepted();
    void this.#context.recorder.record(delivery, { kind: 'delivered', facts });
    return { kind: 'delivered' };
  }

  /** A refusal of the whole transaction is one refusal, however many recipients it has. */
  #refused(input: AttemptInput, delivery: LeasedDelivery, refusal: Refusal): AttemptEnd {
    const { lane, deliveries } = input;
    const facts = this.#facts(delivery, refusal, { input });
    const common = deliveries.length > 1 && refusal.phase !== 'rcpt';
    const counts = !common || delivery === deliveries[0];
    lane.lastError = {
      at: facts.time,
      text: refusal.reply ? formatReply(refusal.reply) : refusal.text,
    };
    if (refusal.reply && counts) lane.refused(facts.bounce!, lane.lastError.text);
    const outcome = this.#reactions.to({ delivery, refusal, facts, lane, common, counts });
    void this.#context.recorder.record(delivery, outcome);
    return { kind: 'refused', refusal, bounce: facts.bounce };
  }

  /** The signed return path, if the delivery has one of its own. */
  #reversePath(delivery: LeasedDelivery, { config }: Sender): string {
    const { id, message } = delivery;
    if (!hasOwnReturnPath(delivery, config)) return message.from;
    return this.#context.tokens.returnPath(id, config.returnPathDomain!);
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

const NO_LIMITS: readonly Cap[] = [];

/** The session died before the peer said anything about the transaction, and before it had all of the message. */
const isSilent = ({ scope, phase, reply, possiblyDelivered }: Refusal): boolean =>
  scope === 'session' && phase === 'mail' && reply === undefined && possiblyDelivered !== true;

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
