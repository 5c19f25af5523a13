/** What goes wrong with a request: the server says no, or the connection breaks. */

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string; readonly details?: unknown };
}

/** The server refused. `code` is for programs, `message` for people. */
export class PostriderError extends Error {
  override readonly name = 'PostriderError';
  readonly status: number;
  readonly code: string;
  /** For `invalid_request`: `[{field, message}]`. */
  readonly details: unknown;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, { error }: ErrorBody, retryAfterMs?: number) {
    super(error?.message ?? `the server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? String(status);
    this.details = error?.details;
    this.retryAfterMs = retryAfterMs;
  }

  static from(status: number, text: string, retryAfter: string | undefined): PostriderError {
    const seconds = Number(retryAfter);
    return new PostriderError(status, parse(text), seconds > 0 ? seconds * 1000 : undefined);
  }

  /** The same request may work later. */
  get temporary(): boolean {
    return this.code === 'unavailable' || this.status === 503 || this.status === 429;
  }
}

/** Nothing is known of what the server did with the request. */
export class ConnectionBroken extends Error {
  override readonly name = 'ConnectionBroken';

  constructor(cause: unknown) {
    super(`the connection to Postrider broke: ${(cause as Error).message}`, { cause });
  }
}

function parse(text: string): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody;
  } catch {
    return {};
  }
}
