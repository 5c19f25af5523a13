/** The log: JSON lines, or readable ones on a terminal. Addresses of recipients appear only when the operator asks. */
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { LogConfig } from '../config/index.ts';

export function createLog(
  { level, format }: Pick<LogConfig, 'level' | 'format'>,
  out: NodeJS.WriteStream,
): Logger {
  const readable = format === 'pretty' || (format === 'auto' && out.isTTY);
  const options = { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime };
  if (!readable) return pino(options, pino.destination({ dest: out === process.stderr ? 2 : 1, sync: true }));
  const stream = pretty({
    colorize: out.isTTY,
    translateTime: 'SYS:HH:MM:ss.l',
    destination: out,
    sync: true,
  });
  return pino(options, stream);
}
