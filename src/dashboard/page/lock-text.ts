import type { LockLine, WarmupLine } from '../view.ts';
import type { Speech } from './language.ts';

/** Why nothing goes out, who decided that, since when, and for how long still; `now` is the server's time. */
export function lockText(
  { say, timeLeft, dateTime, reason: inWords }: Speech,
  { part, since, until, rule, reason }: LockLine,
  now: number,
): string {
  const left = until === undefined ? undefined : Math.max(0, (until - now) / 1000);
  const text = [
    left === undefined
      ? say('lockedOpen')
      : left > 0
        ? say('lockedFor', { left: timeLeft(left) })
        : say('probing'),
    // What an operator gave as the reason says also that it was one.
    rule === undefined
      ? reason === undefined
        ? say('byOperator')
        : inWords(reason)
      : say('byRule', { rule }),
    `${say('since')} ${dateTime(since)}`,
    rule === undefined ? undefined : reason,
  ]
    .filter(Boolean)
    .join(', ');
  return part ? `${part.lane ?? say('inPart')}: ${text}` : text;
}

export function warmupText(
  { say, number, dateTime }: Speech,
  { delivered, dailyCap, pausedUntil, ...warmup }: WarmupLine,
): string {
  const figures = { ...warmup, delivered: number(delivered), cap: number(dailyCap) };
  if (pausedUntil !== undefined) return say('warmupPaused', { ...figures, time: dateTime(pausedUntil) });
  return say(warmup.day === '' ? 'warmupNew' : 'warmupStage', figures);
}
