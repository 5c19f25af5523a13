/** Places where a signed token may stand: everything that has the form of one. Whether it is one, its MAC says. */

/** `b+TOKEN@domain`; mail systems change case, write `=` for `@` in return paths of their own, and encode `+`. */
const CANDIDATE =
  /(?<![0-9A-Za-z])([A-Za-z])(?:\+|=2B|%2B)([0-9A-Za-z]{20,60})(?:@|=40|%40|=)([A-Za-z0-9][A-Za-z0-9.-]{2,252})/g;
const MOST = 20;

export function tokenCandidates(texts: Iterable<string>): string[] {
  const found = new Set<string>();
  for (const text of texts) {
    for (const [, prefix, token, domain] of text.matchAll(CANDIDATE)) {
      found.add(`${prefix}+${token}@${domain!.replace(/[.-]+$/, '')}`.toLowerCase());
      if (found.size >= MOST) return [...found];
    }
  }
  return [...found];
}
