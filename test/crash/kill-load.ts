/**
 * Load from outside for a program that will die at any moment: messages over SMTP, batches over the socket. Knows what
 * was acknowledged; every recipient is used once, so what arrives twice was sent twice.
 */
import { type IncomingMessage, request } from 'node:http';
import type { Mta } from '../support/mta.ts';
import { batch, mail, submit } from '../support/mta-world.ts';

const BATCH = 40;

export class Load {
  readonly acknowledged = new Set<string>();
  readonly #mta: Mta;
  #next = 0;

  constructor(mta: Mta) {
    this.#mta = mta;
  }

  /** Works until the program has died. */
  async until(done: () => boolean): Promise<void> {
    const clients = [this.#smtp(done), this.#smtp(done), this.#smtp(done), this.#batches(done)];
    await Promise.all(clients);
  }

  async #smtp(done: () => boolean): Promise<void> {
    while (!done()) {
      try {
        const session = await this.#mta.session();
        while (session.usable && !done()) await this.#submit(session);
        session.destroy();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20)); // not there yet, or not any more
      }
    }
  }

  async #submit(session: Awaited<ReturnType<Mta['session']>>): Promise<void> {
    const to = `s${this.#next}@d${this.#next++ % 7}.test`;
    const sent = await submit(session, to, mail(to));
    if (sent.recipients[0]?.ok) this.acknowledged.add(to);
  }

  async #batches(done: () => boolean): Promise<void> {
    while (!done()) {
      const name = `b${this.#next++}`;
      try {
        await this.#batch(name);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  /** Recipients of line n are acknowledged when `acked_through` has reached it; line 1 is the header. */
  async #batch(name: string): Promise<void> {
    const sent = request({
      socketPath: this.#mta.socket,
      path: '/v1/batches',
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      agent: false,
    });
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    sent.on('error', reject);
    sent.on('response', resolve);
    sent.end(batch(BATCH, (i) => `${name}.d${i % 7}.test`, name));
    const response = await promise;
    for await (const text of response.setEncoding('utf8')) {
      for (const [, through] of String(text).matchAll(/"acked_through":(\d+)/g))
        for (let i = 0; i < Number(through) - 1; i++) this.acknowledged.add(`r${i}@${name}.d${i % 7}.test`);
    }
  }
}
