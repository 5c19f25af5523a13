/**
 * One run in virtual time: nodes with always mail for one receiver. The clock jumps to whatever comes next: a reply, a
 * token, a retry. What is refused comes again by the shipped retry rule, until its attempts or its lifetime are over.
 */
import type { Reply } from '../../src/core/index.ts';
import { HOUR, VirtualClock } from './clock.ts';
import { Heap } from './heap.ts';
import type { Receiver } from './receivers.ts';
import { type Reaction, type Sending, SimulatedNode } from './sender.ts';

export interface Scene {
  readonly receiver: Receiver;
  readonly sending: Sending;
  readonly reaction: Reaction;
  readonly hours: number;
  readonly latencyMs: number;
  /** When each node begins (ms). */
  readonly nodes: readonly number[];
}

/** Sums of five minutes. */
export interface Slice {
  delivered: number;
  refused: number;
  capacity: number;
}

export interface Course {
  readonly slices: readonly Slice[];
  /** Delivered by node in the second half, when all have begun. */
  readonly byNode: readonly number[];
  /** Deliveries that were given up. */
  readonly lost: number;
}

export const SLICE_MS = 300_000;
const LIFETIME_MS = 24 * HOUR;

interface Mail {
  readonly number: number;
  readonly expiresAt: number;
  /** This one included. */
  readonly attempts: number;
}

interface Way {
  readonly node: SimulatedNode;
  readonly index: number;
  readonly from: number;
  readonly retries: Heap<Mail>;
}

interface Answer {
  readonly way: Way;
  readonly mail: Mail;
  readonly reply: Reply | undefined;
}

/** The one destination of a lane. */
const ALONE = { pump: () => undefined, evict: () => 0 };

export function simulate(scene: Scene): Course {
  const clock = new VirtualClock();
  const end = scene.hours * HOUR;
  const slices = slicesOf(scene, end);
  const ways = scene.nodes.map((from, index): Way => ({
    node: new SimulatedNode(clock, `n${index}`, scene.reaction, scene.sending),
    index,
    from,
    retries: new Heap(),
  }));
  const byNode = ways.map(() => 0);
  const answers = new Heap<Answer>();
  let [fresh, lost] = [0, 0];

  const begin = (way: Way): void => {
    const { lane } = way.node;
    const known = way.retries.pop(clock.at) ?? {
      number: ++fresh,
      expiresAt: clock.at + LIFETIME_MS,
      attempts: 0,
    };
    const mail = { ...known, attempts: known.attempts + 1 };
    way.node.begin(mail);
    lane.places.reserve(ALONE, Infinity);
    const sessions = lane.sessions;
    const reply = scene.receiver.answer({ at: clock.at, node: way.index, sessions, delivery: mail.number });
    answers.push(clock.at + scene.latencyMs, { way, mail, reply });
  };

  const finish = ({ way, mail, reply }: Answer): void => {
    const slice = slices[Math.min(slices.length - 1, Math.floor(clock.at / SLICE_MS))]!;
    if (reply === undefined) {
      slice.delivered++;
      if (clock.at > end / 2) byNode[way.index]!++;
      way.node.accepted(mail);
      way.node.lane.places.release(ALONE);
      return;
    }
    slice.refused++;
    const ending = way.node.refused(reply, mail);
    way.node.lane.places.release(ALONE);
    if (ending.kind === 'deferred') way.retries.push(clock.at + ending.nextAttemptAt - clock.now(), mail);
    else lost++;
  };

  while (clock.at < end) {
    for (let answer = answers.pop(clock.at); answer; answer = answers.pop(clock.at)) finish(answer);
    const wanted = ways.map((way) => advance(way, clock, begin));
    clock.at = Math.max(clock.at + 1e-3, Math.min(end, answers.earliest, ...wanted));
  }
  for (const { node } of ways) node.stop();
  return { slices, byNode, lost };
}

/** Sends what the node may send now; says when it wants to look again. */
function advance(way: Way, clock: VirtualClock, begin: (way: Way) => void): number {
  if (clock.at < way.from) return way.from;
  way.node.turn();
  const { lane } = way.node;
  for (;;) {
    if (lane.sessions >= lane.maxSessions) return Infinity;
    const wait = way.node.waitMs;
    if (wait > 0) return clock.at + wait;
    begin(way);
  }
}

function slicesOf({ receiver }: Scene, end: number): Slice[] {
  return Array.from({ length: Math.ceil(end / SLICE_MS) }, (_, i) => ({
    delivered: 0,
    refused: 0,
    capacity: (receiver.capacity((i + 0.5) * SLICE_MS) * SLICE_MS) / HOUR,
  }));
}
