/**
 * True when one of the MX host names is meant by one of the patterns: an exact name, or `*.google.com` for every
 * name below google.com (not google.com itself). One host is enough: sharing a limit with an ISP too often is harmless, exceeding it
 * is not.
 */
export function matchesMxSuffix(hostNames: readonly string[], patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    if (!wanted.startsWith('*.')) return hostNames.includes(wanted);
    const suffix = wanted.slice(1);
    return hostNames.some((name) => name.length > suffix.length && name.endsWith(suffix));
  });
}
