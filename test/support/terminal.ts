/** Runs the command line on a pseudo terminal, which Python's standard library can make; gives all it wrote. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { MAIN } from './mta.ts';

export const PYTHON = '/usr/bin/python3';
export const noTerminal: string | false =
  existsSync(PYTHON) || process.env['CI'] ? false : `${PYTHON} is missing: apt-get install python3`;

/** Argument 1 and 2: columns, rows; 3: text after which Ctrl-C is pressed (empty: never); the rest: the command. */
const SCRIPT = `
import fcntl, os, pty, signal, struct, sys, termios
columns, rows, until = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
pid, fd = pty.fork()
if pid == 0:
    signal.alarm(0)
    os.execvp(sys.argv[4], sys.argv[4:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
signal.alarm(60)
seen = b''
pressed = until == b''
while True:
    try:
        piece = os.read(fd, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    sys.stdout.buffer.write(piece)
    if not pressed and until in seen:
        pressed = True
        os.write(fd, b'\\x03')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

export interface OnTerminal {
  readonly columns?: number;
  readonly rows?: number;
  /** Ctrl-C is pressed when this was written. */
  readonly until?: string;
  readonly env?: NodeJS.ProcessEnv;
}

export function onTerminal(
  args: readonly string[],
  { columns = 80, rows = 24, until = '', env = {} }: OnTerminal = {},
): Promise<{ readonly code: number | null; readonly text: string }> {
  const command = [process.execPath, MAIN, ...args];
  const child = spawn(PYTHON, ['-c', SCRIPT, String(columns), String(rows), until, ...command], {
    env: { ...process.env, NODE_OPTIONS: '', TERM: 'xterm', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    child.on('close', (code) => resolve({ code, text }));
  });
}
