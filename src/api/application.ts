/**
 * The HTTP application under both servers: how bodies are read, how errors are said. Every error that reaches the
 * caller has the form of refused.ts; an unexpected one is logged with its stack and answered as `internal`.
 */
import { maxHeaderSize, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import {
  type ConnectionError,
  fastify,
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
} from 'fastify';
import type { Log } from './dependencies.ts';
import { readJson } from './json-body.ts';
import { errorBody, refuse, type Refused } from './refused.ts';
import { Room, shareOf, shareRoom } from './room.ts';
import { answerUnknownRoutes } from './routes-known.ts';

/** A connection on which nothing moves for this long is closed; followed streams have their heartbeat. */
const IDLE_MS = 300_000;
const SMALL_BODY_BYTES = 1024 * 1024;
/** More are closed at once; as many as of SMTP. */
const MAX_CONNECTIONS = 1_000;

export interface ApplicationOptions {
  readonly log: Log;
  /** Most bytes that a JSON body of a route may have now; undefined: 1 MB. */
  readonly bodyLimit?: (route: string) => number | undefined;
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
  /** For what requests hold; shared by the doors of a server. */
  readonly room?: Room;
}

export function createApplication({
  log,
  bodyLimit = () => undefined,
  tls,
  room = new Room(),
}: ApplicationOptions): FastifyInstance {
  const app: FastifyInstance = fastify({
    ...(tls && { https: { ...tls, minVersion: 'TLSv1.2' } }),
    logger: false,
    connectionTimeout: IDLE_MS,
    exposeHeadRoutes: false,
    genReqId: requestIds(),
    return503OnClosing: true,
    clientErrorHandler: (error, socket) => answerBroken(error, socket),
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  shareRoom(app, room);
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  answerUnknownRoutes(app);
  addParsers(app, bodyLimit);
  app.setErrorHandler((error: FastifyError | Carried, request, reply) => {
    const { id, method } = request;
    // Without its query, which may name a recipient.
    const url = request.url.split('?', 1)[0];
    const refused = error instanceof Carried ? error.refused : fromFramework(error, id);
    if (refused.status >= 500)
      log.error({ err: error, request: id, method, url }, 'a request failed unexpectedly');
    return refuse(reply, refused);
  });
  return app;
}

/** Takes a refusal through the framework's parser, which only knows errors. */
class Carried extends Error {
  readonly refused: Refused;

  constructor(refused: Refused) {
    super(refused.message);
    this.refused = refused;
  }
}

function addParsers(app: FastifyInstance, limitOf: (route: string) => number | undefined): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', async (request: FastifyRequest, body: Readable) => {
    const limit = limitOf(request.routeOptions.url ?? '') ?? SMALL_BODY_BYTES;
    const json = await readJson(body, limit, shareOf(request));
    if (!json.ok) throw new Carried(json.error);
    return json.value;
  });
  app.addContentTypeParser('application/x-ndjson', (request: FastifyRequest, body, done) => {
    // The route reads the stream itself; others take their body as JSON.
    if (request.routeOptions.url === '/v1/batches') done(null, body);
    else done(new Carried(NO_JSON));
  });
}

const NO_JSON: Refused = {
  status: 415,
  code: 'unsupported_media_type',
  message: 'send the body as content-type application/json (POST /v1/batches: application/x-ndjson)',
};

/** What is no HTTP, or too long, gets an answer of the same form as all others. */
function answerBroken({ code }: ConnectionError, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const refused = BROKEN[code] ?? NO_HTTP;
  const body = JSON.stringify(errorBody(refused));
  socket.end(
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

const NO_HTTP: Refused = {
  status: 400,
  code: 'invalid_request',
  message: 'this is not an HTTP/1.1 request; over the Unix socket use curl --unix-socket',
};
const BROKEN: Readonly<Record<string, Refused>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    code: 'too_large',
    message: `the head of the request is longer than ${maxHeaderSize} bytes`,
  },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, code: 'timeout', message: 'the request did not arrive in time' },
};

/** Of no other run of the program, so that a line of an old log is not taken for one of now. */
function requestIds(): () => string {
  const run = Date.now().toString(36);
  let last = 0;
  return () => `${run}-${++last}`;
}

function fromFramework(error: FastifyError, id: string): Refused {
  const status = error.statusCode ?? 500;
  if (status === 415) return NO_JSON;
  if (status === 413) return { status, code: 'too_large', message: error.message };
  if (status >= 400 && status < 500) return { status: 400, code: 'invalid_request', message: error.message };
  return {
    status: 500,
    code: 'internal',
    message: `an unexpected error; the log has it under request ${id}`,
  };
}
