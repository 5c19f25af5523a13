/**
 * All commands. Only the one that is asked for is loaded, because most of them are used by hand and the server's
 * parts take a while to load; all are loaded for help and for names that are not known.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { clean, Exit, type Io } from './io.ts';
import { version } from './version.ts';

type Load = (io: Io) => Promise<Command>;

const COMMANDS: Readonly<Record<string, Load>> = {
  init: async (io) => (await import('./init.ts')).initCommand(io),
  serve: async () => (await import('./serve.ts')).serveCommand(),
  demo: async (io) => (await import('./demo.ts')).demoCommand(io),
  audit: async (io) => (await import('./audit.ts')).auditCommand(io),
  'audit-log': async (io) => (await import('./audit-log.ts')).auditLogCommand(io),
  backup: async (io) => (await import('./backup.ts')).backupCommand(io),
  compact: async (io) => (await import('./compact.ts')).compactCommand(io),
  salvage: async (io) => (await import('./salvage.ts')).salvageCommand(io),
  walk: async (io) => (await import('./walk.ts')).walkCommand(io),
  'check-config': async (io) => (await import('./check-config.ts')).checkConfigCommand(io),
  status: async (io) => (await import('./status.ts')).statusCommand(io),
  top: async (io) => (await import('./top.ts')).topCommand(io),
  queue: async (io) => (await import('./queue.ts')).queueCommand(io),
  campaign: async (io) => (await import('./campaign.ts')).campaignCommand(io),
  message: async (io) => (await import('./message.ts')).messageCommand(io),
  route: async (io) => (await import('./route.ts')).routeCommand(io),
  events: async (io) => (await import('./events.ts')).eventsCommand(io),
  explain: async (io) => (await import('./explain.ts')).explainCommand(io),
  node: async (io) => (await import('./node.ts')).nodeCommand(io),
  report: async (io) => (await import('./report.ts')).reportCommand(io),
  'stop-list': async (io) => (await import('./stop-list.ts')).stopListCommand(io),
  reload: async (io) => (await import('./reload.ts')).reloadCommand(io),
  inject: async (io) => (await import('./inject.ts')).injectCommand(io),
  bounce: async (io) => (await import('./bounce.ts')).bounceCommand(io),
  token: async (io) => (await import('./token.ts')).tokenCommand(io),
  dkim: async (io) => (await import('./dkim.ts')).dkimCommand(io),
  doctor: async (io) => (await import('./doctor.ts')).doctorCommand(io),
  trace: async (io) => (await import('./trace.ts')).traceCommand(io),
  completion: async (io) => (await import('./completion.ts')).completionCommand(io, () => allCommands(io)),
  sink: async () => (await import('./sink.ts')).sinkCommand(),
  source: async () => (await import('./source.ts')).sourceCommand(),
};

/** What commands run in a child process. */
const HIDDEN = new Set(['walk']);

/** Runs `postrider ARGS`; resolves to the exit code. Rejects only for what nobody expected. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const program = await createProgram(args, io);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof Exit) return error.code;
    // Thrown by an action: commander has not told of it. (Those of options arrive as its own errors.)
    if (error instanceof InvalidArgumentError) io.err(`error: ${clean(error.message)}\n`);
    if (error instanceof CommanderError) return exitCodeOf(error);
    throw error;
  }
}

/** The program with every command. */
export const allCommands = (io: Io): Promise<Command> => createProgram([], io);

async function createProgram(args: readonly string[], io: Io): Promise<Command> {
  const program = new Command('postrider')
    .description('outbound mail transfer agent')
    .version(version, '-V, --version')
    .option('--debug', 'print the stack of an unexpected error')
    .showSuggestionAfterError();
  const wanted = args.find((arg) => !arg.startsWith('-'));
  const loads =
    wanted !== undefined && Object.hasOwn(COMMANDS, wanted) ? [COMMANDS[wanted]!] : Object.values(COMMANDS);
  for (const command of await Promise.all(loads.map((load) => load(io))))
    program.addCommand(command, { hidden: HIDDEN.has(command.name()) });
  quiet(program, io);
  takeYes(program);
  return program;
}

/** Commands that ask nothing take `--yes` too, so that a script need not know which do. */
function takeYes(command: Command): void {
  for (const inner of command.commands) takeYes(inner);
  if (command.commands.length === 0 && !command.options.some(({ long }) => long === '--yes'))
    command.addOption(new Option('--yes').hideHelp());
}

/** Neither the program nor a command ends the process or writes past `io`. */
function quiet(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void io.out(text),
    writeErr: (text) => io.err(text),
    getOutHelpWidth: () => io.columns ?? 100,
    getErrHelpWidth: () => io.columns ?? 100,
  });
  for (const inner of command.commands) quiet(inner, io);
}

/** Help and version are fine, what a command says of itself stands, and all else is wrong usage. */
function exitCodeOf({ code, exitCode }: CommanderError): number {
  return exitCode === 0 || code === 'commander.error' ? exitCode : 2;
}
