/**
 * The control API over its Unix socket. Failures are values with the exit code they lead to and a sentence that says
 * what to do; an answer is believed to be what this version's server sends.
 */
import { request, type IncomingMessage } from 'node:http';
import { userInfo } from 'node:os';
import { USER_HEADER } from '../api/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import type { ExitCode } from './io.ts';

const REQUEST_MS = 60_000;
/** For the log of operators; with sudo, who asked for it. */
const USER = process.env.SUDO_USER ?? userName();
/** A followed stream has a heartbeat every 15 s. */
const SILENCE_MS = 60_000;

export interface Problem {
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly message: string;
  /** More lines, for example the errors of a configuration. */
  readonly lines: readonly string[];
}

export interface ClientOptions {
  readonly socketPath: string;
  /** For the advice how to start the server. */
  readonly configFile: string | undefined;
}

export class ControlClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get<T>(path: string): Promise<Result<T, Problem>> {
    return this.#call('GET', path);
  }

  post<T>(path: string, body: object): Promise<Result<T, Problem>> {
    return this.#call('POST', path, JSON.stringify(body));
  }

  delete<T>(path: string, body: object): Promise<Result<T, Problem>> {
    return this.#call('DELETE', path, JSON.stringify(body));
  }

  /** Lines of an NDJSON answer as they come; heartbeats are left out. Throws when the connection breaks. */
  async lines(path: string, signal: AbortSignal): Promise<Result<AsyncIterable<string>, Problem>> {
    const response = await this.#open({ method: 'GET', path, silenceMs: SILENCE_MS, signal });
    if (!response.ok) return response;
    if (response.value.statusCode === 200) return ok(linesOf(response.value));
    return err(refusal(response.value.statusCode ?? 0, await textOf(response.value)));
  }

  /** An answer that is no JSON, as its bytes. */
  bytes(path: string): Promise<Result<Buffer, Problem>> {
    return this.#call('GET', path, undefined, (bytes) => bytes);
  }

  async #call<T>(
    method: string,
    path: string,
    body?: string,
    read = (bytes: Buffer): T => JSON.parse(bytes.toString()) as T,
  ): Promise<Result<T, Problem>> {
    const response = await this.#open({ method, path, body, silenceMs: REQUEST_MS });
    if (!response.ok) return response;
    const status = response.value.statusCode ?? 0;
    try {
      const bytes = await bytesOf(response.value);
      return status >= 200 && status < 300 ? ok(read(bytes)) : err(refusal(status, bytes.toString()));
    } catch (error) {
      return err(this.#broken(error as NodeJS.ErrnoException));
    }
  }

  #open({ method, path, body, silenceMs, signal }: Opening): Promise<Result<IncomingMessage, Problem>> {
    const { socketPath } = this.#options;
    return new Promise((resolve) => {
      const length = Buffer.byteLength(body ?? '');
      const headers = {
        ...(USER === '' ? {} : { [USER_HEADER]: USER }),
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': length }),
      };
      const sent = request({ socketPath, method, path, headers, agent: false, ...(signal && { signal }) });
      sent.setTimeout(silenceMs, () => sent.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
      sent.once('response', (response) => resolve(ok(response)));
      sent.on('error', (error) => resolve(err(this.#broken(error))));
      sent.end(body);
    });
  }

  #broken({ code, message }: NodeJS.ErrnoException): Problem {
    const { socketPath, configFile } = this.#options;
    const start = `postrider serve -c ${configFile ?? 'FILE'}`;
    const absent = code === 'ENOENT' || code === 'ECONNREFUSED';
    const sentence = absent
      ? `no postrider answers on ${socketPath}: is it running? start it with ${start}`
      : code === 'EACCES'
        ? `no permission to use ${socketPath}: run this as a member of the group that owns it`
        : `the connection on ${socketPath} failed: ${message}`;
    return { exitCode: 1, code: code ?? 'connection', message: sentence, lines: [] };
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run as a user that has no name.
    return '';
  }
}

interface Opening {
  readonly method: string;
  readonly path: string;
  readonly body?: string | undefined;
  /** Longest time without anything from the server. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal;
}

const textOf = async (response: IncomingMessage): Promise<string> => (await bytesOf(response)).toString();

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string; readonly details?: unknown };
}

/** What the caller asked for wrongly is a matter of usage (2); all else is a no (1). */
function refusal(status: number, text: string): Problem {
  const usage = status === 400 || status === 413 || status === 422;
  const { error } = parse(text);
  const details = error?.details as { problems?: unknown } | undefined;
  const problems = Array.isArray(details?.problems) ? details.problems.map(String) : [];
  return {
    exitCode: usage ? 2 : 1,
    code: error?.code ?? String(status),
    message: error?.message ?? `the server answered ${status}`,
    lines: problems,
  };
}

function parse(text: string): ErrorBody {
  try {
    return JSON.parse(text) as ErrorBody;
  } catch {
    return {};
  }
}
