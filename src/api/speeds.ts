/** `GET /v1/speeds`: how much each sender may send towards each ISP in a minute, an hour and a day. */
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { ok } from '../core/index.ts';
import type { Allowance, SpeedRow } from '../mta/egress/index.ts';
import type { RouteContext } from './dependencies.ts';
import { label } from './fields.ts';
import { answer } from './refused.ts';
import { checkRequest } from './shape.ts';

export interface AllowanceView {
  /** Null: no limit. */
  readonly per_minute: number | null;
  readonly per_hour: number | null;
  readonly per_day: number | null;
}

export interface SpeedView {
  readonly sender: string;
  readonly isp: string;
  /** Absent: all nodes of the sender together. */
  readonly node?: string | undefined;
  readonly address?: string | undefined;
  readonly strategy?: string | undefined;
  readonly allowed: AllowanceView;
  readonly now: AllowanceView;
  readonly because: readonly string[];
}

export const speedQuery = z.strictObject({
  sender: label.optional(),
  isp: label.optional(),
  node: label.optional(),
});

export function addSpeeds(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/speeds', (request, reply) => {
    const query = checkRequest(speedQuery, request.query);
    return answer(reply, query.ok ? ok({ speeds: deps.egress.speeds(query.value).map(speedView) }) : query);
  });
}

const speedView = ({ allowed, now, ...row }: SpeedRow): SpeedView => ({
  ...row,
  allowed: allowanceView(allowed),
  now: allowanceView(now),
});

const allowanceView = ({ perMinute, perHour, perDay }: Allowance): AllowanceView => ({
  per_minute: rounded(perMinute),
  per_hour: rounded(perHour),
  per_day: rounded(perDay),
});

/** To thousandths: a sum of averages is no exact figure. */
const rounded = (count: number | undefined): number | null =>
  count === undefined ? null : Math.round(count * 1000) / 1000;
