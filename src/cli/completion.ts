/** `postrider completion bash|zsh|fish`: prints a script that a shell reads at its start. */
import { Argument, Command } from 'commander';
import { allOf, type CommandNode, treeOf } from './command-tree.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export const completionCommand = (io: Io, program: () => Promise<Command>): Command =>
  new Command('completion')
    .description('print a script that completes commands in a shell: source <(postrider completion bash)')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .option('--json', 'print JSON: the name of the shell and the script')
    .action(
      exitingWith(async (shell: Shell, { json }: { readonly json?: true }): Promise<ExitCode> => {
        const script = completionScript(shell, treeOf(await program()));
        await io.out(json ? `${JSON.stringify({ shell, script })}\n` : script);
        return 0;
      }),
    );

export function completionScript(shell: Shell, tree: CommandNode): string {
  if (shell === 'fish') return fish(tree);
  const script = bash(tree);
  return shell === 'bash' ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

/** What may follow a command: its commands or its options. */
const wordsOf = ({ children, options }: CommandNode): string =>
  [...children.map(({ path }) => path.at(-1)!), ...options.flatMap(({ names }) => names)].join(' ');

function bash(tree: CommandNode): string {
  const all = allOf(tree);
  const cases = all.map((node) => `    '${node.path.join(' ')}') words='${wordsOf(node)}' ;;`);
  const parents = all.filter(({ children }) => children.length > 0);
  const steps = parents.flatMap(({ children }) => children.map(({ path }) => `'${path.join(' ')}'`));
  const values = all.flatMap(({ options }) =>
    options.filter((one) => one.takesValue).flatMap((one) => one.names),
  );
  return `# Completion of postrider, made by "postrider completion".
_postrider() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path='' next words i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in
    ${steps.join('|')}) path=$next ;;
    esac
  done
  case "$before" in
    ${[...new Set(values)].join('|')}) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # Where there is nothing of ours: files.
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$word")); fi
}
complete -o filenames -F _postrider postrider
`;
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

function fish(tree: CommandNode): string {
  const lines = allOf(tree).flatMap((node) => {
    const seen = node.path.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ');
    const names = node.children.map(({ path }) => path.at(-1)!).join(' ');
    const none = node.children.length > 0 ? `not __fish_seen_subcommand_from ${names}` : '';
    const when = [seen, none].filter((part) => part !== '').join('; and ');
    const condition = when === '' ? '' : ` -n ${quoted(when)}`;
    const commands = node.children.map(
      ({ path, text }) => `complete -c postrider${condition} -f -a ${path.at(-1)!} -d ${quoted(text)}`,
    );
    const options = node.options.map(({ names: flags, takesValue, text }) => {
      const parts = flags.map((flag) =>
        flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
      );
      const of = seen === '' ? '' : ` -n ${quoted(seen)}`;
      return `complete -c postrider${of} ${parts.join(' ')}${takesValue ? ' -r' : ''} -d ${quoted(text)}`;
    });
    return [...commands, ...options];
  });
  return `# Completion of postrider, made by "postrider completion".\n${lines.join('\n')}\n`;
}
