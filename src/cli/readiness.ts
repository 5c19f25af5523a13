/** Whether the program does its work, and if not, why: one sentence each. */
import type { NodeFigures } from '../mta/egress/index.ts';
import type { Pressure } from '../queue/index.ts';

export interface ReadinessFacts {
  readonly nodes: readonly NodeFigures[];
  readonly pressure: Pick<Pressure, 'level' | 'reason'>;
  /** Why the door for SMTP is closed. */
  readonly smtpDown: string | undefined;
  readonly stopping: boolean;
}

export function readinessOf({ nodes, pressure, smtpDown, stopping }: ReadinessFacts): {
  ready: boolean;
  notReady: string[];
} {
  const notReady = nodes
    .filter(({ state }) => state === 'down')
    .map(({ name, address }) => `node ${name} is down: ${address} is not on this machine`);
  const sends = nodes.length === 0 || notReady.length < nodes.length;
  const { level, reason } = pressure;
  if (level === 'refuse') notReady.push(`injection is refused: ${reason}`);
  if (smtpDown !== undefined) notReady.push(`no mail comes in over SMTP: ${smtpDown}`);
  if (stopping) notReady.push('stopping');
  return { ready: !stopping && sends && level !== 'refuse', notReady };
}
