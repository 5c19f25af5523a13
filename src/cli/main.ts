/**
 * The command line. The only place that sets the exit code of the process: 0 ok, 1 the answer is no, 2 usage or
 * configuration, 70 an error that nobody expected (EX_SOFTWARE). A reader that goes away (`| head`) is no error.
 */
import { interruption } from './interruption.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

const UNEXPECTED = 70;

function write(stream: NodeJS.WriteStream, text: string | Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (stream.write(text)) resolve();
    else stream.once('drain', resolve);
  });
}

const colour = process.stdout.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== 'dumb';

/** Once for all who ask. */
let interrupted: AbortSignal | undefined;

const io: Io = {
  out: (text) => write(process.stdout, text),
  err: (text) => void write(process.stderr, text),
  // A terminal that does not know its width says 0.
  get columns() {
    return process.stdout.isTTY ? process.stdout.columns || 80 : undefined;
  },
  get rows() {
    return process.stdout.isTTY ? process.stdout.rows || 24 : undefined;
  },
  colour,
  env: process.env,
  now: () => Date.now(),
  stdin: () => process.stdin,
  interrupted: () =>
    (interrupted ??= interruption({
      process,
      mono: () => performance.now(),
      again: (code) => process.exit(code),
    })),
};

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit();
    throw error;
  });
}

const args = process.argv.slice(2);
try {
  const code = await run(args, io);
  if (code !== 0) process.exitCode = code;
} catch (error) {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const remedy = 'this is a defect of postrider: run it again with --debug and report what it prints';
  io.err(args.includes('--debug') ? `${stack ?? message}\n` : `error: ${message} (${remedy})\n`);
  process.exitCode = UNEXPECTED;
}
