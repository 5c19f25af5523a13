/**
 * The annotated example: every key of the schema with its text, in the order of the schema. Keys that name files, and
 * rarely wanted ones, are commented out, so the example loads as it is.
 */
import { stringify } from 'yaml';
import * as z from 'zod';
import { keyDocs, keysOf, unwrap } from './kind.ts';
import { schema } from './schema.ts';

const WIDTH = 110;

const HEADER = `# yaml-language-server: $schema=postrider.schema.json
# Postrider: every key of the configuration with its default or an example. Generated from the schema; do not edit.
# Only hostname is required. REFERENCE.md has the same as tables; "postrider check-config" checks a file.
`;

export function exampleYaml(): string {
  const lines = keysOf(schema).flatMap(([name, one]) => ['', ...keyLines(name, one)]);
  return `${HEADER}${lines.join('\n')}\n`;
}

/** Comment and value of one key. */
function keyLines(name: string, one: z.core.$ZodType): string[] {
  const doc = keyDocs.get(one);
  const value = valueLines(name, one, doc?.example);
  return [...comment(doc?.text ?? ''), ...(doc?.off === true ? value.map((line) => `# ${line}`) : value)];
}

function valueLines(name: string, one: z.core.$ZodType, example: unknown): string[] {
  const inner = unwrap(one);
  if (inner instanceof z.ZodObject) return [`${name}:`, ...indent(sectionLines(inner))];
  if (inner instanceof z.ZodArray && unwrap(inner.element) instanceof z.ZodObject)
    return [`${name}:`, ...indent(entryLines(inner.element))];
  if (inner instanceof z.ZodUnion && inner.options.some((option) => option instanceof z.ZodObject))
    return [...alternatives(name, inner), `${name}: ${flow(example)}`];
  const value = example ?? (one instanceof z.ZodPrefault ? one.def.defaultValue : undefined);
  return [`${name}: ${flow(value)}`];
}

const sectionLines = (one: z.core.$ZodType): string[] =>
  keysOf(one).flatMap(([name, inner]) => keyLines(name, inner));

/** One entry of a list: the first line that is no comment gets the dash. */
function entryLines(one: z.core.$ZodType): string[] {
  const lines = indent(sectionLines(one));
  const first = lines.findIndex((line) => !line.trimStart().startsWith('#'));
  return lines.map((line, i) => (i === first ? `- ${line.slice(2)}` : line));
}

/** The section that may stand instead of a word, as a comment. */
function alternatives(name: string, union: z.ZodUnion): string[] {
  const sections = union.options.filter((option) => option instanceof z.ZodObject);
  return sections
    .flatMap((option) =>
      [`${name}:`, ...indent(sectionLines(option))].map((line) =>
        line.trimStart().startsWith('#') ? line : `# ${line}`,
      ),
    )
    .map((line) => (line.startsWith('#') ? line : `#${line.slice(1)}`));
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

function flow(value: unknown): string {
  return stringify(value, {
    collectionStyle: 'flow',
    lineWidth: 0,
    flowCollectionPadding: false,
  }).trimEnd();
}

/** A text as comment lines of bounded width. */
function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}
