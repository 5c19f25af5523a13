/** An entry of the stop list as people write it: wildcards make a pattern, an @ an address, all else is a domain. */
export interface Given {
  readonly address?: string;
  readonly domain?: string;
  readonly pattern?: string;
}

export function targetOf(entry: string): Given {
  if (/[*?]/.test(entry)) return { pattern: entry };
  return entry.includes('@') ? { address: entry } : { domain: entry };
}
