/** Who has signed in. Sessions live in memory: a restart signs everybody out. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../core/index.ts';

const LIFETIME_MS = 12 * 3_600_000;
const MOST_SESSIONS = 100;
const WRONG_PER_MINUTE = 10;
/** Of the digest of the cookie. */
const NAME_CHARS = 8;
const MINUTE_MS = 60_000;

export const COOKIE = 'postrider_session';
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export type SignIn =
  { readonly ok: true; readonly cookie: string } | { readonly ok: false; readonly why: 'wrong' | 'too_many' };

export class Sessions {
  readonly #token: Buffer | undefined;
  readonly #clock: Clock;
  /** Digest of the cookie's value, and when it ends (mono). */
  readonly #ends = new Map<string, number>();
  #wrong = 0;
  #wrongSince = -Infinity;

  constructor(token: string | undefined, clock: Clock) {
    this.#token = token === undefined ? undefined : digest(token);
    this.#clock = clock;
  }

  get possible(): boolean {
    return this.#token !== undefined;
  }

  isToken(given: string): boolean {
    return this.#token !== undefined && timingSafeEqual(digest(given), this.#token);
  }

  /** The text of the Set-Cookie field. Guessing is slowed down for all, since behind a proxy all look alike. */
  signIn(given: string): SignIn {
    const now = this.#clock.mono();
    if (now - this.#wrongSince > MINUTE_MS) [this.#wrong, this.#wrongSince] = [0, now];
    if (this.#wrong >= WRONG_PER_MINUTE) return { ok: false, why: 'too_many' };
    if (!this.isToken(given)) {
      this.#wrong++;
      return { ok: false, why: 'wrong' };
    }
    const id = randomBytes(32).toString('base64url');
    if (this.#ends.size >= MOST_SESSIONS) this.#ends.delete(this.#ends.keys().next().value!);
    this.#ends.set(digest(id).toString('hex'), now + LIFETIME_MS);
    return { ok: true, cookie: cookieField(id, LIFETIME_MS / 1000) };
  }

  knows(cookies: string | undefined): boolean {
    const key = keyOf(cookies);
    const ends = key === undefined ? undefined : this.#ends.get(key);
    return ends !== undefined && ends > this.#clock.mono();
  }

  /** A name of the session for the log of operators; undefined when it is over. */
  nameOf(cookies: string | undefined): string | undefined {
    return this.knows(cookies) ? keyOf(cookies)?.slice(0, NAME_CHARS) : undefined;
  }

  /** The Set-Cookie field that makes the browser forget. */
  signOut(cookies: string | undefined): string {
    const key = keyOf(cookies);
    if (key !== undefined) this.#ends.delete(key);
    return cookieField('', 0);
  }
}

const cookieField = (value: string, seconds: number): string =>
  `${COOKIE}=${value}; Max-Age=${seconds}; Path=/; HttpOnly; SameSite=Strict`;

function keyOf(cookies: string | undefined): string | undefined {
  const value = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(cookies ?? '')?.[1];
  return value === undefined ? undefined : digest(value).toString('hex');
}
