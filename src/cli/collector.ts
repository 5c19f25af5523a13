/** How V8 counts memory that is not in its heap: here almost all of it, the bytes of messages. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 marks the whole heap each time buffers have grown by some dozen MB, which with large messages is all the time (a
 * third of the CPU of 100 KB messages). With this switch they count as heap does, so the collector runs when both
 * together have grown. To be called before the program has filled memory. Only where V8 knows the switch: an unknown
 * one is an error message on the terminal.
 */
export function countBuffersAsHeap(): void {
  if (process.versions.node.startsWith('24.'))
    setFlagsFromString('--external-memory-accounted-in-global-limit');
}
