/**
 * The states of the nodes: what the configuration, operators and the machine say. A node whose address is not on the
 * machine is down; it is looked for every few seconds. Each change is reported and announced as an event.
 */
import type { Queue } from '../../queue/index.ts';
import { addressAvailable } from './address-watch.ts';
import type { EgressContext } from './context.ts';
import type { Node } from './node.ts';
import { NodeModes } from './node-modes.ts';
import type { NodeState } from './status.ts';

export interface NodeStatesOptions {
  readonly context: EgressContext;
  readonly queue: Queue;
  readonly node: (name: string) => Node | undefined;
  /** The node is in another state now. */
  readonly onChange: (node: Node) => void;
}

export class NodeStates {
  readonly modes: NodeModes;
  readonly #options: NodeStatesOptions;
  #stopped = false;

  constructor(options: NodeStatesOptions) {
    this.#options = options;
    this.modes = new NodeModes(options.queue, options.context.clock);
  }

  /** No state changes any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Brings every node into the state it has to be in now. */
  async look(): Promise<void> {
    const { context, node } = this.#options;
    await Promise.all(
      context.settings.config.nodes.map(async ({ name, address, enabled }) => {
        const available = (await addressAvailable(address)) ?? node(name)?.state !== 'down';
        const order = this.modes.of(name);
        const state: NodeState =
          !enabled || order?.mode === 'disabled'
            ? 'stopped'
            : !available
              ? 'down'
              : (order?.mode ?? 'running');
        const known = node(name);
        if (!known || known.state === state || this.#stopped) return;
        const ordered = state === 'draining' || order?.mode === 'disabled';
        await this.#change(known, state, ordered ? order?.since : undefined);
      }),
    );
  }

  /** `since` (wall ms): when an operator ordered it; undefined: it is so from now on. */
  async #change(node: Node, state: NodeState, since: number | undefined): Promise<void> {
    const { report, clock, queue } = this.#options.context;
    node.setState(state, since ?? clock.now());
    const reason =
      state === 'down'
        ? `the address ${node.config.address} is not on this machine`
        : `node ${node.name} is ${state}`;
    report(state === 'down' ? 'error' : 'info', reason, { node: node.name, state });
    this.#options.onChange(node);
    const time = clock.now();
    await queue
      .announce({ type: 'node_state', time, node: node.name, source_ip: node.config.address, reason })
      .catch(() => undefined);
  }
}
