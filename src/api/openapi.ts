/**
 * The OpenAPI 3.1 document, made from the schemas that check the requests. Streams of JSON lines are described by the
 * schema of a line (`x-lines`), which OpenAPI 3.1 has no word for.
 */
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { ALWAYS, type Call, REFUSALS } from './call.ts';
import { CALLS } from './calls.ts';
import { errorAnswer } from './views.ts';

type Json = Readonly<Record<string, unknown>>;
const NDJSON = 'application/x-ndjson';

const TAGS = [
  { name: 'mail', description: 'Mail comes in.' },
  { name: 'look-ups', description: 'What became of it.' },
  { name: 'queue', description: 'What waits.' },
  { name: 'nodes', description: 'The sending addresses, and what stops them.' },
  { name: 'server', description: 'The server itself.' },
];

export function openApiDocument(): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Postrider control API',
      version: 'v1',
      summary: 'Mail in, events out, and the queue between them.',
      description:
        'HTTP/1.1 on a Unix socket; over TCP every request needs a bearer token. Errors are ' +
        '`{error: {code, message, details}}`.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: 'http://localhost', description: 'The Unix socket (`control.socket`)' }],
    security: [{ token: [] }],
    tags: TAGS,
    paths: pathsOf(CALLS),
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Over TCP only (`control.tokens`).' },
      },
      schemas: { Error: jsonSchema(errorAnswer) },
      responses: Object.fromEntries(
        Object.entries(REFUSALS).map(([status, description]) => [`Refused${status}`, refusal(description)]),
      ),
    },
  };
}

/** As it is committed and answered. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), undefined, 2)}\n`;

export function addOpenApi(app: FastifyInstance): void {
  let text: string | undefined;
  app.get('/v1/openapi.json', (_request, reply) =>
    reply.type('application/json; charset=utf-8').send((text ??= openApiText())),
  );
}

/** `/v1/messages/{id}` */
export const documentPath = (path: string): string => path.replaceAll(/:([a-z_]+)/g, '{$1}');

function pathsOf(calls: readonly Call[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const call of calls)
    (paths[documentPath(call.path)] ??= {})[call.method.toLowerCase()] = operation(call);
  return paths;
}

/** Of an answer that is long. */
const NO_ROOM = [503] as const;

const BOUNDS = {
  'by accounts and senders': '',
  'by accounts': '; not for tokens that are bound to senders',
  not: '; not for tokens that are bound to accounts or senders',
} as const;

function operation(call: Call): Json {
  const { id, tag, summary, description, scope, bound, answer, refusals = [] } = call;
  const parameters = [...parametersOf(call, 'path'), ...parametersOf(call, 'query')];
  const body = requestBody(call);
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: `${description === undefined ? '' : `${description} `}Scope: \`${scope}\`${BOUNDS[bound ?? 'not']}.`,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: body }),
    responses: {
      [answer.status]: { description: answer.description, content: answerContent(answer) },
      ...Object.fromEntries(
        [...new Set([...ALWAYS, ...(call.method === 'GET' ? NO_ROOM : []), ...refusals])].map((status) => [
          status,
          { $ref: `#/components/responses/Refused${status}` },
        ]),
      ),
    },
  };
}

function parametersOf({ params, query, example }: Call, place: 'path' | 'query'): Json[] {
  const schema = place === 'path' ? params : query;
  if (!schema) return [];
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  const examples: Readonly<Record<string, unknown>> =
    (place === 'path' ? example.params : example.query) ?? {};
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
    ...(examples[name] !== undefined && { example: examples[name] }),
  }));
}

function requestBody({ body, lines, example }: Call): Json | undefined {
  if (body) {
    const content = { schema: jsonSchema(body), ...(example.body && { example: example.body }) };
    return { required: !body.safeParse(undefined).success, content: { 'application/json': content } };
  }
  if (!lines) return undefined;
  const text = (example.lines ?? []).map((line) => `${JSON.stringify(line)}\n`).join('');
  const description = 'JSON lines: the first as `x-lines.first`, all others as `x-lines.other`.';
  const schema = { type: 'string', description };
  const described = { first: jsonSchema(lines.first), other: jsonSchema(lines.other) };
  return { required: true, content: { [NDJSON]: { schema, example: text, 'x-lines': described } } };
}

function answerContent({ schema, lines, type }: Call['answer']): Json {
  if (lines) {
    const description = 'JSON lines, each as `x-lines`.';
    return { [NDJSON]: { schema: { type: 'string', description }, 'x-lines': jsonSchema(schema) } };
  }
  return { [type ?? 'application/json']: { schema: jsonSchema(schema) } };
}

const refusal = (description: string): Json => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}
