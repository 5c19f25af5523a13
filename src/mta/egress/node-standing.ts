/** The state of a node, and since when it is in it. */
import type { Lock } from './lock.ts';
import type { NodeState } from './status.ts';

export interface ShownState {
  readonly state: NodeState;
  /** Wall ms; undefined while it runs. */
  readonly stateSince: number | undefined;
}

export class NodeStanding {
  #state: NodeState = 'down';
  /** Wall ms. */
  #since: number;

  constructor(since: number) {
    this.#since = since;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Whether it sends what it has. */
  get sends(): boolean {
    return this.#state === 'running' || this.#state === 'draining';
  }

  set(state: NodeState, since: number): void {
    this.#state = state;
    this.#since = since;
  }

  /** As people are told it; `lock`: the one that holds for all of the node now. */
  shown(lock: Lock | undefined): ShownState {
    if (this.#state !== 'running') return { state: this.#state, stateSince: this.#since };
    if (lock) return { state: 'locked', stateSince: lock.record.since };
    return { state: 'running', stateSince: undefined };
  }
}
