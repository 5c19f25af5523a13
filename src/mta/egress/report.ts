/** Tells an operator of something; `details` go into the log line, an `error` with its stack. */
export type Report = (
  level: 'debug' | 'info' | 'warn' | 'error',
  text: string,
  details: Readonly<Record<string, unknown>>,
) => void;
