/** What a peer offers in its reply to EHLO (RFC 5321 §4.1.1.1). Unknown keywords are ignored, keywords know no case. */
export interface Capabilities {
  readonly pipelining: boolean;
  readonly chunking: boolean;
  /** Undefined: not offered. 0: offered without a limit. Otherwise the largest message in bytes (RFC 1870). */
  readonly size: number | undefined;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  readonly dsn: boolean;
  readonly enhancedStatusCodes: boolean;
  readonly starttls: boolean;
}

/** A peer that only knows HELO. */
export const NO_CAPABILITIES: Capabilities = {
  pipelining: false,
  chunking: false,
  size: undefined,
  eightBitMime: false,
  smtpUtf8: false,
  dsn: false,
  enhancedStatusCodes: false,
  starttls: false,
};

/** Reads the lines of an EHLO reply; the first one is the peer's name. */
export function parseCapabilities(lines: readonly string[]): Capabilities {
  const offered = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const [keyword = '', parameter = ''] = line.trim().split(' ', 2);
    offered.set(keyword.toUpperCase(), parameter);
  }
  return {
    pipelining: offered.has('PIPELINING'),
    chunking: offered.has('CHUNKING'),
    size: sizeLimit(offered.get('SIZE')),
    eightBitMime: offered.has('8BITMIME'),
    smtpUtf8: offered.has('SMTPUTF8'),
    dsn: offered.has('DSN'),
    enhancedStatusCodes: offered.has('ENHANCEDSTATUSCODES'),
    starttls: offered.has('STARTTLS'),
  };
}

function sizeLimit(parameter: string | undefined): number | undefined {
  if (parameter === undefined) return undefined;
  const limit = Number(parameter);
  return Number.isFinite(limit) && limit > 0 ? Math.floor(limit) : 0;
}
