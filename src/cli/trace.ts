/**
 * `postrider trace ADDRESS`: asks the mail host of an address, from a node, whether it would take mail for it, and shows
 * every word with its time. No mail is sent. It counts against no limit of the node, so it is for one look, not for many.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { type Config, formatProblem, loadConfig } from '../config/index.ts';
import { err, ok, parseAddress, type Result } from '../core/index.ts';
import { plannerOf, resolverOf } from './assembly.ts';
import type { Problem } from './client.ts';
import { DEFAULT_CONFIG, fail } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io, paint } from './io.ts';
import { type Dialogue, dialogue } from './trace-session.ts';

interface Options {
  readonly config: string;
  readonly node?: string;
  readonly from: string;
  readonly tls: boolean;
  readonly json?: true;
}

export const traceCommand = (io: Io): Command =>
  new Command('trace')
    .description(
      'ask the mail host of an address, from a node, whether it would take mail; shows every word, sends nothing',
    )
    .argument('<address>')
    .option('-c, --config <file>', 'configuration', DEFAULT_CONFIG)
    .option('--node <name>', 'node to ask from (default: the first one)')
    .option('--from <address>', 'sender of MAIL FROM (default: the null sender)', '')
    .option('--no-tls', 'no STARTTLS')
    .option('--json', 'print JSON')
    .action(exitingWith((address: string, options: Options) => trace(io, address, options)));

async function trace(io: Io, address: string, options: Options): Promise<ExitCode> {
  const spoken = await traced(address, options);
  if (!spoken.ok) return fail(io, options, spoken.error);
  await io.out(
    options.json ? `${JSON.stringify(spoken.value, undefined, 2)}\n` : traceText(io, spoken.value),
  );
  return spoken.value.problem === undefined ? 0 : 1;
}

async function traced(text: string, options: Options): Promise<Result<Dialogue, Problem>> {
  const address = parseAddress(text);
  if (!address.ok) return err(problem(`${text}: ${address.error}`));
  const loaded = await loadConfig(resolve(options.config));
  if (!loaded.ok) return err(problem(`${options.config} has errors`, loaded.error.map(formatProblem)));
  const { config } = loaded.value;
  const node = config.nodes.find(({ name }) => options.node === undefined || name === options.node);
  if (!node) return err(problem(noNode(config, options.node)));
  const resolver = resolverOf(config);
  try {
    const plan = await plannerOf(config, resolver).resolve(address.value.domain);
    const host = plan.ok ? plan.value.hosts()[0] : undefined;
    const [to] = host?.addresses ?? [];
    if (!host || to === undefined)
      return ok({ lines: [], problem: plan.ok ? 'its mail host has no address' : plan.error.text });
    return ok(
      await dialogue({
        ...{ host: host.name, address: to, port: host.port, from: node.address, hostname: node.hostname },
        tls: options.tls,
        mail: { from: options.from, to: text },
      }),
    );
  } finally {
    resolver.close();
  }
}

const noNode = ({ nodes }: Config, wanted: string | undefined): string =>
  wanted === undefined
    ? 'the configuration has no node: add one under nodes'
    : `there is no node ${wanted}: there is ${nodes.map(({ name }) => name).join(', ') || 'none'}`;

const problem = (message: string, lines: readonly string[] = []): Problem => ({
  exitCode: 2,
  code: 'usage',
  message,
  lines: [...lines],
});

const ARROWS = { us: '>', them: '<', note: '*' } as const;

export function traceText(io: Pick<Io, 'colour'>, { lines, problem: why }: Dialogue): string {
  const spoken = lines.map(
    ({ ms, who, text }) =>
      `${String(ms).padStart(6)} ms ${ARROWS[who]} ${who === 'note' ? paint(io, 'dim', clean(text)) : clean(text)}`,
  );
  const end =
    why === undefined
      ? `${paint(io, 'green', 'accepted')}: it would take mail for this address`
      : `${paint(io, 'red', 'no')}: ${clean(why)}`;
  return `${[...spoken, end].join('\n')}\n`;
}
