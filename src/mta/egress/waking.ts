/**
 * The way of a queue to its destination: woken when it is due, its plan is found, and its node has it. Mail of a node
 * that is down may leave it, that of one that is gone does, and that of a domain that leads nowhere is refused.
 */
import type { Refusal, Result } from '../../core/index.ts';
import type { LeasedDelivery, Outcome, QueueHead } from '../../queue/index.ts';
import { Alarm } from './alarm.ts';
import type { Attempts } from './attempt.ts';
import type { EgressContext } from './context.ts';
import { type DomainPlace, placeOf } from './domain-place.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { Mover } from './mover.ts';
import type { Node } from './node.ts';
import type { NodeChoice } from './node-choice.ts';
import { moveOrphans } from './orphans.ts';
import type { RoutePlan, RoutePlanner } from './plan.ts';

/** Deliveries that are refused together when their domain leads nowhere. */
const REFUSE_SLICE = 100;

export interface WakingOptions {
  readonly context: EgressContext;
  readonly planner: RoutePlanner;
  readonly node: (name: string) => Node | undefined;
  /** Whether a node takes new mail. */
  readonly isUp: (name: string) => boolean;
  readonly mover: Mover;
  readonly choice: NodeChoice;
  readonly attempts: Attempts;
}

export class Waking {
  /** Replaced by a reload. */
  planner: RoutePlanner;
  readonly #options: WakingOptions;
  readonly #alarm: Alarm;
  #stopped = false;

  constructor(options: WakingOptions) {
    const { context, planner } = options;
    this.#options = options;
    this.planner = planner;
    this.#alarm = new Alarm({
      clock: context.clock,
      wake: (head) => this.activate(head),
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#alarm.stop();
  }

  wake(head: QueueHead, wakeAt: number): void {
    const { context, node } = this.#options;
    if (wakeAt <= context.clock.now()) this.activate(head);
    else {
      // Its node knows it from now on, and finds its ISP with that of its domain.
      node(head.node)?.queue(head);
      this.#alarm.set(head, wakeAt);
    }
  }

  /** All queues, or those of one node. */
  wakeAll(node?: string): void {
    for (const head of this.#options.context.queue.state.schedule.heads())
      if (node === undefined || head.node === node) this.wake(head, head.wakeAt);
  }

  /** Undefined while it is not known where its mail goes. */
  ispOf(domain: string): string | undefined {
    const { isps } = this.#options.context;
    const named = isps.byDomain(domain);
    if (named !== undefined) return named;
    const plan = this.planner.peek(domain);
    return plan && (isps.find(domain, plan.hostNames) ?? 'other');
  }

  /** Something of the queue is due: its node has it as soon as it is known where it goes. */
  activate(head: QueueHead): void {
    if (this.#stopped) return;
    const node = this.#options.node(head.node);
    if (!node) {
      void this.#moveOrphans(head);
      return;
    }
    if (node.leaves) void this.#leave(node, head);
    if (!node.active) return;
    const queue = node.queue(head);
    if (!node.isDue(queue)) {
      // Woken too early: the slot it was for has gone, a later one may be there.
      this.sleep(queue);
      return;
    }
    if (node.ready(queue)) return;
    const place = placeOf(queue);
    const plan = this.planner.peek(place.domain);
    if (plan) node.assign(place, plan, this.#options.context.isps.find(place.domain, plan.hostNames));
    else void this.#resolve(node, place);
  }

  /** The node is down and its mail moves. What finds no node up stays until one is. */
  async #leave(node: Node, head: QueueHead): Promise<void> {
    const queue = node.queue(head);
    const lane = node.placeOf(head.domain)?.destination?.lane.key;
    const { mover, choice } = this.#options;
    const left = !node.isDue(queue) || (await mover.leave(queue, lane));
    // Nobody else offered it while it was being moved, not even when its node came up again.
    if (left || node.active) this.sleep(queue);
    else if (choice.ofSender({ ...head, lane }) !== undefined) this.#wakeLater(head);
  }

  /** It is woken when its next slot is due; at once when it is. */
  sleep({ head }: FlowQueue): void {
    if (head.wakeAt !== Infinity) this.wake(head, head.wakeAt);
  }

  async #moveOrphans(queue: QueueHead): Promise<void> {
    const { context, isUp } = this.#options;
    if (await moveOrphans(context, { queue, isUp })) return;
    this.#wakeLater(queue);
  }

  async #resolve(node: Node, place: DomainPlace): Promise<void> {
    if (place.resolving) return;
    place.resolving = true;
    const { planner } = this;
    let plan: Result<RoutePlan, Refusal> | undefined;
    try {
      plan = await planner.resolve(place.domain);
      if (!plan.ok)
        await this.#refuseDue(node, place, plan.error, () => node.active && this.planner === planner);
    } catch (error) {
      this.#options.context.report('error', 'a fault of our own in finding a route; trying again', {
        domain: place.domain,
        error,
      });
    }
    // Before anything is leased: the plan may be out of date by then, and has to be looked up again.
    place.resolving = false;
    if (!node.active) return;
    // What was found by the routes of before a reload says nothing of those of now.
    if (this.planner !== planner) for (const queue of place.queues) this.sleep(queue);
    else if (plan?.ok)
      node.assign(place, plan.value, this.#options.context.isps.find(place.domain, plan.value.hostNames));
    else for (const { head } of place.queues) if (head.wakeAt !== Infinity) this.#wakeLater(head);
  }

  /** The domain leads nowhere: everything that is due bears the refusal, as long as that `holds`. */
  async #refuseDue(node: Node, place: DomainPlace, refusal: Refusal, holds: () => boolean): Promise<void> {
    const { attempts, context } = this.#options;
    const { queue, recorder } = context;
    const about = { isp: this.ispOf(place.domain) ?? 'unresolved', source_ip: node.config.address };
    const due = [...place.queues].filter((one) => node.isDue(one));
    for (const { head } of due) {
      let taken: readonly LeasedDelivery[] | undefined;
      while (holds() && (taken === undefined || taken.length === REFUSE_SLICE)) {
        taken = await queue.lease({ queue: head, limit: REFUSE_SLICE });
        await Promise.all(
          taken.map((delivery) =>
            holds() ? attempts.refuse(delivery, refusal, about) : recorder.record(delivery, back(delivery)),
          ),
        );
      }
    }
  }

  /** Looks at the queue again after a second, if not before. */
  #wakeLater(queue: QueueHead): void {
    this.wake(queue, this.#options.context.clock.now() + 1_000);
  }
}

const back = ({ record: { wakeAt } }: LeasedDelivery): Outcome => ({ kind: 'released', wakeAt });
