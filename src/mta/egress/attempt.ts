/**
 * One attempt of one delivery over an open session: build the content, spend the token, send, decide, record. An
 * exception here is our own bug: it is reported with its stack, the delivery waits and comes again, nothing bounces.
 */
import { classify } from '../../bounce/index.ts';
import type { IspConfig } from '../../config/index.ts';
import { type EventReply, formatReply, type Refusal, type Reply } from '../../core/index.ts';
import type { AttemptFacts, LeasedDelivery, Outcome } from '../../queue/index.ts';
import type { ClientSession, TransactionResult } from '../smtp/index.ts';
import { buildContent, type Campaigns } from './content.ts';
import type { EgressContext, Sender } from './context.ts';
import { decide } from './decide.ts';
import type { Lane } from './lane.ts';
import type { RetryRule } from './retry.ts';

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

export class Attempts {
  readonly #context: EgressContext;
  readonly #campaigns: Campaigns;

  constructor(context: EgressContext, campaigns: Campaigns) {
    this.#context = context;
    this.#campaigns = campaigns;
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
    about: Pick<AttemptFacts, 'isp' | 'source_ip'>,
  ): Promise<void> {
    const facts = { ...this.#facts(delivery, refusal), ...about };
    return this.#context.recorder.record(delivery, this.#outcome(delivery, refusal, facts));
  }

  async #send(input: AttemptInput, token: { spent: boolean }): Promise<AttemptEnd> {
    const { session, delivery, lane } = input;
    const { recorder, clock, settings } = this.#context;
    const sender = settings.senders.get(delivery.record.sender);
    if (!sender) throw new Error(`the sender ${delivery.record.sender} is not configured any more`);
    const reason = lane.strategy.drop
      ? 'dropped'
      : delivery.record.expiresAt <= clock.now()
        ? 'lifetime'
        : undefined;
    if (reason) {
      lane.forgo();
      token.spent = true;
      void recorder.record(delivery, unattempted(reason, clock.now()));
      return { kind: 'unattempted' };
    }
    const content = await buildContent({
      delivery,
      sender,
      campaigns: this.#campaigns,
      peer: session.facts.capabilities,
      headers: this.#ispHeaders(lane),
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
        return lane.spend(input.signal);
      },
    });
    if (!token.spent) {
      lane.forgo();
      token.spent = true;
    }
    return this.#judge(input, result, { reused, bytes: properties.bytes });
  }

  /** Undefined when the ISP wants no change. */
  #ispHeaders({ isp }: Lane): IspConfig['headers'] | undefined {
    const headers = this.#context.settings.config.isps.find(({ name }) => name === isp)?.headers;
    return headers && (headers.remove.length > 0 || Object.keys(headers.add).length > 0)
      ? headers
      : undefined;
  }

  #judge(
    input: AttemptInput,
    result: TransactionResult,
    sent: { reused: boolean; bytes: number },
  ): AttemptEnd {
    const [first] = result.recipients;
    if (first!.ok) {
      const facts = this.#facts(input.delivery, undefined, { input, reply: first!.value, bytes: sent.bytes });
      void this.#context.recorder.record(input.delivery, { kind: 'delivered', facts });
      return { kind: 'delivered' };
    }
    const refusal = first!.error;
    const silent = refusal.scope === 'session' && refusal.phase === 'mail' && refusal.reply === undefined;
    if (sent.reused && silent) return { kind: 'stale' };
    return this.#refused(input, refusal);
  }

  #refused(input: AttemptInput, refusal: Refusal): AttemptEnd {
    const facts = this.#facts(input.delivery, refusal, { input });
    input.lane.lastError = {
      at: facts.time,
      text: refusal.reply ? formatReply(refusal.reply) : refusal.text,
    };
    void this.#context.recorder.record(input.delivery, this.#outcome(input.delivery, refusal, facts));
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
      ...(refusal && { bounce: classify(refusal) }),
    };
  }

  #outcome(delivery: LeasedDelivery, refusal: Refusal, facts: AttemptFacts): Outcome {
    const { record } = delivery;
    const { settings, random, clock } = this.#context;
    const sender = settings.senders.get(record.sender);
    const rule = (sender?.config.retry ?? settings.config.retryRules[0]!) satisfies RetryRule;
    const decision = decide({
      refusal,
      bounce: facts.bounce!,
      attempt: record.attempts.length + 1,
      rule,
      now: clock.now(),
      expiresAt: record.expiresAt,
      random,
    });
    switch (decision.kind) {
      case 'released':
        return decision;
      case 'deferred':
        return { ...decision, facts, ...this.#otherNode(delivery, sender, rule) };
      case 'failed':
        return { ...decision, facts, attempted: true };
    }
  }

  /** Retry mode `sender_nodes`: the next attempt leaves from the sender's next node. */
  #otherNode({ record }: LeasedDelivery, sender: Sender | undefined, rule: RetryRule): { node?: string } {
    const nodes = sender?.config.nodes ?? [];
    if (rule.mode !== 'sender_nodes' || nodes.length < 2) return {};
    const at = nodes.findIndex(({ node }) => node === record.node);
    return { node: nodes[(at + 1) % nodes.length]!.node };
  }
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

const unattempted = (reason: 'dropped' | 'lifetime', time: number): Outcome => ({
  kind: 'failed',
  type: 'undelivered',
  reason,
  facts: { time },
  attempted: false,
});
