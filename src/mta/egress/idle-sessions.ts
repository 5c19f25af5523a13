/** Sessions of a destination that wait for mail, the one that was used last in front. */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { ClientSession } from '../smtp/index.ts';

interface Waiter {
  readonly session: ClientSession;
  readonly wake: (delivery: LeasedDelivery | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

export class IdleSessions {
  readonly #waiters: Waiter[] = [];

  get size(): number {
    return this.#waiters.length;
  }

  /** The next delivery for the session; undefined when it shall end: idle for too long, evicted, closed by the peer. */
  wait(session: ClientSession, idleMs: number): Promise<LeasedDelivery | undefined> {
    return new Promise((wake) => {
      const timer = setTimeout(() => this.closed(session), idleMs);
      this.#waiters.push({ session, wake, timer });
    });
  }

  /** Gives the delivery to a session that waits; there must be one. */
  feed(delivery: LeasedDelivery): void {
    const { wake, timer } = this.#waiters.pop()!;
    clearTimeout(timer);
    wake(delivery);
  }

  /** Ends up to `count` of them, the longest idle first; says how many. */
  evict(count: number): number {
    const evicted = this.#waiters.splice(0, count);
    for (const waiter of evicted) end(waiter);
    return evicted.length;
  }

  /** The session waits no longer, if it did: the peer has closed it, or it was idle for long enough. */
  closed(session: ClientSession): void {
    const at = this.#waiters.findIndex((waiter) => waiter.session === session);
    if (at < 0) return;
    const [waiter] = this.#waiters.splice(at, 1);
    end(waiter!);
  }
}

function end({ wake, timer }: Waiter): void {
  clearTimeout(timer);
  wake(undefined);
}
