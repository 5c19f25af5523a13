/**
 * The signals of `serve`, from the start on. SIGTERM and SIGINT end in order: a start as soon as its store is open (what
 * cuts the opening off has the next start walk through the store first), what runs when its transactions have ended or a
 * second signal cuts them. SIGHUP reloads; one that comes during the start does so after it.
 *
 * While LMDB opens a file the whole program waits for the disk: what comes then is told after it.
 */
import type { Logger } from 'pino';
import { formatDuration } from '../core/index.ts';
import { SAME_MS } from './interruption.ts';
import type { Service } from './service.ts';

export interface EndSignalsOptions {
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** How long transactions under way may take at the end. */
  readonly drainMs: number;
  readonly process: { on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown };
  /** Milliseconds of a clock that never jumps. */
  readonly mono: () => number;
}

type Running = Pick<Service, 'stop' | 'hurry' | 'reloadBySignal'>;

export class EndSignals {
  readonly #options: EndSignalsOptions;
  readonly #ending = new AbortController();
  #since = -Infinity;
  /** A second one came before there was anything to cut. */
  #again = false;
  #reload = false;
  #service: Running | undefined;
  #end: (status: number) => void = () => undefined;

  /** From now on no signal ends the process by itself. */
  constructor(options: EndSignalsOptions) {
    this.#options = options;
    options.process.on('SIGTERM', (signal) => this.#onEnd(signal));
    options.process.on('SIGINT', (signal) => this.#onEnd(signal));
    options.process.on('SIGHUP', () => this.#onReload());
  }

  /** Aborted by the first signal to end. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Resolves to the exit status when the service, which runs now, has stopped after a signal. */
  ended(service: Running): Promise<number> {
    this.#service = service;
    const ended = new Promise<number>((resolve) => (this.#end = resolve));
    if (this.ending.aborted) this.#stop(service);
    else if (this.#reload) void service.reloadBySignal();
    return ended;
  }

  #onReload(): void {
    if (this.#service) void this.#service.reloadBySignal();
    else this.#reload = true;
  }

  #onEnd(signal: NodeJS.Signals): void {
    const { log, drainMs, mono } = this.#options;
    if (this.ending.aborted) {
      // One and the same: a terminal or systemd tells the whole group, and a parent (npm, our own) passes it on.
      if (mono() - this.#since < SAME_MS) return;
      this.#again = true;
      log.warn(
        this.#service ? `${signal} again: open sessions are cut` : `${signal} again: none is open to be cut`,
      );
      this.#service?.hurry();
      return;
    }
    this.#since = mono();
    this.#ending.abort();
    log.info(
      this.#service
        ? `${signal}: ending; transactions under way may take ${formatDuration(drainMs)}, a second signal cuts them`
        : `${signal}: ends as soon as the store is open`,
    );
    if (this.#service) this.#stop(this.#service);
  }

  #stop(service: Running): void {
    const { log, drainMs } = this.#options;
    service.stop(drainMs).then(
      () => {
        log.info(ENDED);
        this.#end(0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'the end was not in order; the next start recovers');
        this.#end(1);
      },
    );
    if (this.#again) service.hurry();
  }
}

/** What the log says last. */
export const ENDED = 'ended in order';
