/** `GET /v1/bounce-patterns`: how often each pattern decided, and the replies that none knew. */
import type { FastifyInstance } from 'fastify';
import { type PatternHits, typeOf, type UnmatchedReply } from '../bounce/index.ts';
import { ok } from '../core/index.ts';
import type { RouteContext } from './dependencies.ts';
import { answer } from './refused.ts';
import { patternQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

export interface PatternView {
  readonly name: string;
  readonly from: 'configuration' | 'shipped';
  readonly isp: string | readonly string[];
  readonly type: string;
  readonly class: string;
  readonly category: string;
  readonly pattern: string;
  readonly message?: string | undefined;
  /** Since the program started. */
  readonly hits: number;
}

export interface BouncePatternsView {
  /** In the order in which they are tried. */
  readonly patterns: readonly PatternView[];
  /** Most frequent first; numbers, addresses and ids are folded. */
  readonly unmatched: readonly UnmatchedReply[];
  readonly unmatched_total: number;
}

export function addBouncePatterns(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/bounce-patterns', (request, reply) => {
    const query = checkRequest(patternQuery, request.query);
    const { classifier } = deps.egress;
    const view = (limit: number): BouncePatternsView => ({
      patterns: classifier.hits().map(patternView),
      unmatched: classifier.unmatched(limit),
      unmatched_total: classifier.unmatchedReplies.total,
    });
    return answer(reply, query.ok ? ok(view(query.value.limit)) : query);
  });
}

const patternView = ({ pattern, own, hits }: PatternHits): PatternView => ({
  name: pattern.name,
  from: own ? 'configuration' : 'shipped',
  isp: pattern.isp,
  type: typeOf(pattern.class),
  class: pattern.class,
  category: pattern.category,
  pattern: pattern.pattern,
  message: pattern.message,
  hits,
});
