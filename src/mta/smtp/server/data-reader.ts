/**
 * Reads what follows DATA: removes the dots that the sender stuffed and finds the end, in one pass over the chunks.
 * Only CRLF . CRLF ends the content (RFC 5321 §4.1.1.4); every other sequence that some server takes for the end
 * (SMTP smuggling) is content and sets `bare` where it has a CR or LF that stands alone.
 */
import type { Content } from './content.ts';
import type { LineFacts } from './handler.ts';
import { findLineDot, type Found } from './line-ends.ts';

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const CR_BYTE = Buffer.from([CR]);

/** Where in a line the next byte stands; a dot and the CR after it are held back until it is clear what they are. */
const LINE_START = 0;
const IN_LINE = 1;
const AFTER_CR = 2;
const AFTER_DOT = 3;
const AFTER_DOT_CR = 4;

export class DataReader {
  readonly #content: Content;
  readonly #found: Found = { at: 0, bare: false };
  #state = LINE_START;
  #dots = false;

  constructor(content: Content) {
    this.#content = content;
  }

  /** True when the content read so far has a CR or LF that is not part of a CRLF. */
  get bare(): boolean {
    return this.#found.bare;
  }

  /** What the content read so far is like; undefined when it has bare line ends. */
  get lines(): LineFacts | undefined {
    return this.bare ? undefined : { dotLine: this.#dots };
  }

  reset(): void {
    this.#state = LINE_START;
    this.#dots = false;
    this.#found.bare = false;
  }

  /** Takes the chunk from `from` on. Returns the index after the end of the content, or -1 when it has not come. */
  read(chunk: Buffer, from: number): number {
    let at = from;
    let kept = from;
    while (at < chunk.length) {
      const c = chunk[at]!;
      if (this.#state === LINE_START && c === DOT) {
        this.#content.append(chunk, kept, at);
        kept = ++at;
        this.#state = AFTER_DOT;
        // One that was stuffed, or the one that ends the content.
        if (chunk[at] !== CR) this.#dots = true;
      } else if (this.#state === AFTER_DOT && c === CR) {
        kept = ++at;
        this.#state = AFTER_DOT_CR;
      } else if (this.#state === AFTER_DOT_CR && c === LF) {
        this.#state = LINE_START;
        return at + 1;
      } else at = this.#line(chunk, at);
    }
    this.#content.append(chunk, kept, chunk.length);
    return -1;
  }

  /** Content from `at` on up to the next dot that begins a line; returns where that is. */
  #line(chunk: Buffer, at: number): number {
    let next = at;
    if (this.#state === AFTER_DOT_CR) {
      // The held CR was content after all, and it stands alone: the next byte is no LF.
      this.#content.append(CR_BYTE, 0, 1);
      this.#found.bare = true;
    } else if (this.#state === AFTER_CR) {
      if (chunk[next] === LF) {
        this.#state = LINE_START;
        return next + 1;
      }
      this.#found.bare = true;
    }
    findLineDot(chunk, next, this.#found);
    next = this.#found.at;
    this.#state = next < chunk.length ? LINE_START : stateAtEnd(chunk, at);
    return next;
  }
}

/** State after the last byte of a chunk that was searched from `from` on. */
function stateAtEnd(chunk: Buffer, from: number): number {
  const last = chunk.length - 1;
  if (chunk[last] === CR) return AFTER_CR;
  return chunk[last] === LF && last > from && chunk[last - 1] === CR ? LINE_START : IN_LINE;
}
