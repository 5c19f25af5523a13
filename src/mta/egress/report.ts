/** Tells an operator of something; `details` go into the log line, an `error` with its stack. */
export type Report = (
  level: 'debug' | 'info' | 'warn' | 'error',
  text: string,
  details: Readonly<Record<string, unknown>>,
) => void;

const EVERY_MS = 10_000;

/** Tells of what may go wrong a thousand times a second: at once, and then once in a while with the count of the others. */
export class Seldom {
  readonly #report: Report;
  readonly #text: string;
  #toldAt = -Infinity;
  #others = 0;

  constructor(report: Report, text: string) {
    this.#report = report;
    this.#text = text;
  }

  error(details: Readonly<Record<string, unknown>>): void {
    const now = performance.now();
    if (now - this.#toldAt < EVERY_MS) {
      this.#others++;
      return;
    }
    this.#report('error', this.#text, { ...details, ...(this.#others > 0 && { others: this.#others }) });
    [this.#toldAt, this.#others] = [now, 0];
  }
}
