/** The system's clock, which also knows the start of the machine: what is stored by it can be compared after a restart. */
import { readFileSync } from 'node:fs';
import { type Boot, type Clock, systemClock } from '../core/index.ts';

export const bootClock = (): Clock => ({ ...systemClock, boot: thisBoot() });

/**
 * Linux counts its monotonic clock from the start of the machine, and names each start (random(4), clock_gettime(2)).
 * Undefined where that cannot be read, which `openQueue` tells.
 */
function thisBoot(): Boot | undefined {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { id, originMs: Number(process.hrtime.bigint() / 1_000n) / 1_000 - performance.now() };
  } catch {
    return undefined;
  }
}
