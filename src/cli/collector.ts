/** How V8 counts memory that is not in its heap, here almost all of it, the bytes of messages; and how much garbage it may leave. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

const GARBAGE_BYTES = 80 * 1024 * 1024;
/** Less than the one would collect all the time, more than the other saves nothing. */
const LEAST_PERCENT = 50;
const MOST_PERCENT = 200;

/**
 * V8 marks the whole heap each time buffers have grown by some dozen MB, which with large messages is all the time (a
 * third of the CPU of 100 KB messages). With the first switch they count as heap does, so the collector runs when both
 * together have grown. By itself V8 lets a heap that fills quickly grow to four times of what is in use. While that is
 * little this is cheap; when much waits to be sent, most of the process would be garbage. So after each collection the
 * growth is set by what it left. To be called before the program has filled memory. Only where V8 knows the switches:
 * an unknown one is an error message on the terminal.
 */
export function boundGarbage(): void {
  if (!process.versions.node.startsWith('24.')) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  allowGrowth(MOST_PERCENT);
  new PerformanceObserver((collections) => {
    if (!collections.getEntries().some(isMajor)) return;
    const { used_heap_size, external_memory } = getHeapStatistics();
    allowGrowth(growthPercent(used_heap_size + external_memory));
  }).observe({ entryTypes: ['gc'] });
}

/** By how much what is in use may grow until the next collection. */
export function growthPercent(bytesInUse: number): number {
  const percent = Math.round((GARBAGE_BYTES / bytesInUse) * 100);
  return Math.min(Math.max(percent, LEAST_PERCENT), MOST_PERCENT);
}

function allowGrowth(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

/** Node.js tells the kind of a collection in a field that its types do not have. */
function isMajor(entry: object): boolean {
  const { kind } = (entry as { readonly detail: { readonly kind: number } }).detail;
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
