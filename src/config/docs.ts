/**
 * Texts made from the schema and committed in config/: the JSON Schema for editors and the reference of all keys. (The
 * annotated example is in docs-example.ts.) A test compares them with what is committed.
 */
import * as z from 'zod';
import { keyDocs, keysOf, leafKinds, unwrap, type KeyDoc } from './kind.ts';
import { exampleYaml } from './docs-example.ts';
import { schema } from './schema.ts';

/** File name in config/ -> text. */
export function generatedFiles(): Readonly<Record<string, string>> {
  return {
    'postrider.schema.json': jsonSchema(),
    'postrider.example.yaml': exampleYaml(),
    'REFERENCE.md': reference(),
  };
}

export function jsonSchema(): string {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const kind = leafKinds.get(zodSchema);
      const doc = keyDocs.get(zodSchema);
      if (kind) Object.assign(jsonSchema, kind.json);
      if (doc) jsonSchema.description = doc.text;
    },
  });
  addRequired(schema, json as JsonObject);
  return `${JSON.stringify({ title: 'Postrider configuration', ...json }, null, 2)}\n`;
}

interface JsonObject {
  properties?: Record<string, JsonObject>;
  items?: JsonObject;
  anyOf?: JsonObject[];
  required?: string[];
}

/** zod sees our leaves as "anything", which may be absent: which keys are required is for us to say. */
function addRequired(one: z.core.$ZodType, json: JsonObject): void {
  const inner = unwrap(one);
  if (inner instanceof z.ZodArray && json.items) addRequired(inner.element, json.items);
  if (inner instanceof z.ZodUnion)
    for (const [i, option] of inner.options.entries())
      if (json.anyOf?.[i]) addRequired(option, json.anyOf[i]);
  if (!(inner instanceof z.ZodObject)) return;
  const keys = keysOf(inner);
  const required = keys.filter(([, schemaOfKey]) => isRequired(schemaOfKey)).map(([name]) => name);
  if (required.length > 0) json.required = required;
  else delete json.required;
  for (const [name, schemaOfKey] of keys)
    if (json.properties?.[name]) addRequired(schemaOfKey, json.properties[name]);
}

export const isRequired = (one: z.core.$ZodType): boolean => !z.safeParse(one, undefined).success;

const INTRODUCTION = `# Configuration reference

Generated from the schema by \`scripts/generate.ts\`; do not edit. \`postrider.example.yaml\` shows every key in place, and
editors complete and check with \`postrider.schema.json\` (\`# yaml-language-server: $schema=postrider.schema.json\`).

- **Durations** are \`500ms\`, \`60s\`, \`5m\`, \`24h\`, \`7d\`, also joined (\`1h30m\`). **Sizes** are \`10KB\`, \`25MB\`, \`1.5GB\` (powers of 1024).
  **Rates** are \`100/1m\`. **Percentages** are plain numbers.
- Relative **paths** start at the directory of the file that names them.
- A key with \`required\` as its default must be given; a key without a value counts as left out.
- **Restart**: a reload keeps the running value and says so; the new one is used after a restart.
`;

export function reference(): string {
  return `${[INTRODUCTION, ...sectionsOf('', schema)].join('\n')}`;
}

/** A heading and a table for a section, then those of the sections inside. */
function sectionsOf(path: string, one: z.core.$ZodType): string[] {
  const keys = keysOf(one);
  const title = path === '' ? 'At the root' : `\`${path}\``;
  const rows = keys.map(([name, inner]) => row(name, inner));
  const table = ['| key | type | default | restart | since | |', '|---|---|---|---|---|---|', ...rows];
  const text = `## ${title}\n\n${table.join('\n')}\n`;
  return [
    text,
    ...keys.flatMap(([name, inner]) => innerSections(path === '' ? name : `${path}.${name}`, inner)),
  ];
}

function innerSections(path: string, one: z.core.$ZodType): string[] {
  const inner = unwrap(one);
  if (inner instanceof z.ZodObject) return sectionsOf(path, inner);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => innerSections(path, option));
  return inner instanceof z.ZodArray ? innerSections(`${path}[]`, inner.element) : [];
}

function row(name: string, one: z.core.$ZodType): string {
  const doc: KeyDoc | undefined = keyDocs.get(one);
  const restart = doc?.reloadable === false ? 'yes' : '';
  const cells = [`\`${name}\``, typeName(one), defaultText(one), restart, doc?.since ?? '', doc?.text ?? ''];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function typeName(one: z.core.$ZodType): string {
  const inner = unwrap(one);
  const kind = leafKinds.get(inner);
  if (kind) return kind.label;
  if (inner instanceof z.ZodArray) return `list of ${elementName(inner.element)}`;
  if (inner instanceof z.ZodRecord) return `map of ${elementName(inner.valueType)}`;
  if (inner instanceof z.ZodUnion) return inner.options.map(typeName).join(' or ');
  return 'section';
}

const elementName = (one: z.core.$ZodType): string => {
  const name = typeName(one);
  return name === 'section' ? 'entries' : name;
};

/** The default as it would be written; undefined for none. */
export function defaultOf(one: z.core.$ZodType): unknown {
  return one instanceof z.ZodPrefault ? one.def.defaultValue : undefined;
}

function defaultText(one: z.core.$ZodType): string {
  if (isRequired(one)) return '**required**';
  const value = defaultOf(one);
  if (value === undefined || unwrap(one) instanceof z.ZodObject) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
