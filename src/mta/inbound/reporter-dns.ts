/**
 * DNS for the check of reporters. Most reports of a minute come from few systems, so answers are kept for a while, also
 * that there is none; what failed for now is asked again. Bounded, and a question that is open is asked once.
 */
import { Resolver } from 'node:dns/promises';

const KEPT_MS = 60_000;
const MOST = 2_000;
const QUERY = { timeout: 1_500, tries: 1 };
/** There is no such name or record: an answer too. */
const NONE: ReadonlySet<string | undefined> = new Set(['ENOTFOUND', 'ENODATA']);

interface Kept {
  readonly answer: Promise<string[]>;
  readonly until: number;
}

export class ReporterDns {
  readonly #resolver = new Resolver(QUERY);
  readonly #kept = new Map<string, Kept>();

  /** Undefined: the servers of the system. */
  constructor(servers: readonly string[] | undefined) {
    if (servers) this.#resolver.setServers([...servers]);
  }

  /** Rejects with the code of the DNS, as `dns.resolve` does. */
  resolve(name: string, type: string): Promise<string[]> {
    const key = `${type} ${name.toLowerCase()}`;
    const known = this.#kept.get(key);
    const now = performance.now();
    if (known && known.until > now) return known.answer;
    const answer = this.#resolver.resolve(name, type) as Promise<string[]>;
    this.#kept.delete(key);
    this.#kept.set(key, { answer, until: now + KEPT_MS });
    answer.catch((error: unknown) => {
      if (!NONE.has((error as NodeJS.ErrnoException).code)) this.#kept.delete(key);
    });
    if (this.#kept.size > MOST) this.#kept.delete(this.#kept.keys().next().value!);
    return answer;
  }
}
