/**
 * Mail that has nothing to do with what is measured and must not notice it: a message every 20 ms, and a campaign whose
 * recipients come 100 a second, both delivered at once. The receiver tells how long each was on its way.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchRecipient, Postrider } from '../../src/client/index.ts';
import { quantile } from '../report.ts';
import { FROM_ADDRESS } from '../workloads.ts';

/** Of the other mail: how much arrived, and how long the slowest of a hundred took (ms). */
export interface Beside {
  readonly messages: number;
  /** Until a message is accepted, and until it is at the receiver. */
  readonly acceptedP99Ms: number;
  readonly arrivedP99Ms: number;
  readonly campaignPerSecond: number;
  /** From the time that a line of the campaign is given to the client. */
  readonly campaignP50Ms: number;
  readonly campaignP99Ms: number;
}

const MESSAGE_MS = 20;
const LINES = 5;
const LINES_MS = 50;
const LAST_MS = 30_000;
const CONTENT = `From: ${FROM_ADDRESS}\r\nSubject: other\r\n\r\nHello\r\n`;

export class OtherMail {
  readonly #client: Postrider;
  readonly #stop = new AbortController();
  /** When it was given, by recipient. */
  readonly #given = new Map<string, number>();
  readonly #accepted: number[] = [];
  readonly #arrived = { message: [] as number[], campaign: [] as number[] };
  readonly #sending: Promise<unknown>;
  readonly #start = performance.now();

  constructor(client: Postrider, run: number) {
    this.#client = client;
    this.#sending = Promise.all([this.#messages(run), this.#campaign(run)]);
    // Told by `end`: where that is not reached, the reason why is what counts, not that the server has gone.
    this.#sending.catch(() => undefined);
  }

  /** To be told of each recipient at the receiver. */
  arrived(recipient: string): void {
    const given = this.#given.get(recipient);
    if (given === undefined) return;
    this.#given.delete(recipient);
    this.#arrived[recipient.startsWith('line') ? 'campaign' : 'message'].push(performance.now() - given);
  }

  /** Sends no more, and waits until all has arrived. Throws when some of it does not. */
  async end(): Promise<Beside> {
    this.#stop.abort();
    const seconds = (performance.now() - this.#start) / 1000;
    await this.#sending;
    const until = performance.now() + LAST_MS;
    while (this.#given.size > 0) {
      if (performance.now() > until) throw new Error(`${this.#given.size} of the other mail did not arrive`);
      await delay(MESSAGE_MS);
    }
    const { message, campaign } = this.#arrived;
    return {
      messages: message.length,
      acceptedP99Ms: quantile(this.#accepted, 0.99),
      arrivedP99Ms: quantile(message, 0.99),
      campaignPerSecond: campaign.length / seconds,
      campaignP50Ms: quantile(campaign, 0.5),
      campaignP99Ms: quantile(campaign, 0.99),
    };
  }

  async #messages(run: number): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const to = `one${i}-${run}@other.test`;
      const start = performance.now();
      this.#given.set(to, start);
      const sent = this.#client.send({
        envelope: { from: FROM_ADDRESS, to: [to] },
        content: CONTENT,
        virtual_sender: 'main',
      });
      const accepted = sent.then(() => void this.#accepted.push(performance.now() - start));
      accepted.catch(() => undefined); // awaited below
      waiting.push(accepted);
      await delay(MESSAGE_MS);
    }
    await Promise.all(waiting);
  }

  async #campaign(run: number): Promise<void> {
    const parts = { from: FROM_ADDRESS, subject: 'Beside', text: 'Hello {{name}}' };
    const header = { from: FROM_ADDRESS, parts, virtual_sender: 'main', campaign_id: 'beside' };
    await this.#client.sendBatch(header, this.#lines(run));
  }

  async *#lines(run: number): AsyncGenerator<BatchRecipient> {
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const to = `line${i}-${run}@beside${i % 20}.test`;
      this.#given.set(to, performance.now());
      yield { to, vars: { name: `Anna ${i}` } };
      if (i % LINES === LINES - 1) await delay(LINES_MS);
    }
  }
}
