/** HTTP/1.1 to the control API, over its Unix socket or TCP. The rim of the client: sockets and raw answers. */
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as overHttp } from 'node:http';
import { Agent as HttpsAgent, request as overHttps } from 'node:https';
import { ConnectionBroken, PostriderError } from './errors.ts';

export interface Target {
  /** Unix socket (`control.socket`); either this or `url`. */
  readonly socketPath?: string;
  /** `http://host:port` or `https://host:port` (`control.listen`). */
  readonly url?: string;
  /** Bearer token; needed over TCP. */
  readonly token?: string;
  /** Certificates to trust beside the system's, for https. */
  readonly ca?: string | Buffer;
}

export interface Opening {
  readonly method: string;
  readonly path: string;
  readonly type?: string;
  readonly body?: string;
  /** Longest time (ms) without anything from the server. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal | undefined;
}

export class Connection {
  readonly #target: Target;
  readonly #agent: HttpAgent;
  readonly #url: URL | undefined;

  constructor(target: Target) {
    if ((target.socketPath === undefined) === (target.url === undefined))
      throw new TypeError('give either socketPath or url');
    this.#target = target;
    this.#url = target.url === undefined ? undefined : new URL(target.url);
    const { ca } = target;
    this.#agent =
      this.#url?.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true, ...(ca !== undefined && { ca }) })
        : new HttpAgent({ keepAlive: true });
  }

  /** A request whose body is written by the caller. */
  open({ method, path, type, silenceMs, signal }: Opening): ClientRequest {
    const { socketPath, token } = this.#target;
    const headers = {
      ...(type !== undefined && { 'content-type': type }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const common = { method, path, headers, agent: this.#agent, ...(signal && { signal }) };
    const url = this.#url;
    const request = url
      ? (url.protocol === 'https:' ? overHttps : overHttp)({ ...common, host: url.hostname, port: url.port })
      : overHttp({ ...common, ...(socketPath !== undefined && { socketPath }) });
    request.setTimeout(silenceMs, () => request.destroy(new Error(`no answer for ${silenceMs / 1000} s`)));
    return request;
  }

  /** One request, one JSON answer. Throws PostriderError or ConnectionBroken. */
  async call<T>(opening: Opening): Promise<T> {
    return JSON.parse((await this.bytes(opening)).toString()) as T;
  }

  /** One request, one answer as its bytes. Throws PostriderError or ConnectionBroken. */
  async bytes(opening: Opening): Promise<Buffer> {
    const request = this.open({
      ...opening,
      ...(opening.body !== undefined && { type: 'application/json' }),
    });
    const answered = responseTo(request);
    request.end(opening.body);
    const response = await answered;
    const bytes = await bytesOf(response);
    const status = response.statusCode ?? 0;
    if (status < 200 || status >= 300)
      throw PostriderError.from(status, bytes.toString(), response.headers['retry-after']);
    return bytes;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The head of the answer. Rejects with ConnectionBroken when there is none. */
export function responseTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', (error) => reject(new ConnectionBroken(error)));
  });
}

export const textOf = async (response: IncomingMessage): Promise<string> =>
  (await bytesOf(response)).toString();

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  try {
    for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  } catch (error) {
    throw new ConnectionBroken(error);
  }
  return Buffer.concat(parts);
}

/** JSON lines as they come; empty ones keep the stream alive and are left out. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<unknown> {
  let rest = '';
  try {
    for await (const part of response.setEncoding('utf8') as AsyncIterable<string>) {
      const lines = (rest + part).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line !== '') yield JSON.parse(line);
    }
  } catch (error) {
    throw error instanceof PostriderError ? error : new ConnectionBroken(error);
  }
}
