/**
 * The sessions of a node: opens them, feeds each with deliveries until there is nothing more for it, and says what
 * went wrong. A session that cannot be opened gives its destination a rest; one delivery bears the refusal, the
 * others wait.
 */
import type { NodeConfig, TlsMode } from '../../config/index.ts';
import type { Bounce, BounceCategory, Refusal } from '../../core/index.ts';
import type { LeasedDelivery } from '../../queue/index.ts';
import type { ClientSession, Timeouts } from '../smtp/index.ts';
import type { Attempts } from './attempt.ts';
import { connect } from './connect.ts';
import type { EgressContext } from './context.ts';
import type { Destination } from './destination.ts';
import type { Together } from './gather.ts';
import type { AttemptEnd } from './handed.ts';
import type { Lane } from './lane.ts';
import { Seldom } from './report.ts';
import type { SessionLevels } from './session-levels.ts';
import type { NodeFigures } from './status.ts';

/** What sessions ask of their node. */
export interface SessionOwner {
  readonly config: NodeConfig;
  readonly active: boolean;
  readonly places: Pick<SessionLevels, 'crowded'>;
  /** Grows when sessions that are open do not fit the configuration any more. */
  readonly generation: number;
  /** The delivery has an outcome, or goes back: it is not in memory any more. */
  settled(lane: Lane, delivery: LeasedDelivery): void;
  giveBack(lane: Lane, deliveries: readonly LeasedDelivery[]): void;
  /** The delivery, with others of its message that may go in the same transaction. */
  together(destination: Destination, delivery: LeasedDelivery): Promise<Together> | Together;
  putBack(destination: Destination, delivery: LeasedDelivery): void;
  /** The address is not on the machine any more. */
  addressGone(): void;
}

type OpenedBy = Pick<SessionOwner, 'generation'> & Pick<NodeConfig, 'address'>;

type RefusedEnd = Extract<AttemptEnd, { readonly kind: 'refused' }>;
/** The peer did not answer in time. */
const wentSilent = (end: AttemptEnd): end is RefusedEnd =>
  end.kind === 'refused' && end.refusal.cause === 'timeout';

/** Refusals that say something of one recipient, and nothing of the node. */
const OF_RECIPIENTS: ReadonlySet<BounceCategory> = new Set([
  'bad_mailbox',
  'bad_domain',
  'inactive_mailbox',
  'moved',
  'mailbox_full',
  'greylisted',
]);
const isRoutine = (bounce: Bounce | undefined): boolean =>
  bounce !== undefined && OF_RECIPIENTS.has(bounce.category);

const TLS_STRENGTH: readonly TlsMode[] = ['none', 'may', 'require', 'verify'];

export class Sessions {
  readonly #owner: SessionOwner;
  readonly #context: EgressContext;
  readonly #attempts: Attempts;
  readonly #abort = new AbortController();
  readonly #open = new Set<ClientSession>();
  readonly #running = new Set<Promise<void>>();
  readonly #lack: Seldom;
  #attempted = 0;
  #delivered = 0;
  #lastError: NodeFigures['lastError'];

  constructor(owner: SessionOwner, context: EgressContext, attempts: Attempts) {
    this.#owner = owner;
    this.#context = context;
    this.#attempts = attempts;
    this.#lack = new Seldom(context.report, 'no session could be opened, for a lack of our own');
  }

