/** What a session is opened with. */
export type TlsMode =
  /** Never encrypted. */
  | 'none'
  /** Encrypted when the peer can, without looking at its certificate; in clear when TLS fails. */
  | 'may'
  /** Encrypted or not at all, without looking at the certificate. */
  | 'require'
  /** Encrypted, and the certificate is valid for `host`. */
  | 'verify';

/** Deadlines in the manner of RFC 5321 §4.5.3.2, each for one wait. */
export interface Timeouts {
  readonly connectMs: number;
  readonly greetingMs: number;
  /** EHLO, HELO, STARTTLS and the TLS handshake. */
  readonly ehloMs: number;
  readonly mailMs: number;
  readonly rcptMs: number;
  /** From DATA to the 354. */
  readonly dataInitMs: number;
  /** One block of content until the network has taken it. */
  readonly dataBlockMs: number;
  /** From the end of the content to the reply. */
  readonly dataDoneMs: number;
}

/** The minima of RFC 5321 §4.5.3.2; connecting and EHLO are ours (30 s connects everything that will connect). */
export const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 30_000,
  greetingMs: 300_000,
  ehloMs: 300_000,
  mailMs: 300_000,
  rcptMs: 300_000,
  dataInitMs: 120_000,
  dataBlockMs: 180_000,
  dataDoneMs: 600_000,
};

export interface SessionOptions {
  /** Name of the MX host: what its certificate must be for. */
  readonly host: string;
  /** IP address to connect to. */
  readonly address: string;
  readonly port: number;
  /** The node's IP. Undefined lets the system choose, which only tools and tests may do. */
  readonly localAddress: string | undefined;
  readonly heloName: string;
  readonly tls: TlsMode;
  readonly timeouts: Timeouts;
  /** Trusted certificates (PEM) instead of the system's, for `verify`. */
  readonly ca?: string;
  /** False: one command at a time even where the peer offers PIPELINING. */
  readonly pipelining?: boolean;
  /** False: DATA even where the peer offers CHUNKING. */
  readonly chunking?: boolean;
  /** Ends the opening of the session; afterwards its owner calls `destroy`. */
  readonly signal?: AbortSignal;
}
