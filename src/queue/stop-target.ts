/**
 * What an entry of the stop list speaks of: an address, a domain, or a pattern. Addresses are compared without regard
 * to case, for a mailbox that is dead as `Anna@` is dead as `anna@` too.
 *
 * A pattern is text with `*` (any run of characters) and `?` (one). With an `@` it is held against the address,
 * without one against the domain: `*@*.example.com`, `noreply*@example.org`, `*.example.net`.
 */
import { err, ok, parseAddress, type Result, toAsciiDomain } from '../core/index.ts';

export type StopKind = 'address' | 'domain' | 'pattern';

export interface StopTarget {
  readonly kind: StopKind;
  /** Lower case, the domain as A-labels. */
  readonly value: string;
}

/** Characters of a pattern that are neither `*` nor `?`: fewer stop mail that nobody meant. */
const MIN_LITERAL = 4;
const MAX_PATTERN = 320;

/** The error continues a sentence that begins with the name of the field. */
export function stopTarget(kind: StopKind, text: string): Result<StopTarget, string> {
  if (kind === 'address') {
    const address = parseAddress(text.trim());
    if (!address.ok) return err(`is not an address: ${address.error}`);
    return ok({ kind, value: `${address.value.local.toLowerCase()}@${address.value.domain}` });
  }
  const value = text.trim().toLowerCase();
  if (kind === 'domain') {
    const domain = toAsciiDomain(value);
    return domain === undefined ? err('is not a domain such as example.com') : ok({ kind, value: domain });
  }
  if (value.length > MAX_PATTERN) return err(`is longer than ${MAX_PATTERN} characters`);
  if (/[\s\x00-\x1f\x7f]/.test(value)) return err('has a space or a control character');
  if (!/[*?]/.test(value)) return err('has neither * nor ?: list it as an address or a domain');
  if (value.replaceAll(/[*?@.]/g, '').length < MIN_LITERAL)
    return err(
      `needs at least ${MIN_LITERAL} characters that are not wildcards, else it stops nearly all mail`,
    );
  return ok({ kind, value });
}

/** An address as the entries are compared with it. */
export const comparable = (recipient: string): string => recipient.toLowerCase();

/** Whether a pattern covers a comparable address, whose domain is given with it. */
export const covers = (pattern: string, address: string, domain: string): boolean =>
  glob(pattern, pattern.includes('@') ? address : domain);

/**
 * Greedy, with one place to come back to: at most pattern x text steps, whatever either of them is. What stands behind
 * the last `*` is compared first, for most patterns differ in it from most addresses.
 */
function glob(whole: string, all: string): boolean {
  let [end, left] = [whole.length, all.length];
  for (; end > 0 && whole[end - 1] !== '*'; end--, left--)
    if (left === 0 || (whole[end - 1] !== '?' && whole[end - 1] !== all[left - 1])) return false;
  if (end === 0) return left === 0;
  const [pattern, text] = [whole.slice(0, end), all.slice(0, left)];
  let [p, t, star, from] = [0, 0, -1, 0];
  while (t < text.length) {
    if (pattern[p] === '*') [star, from] = [p++, t];
    else if (pattern[p] === '?' || pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++from;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
