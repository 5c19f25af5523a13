/** How V8 counts memory that is not in its heap, here almost all of it, the bytes of messages; and how far it lets its heap grow. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 marks the whole heap each time buffers have grown by some dozen MB, which with large messages is all the time (a
 * third of the CPU of 100 KB messages). With the first switch they count as heap does, so the collector runs when both
 * together have grown. By itself V8 lets a heap that fills quickly grow to four times of what is in use; with the
 * second one it is three times. To be called before the program has filled memory. Only where V8 knows the switches: an
 * unknown one is an error message on the terminal.
 */
export function boundGarbage(): void {
  if (!process.versions.node.startsWith('24.')) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--heap-growing-percent=200');
}
