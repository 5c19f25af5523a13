/** All commands with their options, as completions and the manual page tell of them. */
import type { Command } from 'commander';

export interface OptionNode {
  /** `-c, --config <file>` */
  readonly flags: string;
  /** `-c` and `--config`. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly text: string;
}

export interface CommandNode {
  /** `['queue', 'hold']` */
  readonly path: readonly string[];
  readonly text: string;
  /** `<address> [file...]` */
  readonly arguments: string;
  readonly options: readonly OptionNode[];
  readonly children: readonly CommandNode[];
}

export function treeOf(command: Command, path: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  return {
    path,
    text: command.description(),
    arguments: command.registeredArguments
      .map((one) => {
        const name = `${one.name()}${one.variadic ? '...' : ''}`;
        return one.required ? `<${name}>` : `[${name}]`;
      })
      .join(' '),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      names: [option.short, option.long].filter((name) => name !== undefined),
      takesValue: option.required || option.optional,
      text: help.optionDescription(option),
    })),
    children: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => treeOf(child, [...path, child.name()])),
  };
}

/** The command itself and all below it. */
export const allOf = (node: CommandNode): CommandNode[] => [node, ...node.children.flatMap(allOf)];
