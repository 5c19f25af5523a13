/**
 * A request body as lines, while it arrives. Lines longer than their limit are not kept: they come out as `undefined`
 * bytes with their number. Nothing is read ahead of the caller, so a slow caller slows the sender down.
 */
import type { Readable } from 'node:stream';

export interface InputLine {
  /** From 1; blank lines count, but do not come out. */
  readonly number: number;
  /** Undefined when the line was too long. */
  readonly bytes: Buffer | undefined;
}

const LF = 0x0a;

export class LineSplitter {
  readonly #limitOf: (line: number) => number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #number = 1;

  /** `limitOf` gives the most bytes that a line may have, by line number. */
  constructor(limitOf: (line: number) => number) {
    this.#limitOf = limitOf;
  }

  push(chunk: Buffer): InputLine[] {
    const lines: InputLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#hold(chunk.subarray(start, end));
      this.#finish(lines);
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return lines;
  }

  /** Bytes of the line that has not ended. */
  get heldBytes(): number {
    return this.#held.length === 0 ? 0 : this.#heldBytes;
  }

  /** The last line, when the body does not end with a line feed. */
  end(): InputLine[] {
    const lines: InputLine[] = [];
    this.#finish(lines);
    return lines;
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#limitOf(this.#number)) this.#held = [];
    else if (part.length > 0) this.#held.push(part);
  }

  #finish(lines: InputLine[]): void {
    const number = this.#number++;
    const long = this.#heldBytes > this.#limitOf(number);
    const bytes = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    if (long) lines.push({ number, bytes: undefined });
    else if (!isBlank(bytes)) lines.push({ number, bytes });
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false;
  return true;
}

/**
 * What arrives, as groups of lines; `broken` ends it when the connection broke, `closing` when the server closes, `full`
 * when there is no room for what came.
 */
export type Arrival =
  { readonly kind: 'lines'; readonly lines: readonly InputLine[] } | { readonly kind: 'end' | Cut };
export type Cut = 'broken' | 'closing' | 'full';

export interface InputOptions {
  /** Most bytes that a line may have, by line number. */
  readonly limitOf: (line: number) => number;
  /** Aborts when the server closes. */
  readonly closing: AbortSignal;
  /** Whether so many bytes may be held that were read and not given out. */
  readonly mayHold: (bytes: number) => boolean;
}

export class InputLines {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #splitter: LineSplitter;
  readonly #closing: AbortSignal;
  readonly #mayHold: InputOptions['mayHold'];
  /** Ends the wait under way: the server closes. */
  #close: (() => void) | undefined;
  #ended = false;

  constructor(body: Readable, { limitOf, closing, mayHold }: InputOptions) {
    this.#chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    this.#splitter = new LineSplitter(limitOf);
    this.#closing = closing;
    this.#mayHold = mayHold;
    const close = (): void => this.#close?.();
    closing.addEventListener('abort', close, { once: true });
    body.once('close', () => closing.removeEventListener('abort', close));
  }

  /** The lines that came since the last call, once there is at least one. */
  async next(): Promise<Arrival> {
    while (!this.#ended) {
      const arrival = await this.#readOrClose();
      if (arrival.kind !== 'lines' || arrival.lines.length > 0) return arrival;
    }
    return { kind: 'end' };
  }

  /** No race against one promise of the whole body: it would keep everything that ever arrived. */
  #readOrClose(): Promise<Arrival> {
    return new Promise((resolve) => {
      this.#close = () => resolve({ kind: 'closing' });
      if (this.#closing.aborted) this.#close();
      else void this.#read().then(resolve);
    });
  }

  async #read(): Promise<Arrival> {
    try {
      const chunk = await this.#chunks.next();
      if (!chunk.done) return this.#split(chunk.value);
    } catch {
      return { kind: 'broken' };
    }
    this.#ended = true;
    return { kind: 'lines', lines: this.#splitter.end() };
  }

  #split(chunk: Buffer): Arrival {
    const lines = this.#splitter.push(chunk);
    const given = lines.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    return this.#mayHold(given + this.#splitter.heldBytes) ? { kind: 'lines', lines } : { kind: 'full' };
  }
}