  get figures(): Pick<NodeFigures, 'attempts' | 'delivered' | 'lastError'> {
    return { attempts: this.#attempted, delivered: this.#delivered, lastError: this.#lastError };
  }

  /** Runs one session to its end; never rejects. */
  run(destination: Destination): Promise<void> {
    const run = this.#run(destination).finally(() => this.#running.delete(run));
    this.#running.add(run);
    return run;
  }

  /** Resolves when no session is left; after `deadlineMs` they are cut. */
  async ended(deadlineMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill(), deadlineMs);
    while (this.#running.size > 0) await Promise.all(this.#running);
    clearTimeout(timer);
  }

  /** Cuts all sessions now. */
  kill(): void {
    this.#abort.abort();
    for (const session of this.#open) session.destroy();
  }

  async #run(destination: Destination): Promise<void> {
    const { config, generation } = this.#owner;
    const { address } = config;
    const since = this.#context.clock.mono();
    const opened = await connect({
      plan: destination.plan,
      localAddress: address,
      heloName: this.#heloName(destination),
      tls: this.#tls(destination),
      timeouts: this.#timeouts(destination),
      signal: this.#abort.signal,
    });
    if (!opened.ok) {
      this.#openFailed(destination, opened.error, this.#context.clock.mono() - since);
      return;
    }
    const session = opened.value;
    destination.opened();
    this.#open.add(session);
    void session.closed.then(() => destination.sessionClosed(session));
    await this.#serve(session, destination, { address, generation });
    this.#open.delete(session);
    if (session.usable) await session.quit();
  }

  /** `by`: of the configuration by which it was opened. */
  async #serve(session: ClientSession, destination: Destination, by: OpenedBy): Promise<void> {
    const { lane } = destination;
    for (let sent = 0; sent < lane.strategy.messagesPerConnection; sent++) {
      await this.#context.recorder.room();
      // A reload may have given the node another address or name, or other rules for TLS: a new session, then.
      if (!session.usable || !this.#owner.active || this.#owner.generation !== by.generation) return;
      const delivery = await destination.next(session);
      if (!delivery) return;
      const deliveries = await this.#owner.together(destination, delivery);
      const begun = this.#context.clock.mono();
      const ends = await this.#attempts.run({
        session,
        deliveries,
        lane,
        sourceIp: by.address,
        signal: this.#abort.signal,
      });
      // What is put back comes to the front, so the last one first.
      for (let at = ends.length - 1; at >= 0; at--) this.#ended(destination, deliveries[at]!, ends[at]!);
      if (ends.some((end) => end.kind === 'unsent' && end.stale)) return;
      const silent = ends.find(wentSilent);
      if (silent)
        this.#owner.giveBack(
          lane,
          destination.wentSilent(silent.refusal, this.#context.clock.mono() - begun),
        );
    }
  }

  #ended(destination: Destination, delivery: LeasedDelivery, end: AttemptEnd): void {
    const { lane } = destination;
    this.#settleLocks(lane, delivery, end);
    if (end.kind === 'unsent') {
      this.#owner.putBack(destination, delivery);
      return;
    }
    this.#owner.settled(lane, delivery);
    if (end.kind !== 'unattempted') this.#attempted++;
    if (end.kind === 'delivered') this.#delivered++;
    if (end.kind === 'refused' && !isRoutine(end.bounce)) this.#noteError(end.refusal);
  }

  #settleLocks(lane: Lane, { id, record }: LeasedDelivery, end: AttemptEnd): void {
    const { locks } = this.#context;
    const ofSender = locks.anySender ? locks.ofSender(record.sender, lane.key) : undefined;
    if (lane.locks.length === 0 && !ofSender) return;
    const said = end.kind === 'refused' ? end.refusal : end.kind === 'delivered' ? end.kind : undefined;
    locks.settle(ofSender ? [...lane.locks, ofSender] : lane.locks, id, said);
  }

  #openFailed(destination: Destination, refusal: Refusal, heldMs: number): void {
    const { lane } = destination;
    this.#noteError(refusal);
    lane.lastError = { at: this.#context.clock.now(), text: refusal.text };
    if (refusal.reply)
      lane.refused(this.#context.settings.classifier.classify(refusal, lane.isp), refusal.text);
    const { bearer, others } = destination.openFailed(refusal, heldMs);
    if (refusal.scope === 'node') {
      this.#context.report('error', refusal.text, { node: this.#owner.config.name });
      this.#owner.addressGone();
    }
    if (refusal.cause === 'internal' && this.#owner.active)
      this.#lack.error({ node: this.#owner.config.name, reason: refusal.text });
    // A node without its address, or one that is stopping, says nothing about the delivery.
    const blameless = !this.#owner.active || refusal.scope === 'node' || refusal.cause === 'internal';
    if (bearer && !blameless) {
      this.#owner.settled(lane, bearer);
      this.#attempted++;
      const { address } = this.#owner.config;
      void this.#attempts.refuse(bearer, refusal, { isp: lane.isp, source_ip: address, lane });
    }
    this.#owner.giveBack(lane, bearer && blameless ? [bearer, ...others] : others);
  }

  /** Where hosts may wait for places of others, less is waited for a session to open. Later on it would make duplicates. */
  #timeouts(destination: Destination): Timeouts {
    const { timeouts } = this.#context.settings.config.egress;
    if (!destination.scarce && !this.#owner.places.crowded) return timeouts;
    const { sharedMs } = timeouts;
    return {
      ...timeouts,
      connectMs: Math.min(timeouts.connectMs, sharedMs),
      greetingMs: Math.min(timeouts.greetingMs, sharedMs),
      ehloMs: Math.min(timeouts.ehloMs, sharedMs),
    };
  }

  #noteError(refusal: Refusal): void {
    const { reply, text } = refusal;
    this.#lastError = { at: this.#context.clock.now(), text: reply ? `${reply.code} ${reply.text}` : text };
  }

  /** The route decides, then the senders of this node (the strictest one), then the strategy. */
  #tls({ plan, lane }: Destination): TlsMode {
    if (plan.tls) return plan.tls;
    const { name } = this.#owner.config;
    const wanted = this.#context.settings.config.senders
      .filter(({ nodes, tls }) => tls !== null && nodes.some(({ node }) => node === name))
      .map(({ tls }) => TLS_STRENGTH.indexOf(tls!));
    return wanted.length > 0 ? TLS_STRENGTH[Math.max(...wanted)]! : (lane.strategy.tls ?? 'may');
  }

  /** RFC 5321 §4.1.3 for the literal. A session keeps its name for whatever it carries later. */
  #heloName({ lane, waitingFromDomain }: Destination): string {
    const { address, hostname } = this.#owner.config;
    if (lane.strategy.helo === 'from_domain') return waitingFromDomain ?? hostname;
    if (lane.strategy.helo === 'hostname') return hostname;
    return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
  }
}
