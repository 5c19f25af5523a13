/**
 * `{{name}}` and `{{name | default: "text"}}` templates. A template is compiled once into fixed texts with names between them; rendering is a
 * concatenation. There are no conditions and no loops: what is neither is refused at acceptance, with its
 * position, instead of reaching a million recipients as it is.
 *
 * A missing variable is its own default, else the empty string, unless the batch has a default for it or refuses such lines (acceptance
 * sees to that). Values are escaped for where they stand, so they can neither become markup
 * nor a new header field.
 */
import { err, ok, type Result } from '../../core/index.ts';
import { stripControls } from './header-text.ts';

export type Escape = 'html' | 'none' | 'header';

export interface Template {
  readonly escape: Escape;
  /** One more than names: text, name, text, ... */
  readonly texts: readonly string[];
  /** With a default of its own: `name|default`. */
  readonly names: readonly string[];
}

export interface TemplateError {
  readonly message: string;
  /** Offset of `{{` in UTF-16 units. */
  readonly position: number;
  /** Line of that offset, from 1. */
  readonly line: number;
}

/** Values by name. A dotted name (`user.city`) is one name. */
export type Variables = Readonly<Record<string, string | number | boolean | null>>;

/** More than any mail has: each is a text and a name of its own in memory. */
const MAX_GAPS = 10_000;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const DEFAULTED = /^(\S+)\s*\|\s*default:\s*("[^"\r\n]*"|'[^'\r\n]*')$/;
const AMP = 38;
const LT = 60;
const GT = 62;
const QUOTE = 34;
const APOSTROPHE = 39;

export function compileTemplate(
  text: string,
  options: { readonly escape: Escape },
): Result<Template, TemplateError> {
  const texts: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (let open = text.indexOf('{{'); open !== -1; open = text.indexOf('{{', from)) {
    if (names.length === MAX_GAPS)
      return err(errorAt(text, open, `there are more than ${MAX_GAPS} variables`));
    const close = text.indexOf('}}', open);
    if (close === -1) return err(errorAt(text, open, 'a "{{" has no "}}"'));
    const name = nameOf(text.slice(open + 2, close).trim());
    if (name === undefined)
      return err(
        errorAt(text, open, 'only {{name}} and {{name | default: "text"}} are understood in a template'),
      );
    texts.push(text.slice(from, open));
    names.push(name);
    from = close + 2;
  }
  texts.push(text.slice(from));
  return ok({ escape: options.escape, texts, names });
}

function nameOf(text: string): string | undefined {
  if (NAME.test(text)) return text;
  const [, name, value] = DEFAULTED.exec(text) ?? [];
  return name !== undefined && NAME.test(name) ? `${name}|${value!.slice(1, -1)}` : undefined;
}

/** The name of a variable without its own default. */
export const plainName = (name: string): string => {
  const bar = name.indexOf('|');
  return bar === -1 ? name : name.slice(0, bar);
};

export const describe = (error: TemplateError): string => `line ${error.line}: ${error.message}`;

function errorAt(text: string, position: number, message: string): TemplateError {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) line++;
  return { message, position, line };
}

export function renderTemplate(template: Template, variables: Variables): string {
  let text = template.texts[0]!;
  for (let i = 0; i < template.names.length; i++)
    text += valueOf(variables, template.names[i]!, template.escape) + template.texts[i + 1]!;
  return text;
}

export const isConstant = (template: Template): boolean => template.names.length === 0;

/** The escaped value of a variable. Only own properties count: `{{constructor}}` is just a missing variable. */
export function valueOf(variables: Variables, given: string, escape: Escape): string {
  const name = plainName(given);
  const found = Object.hasOwn(variables, name) ? variables[name] : undefined;
  const value = found ?? (name === given ? '' : given.slice(name.length + 1));
  const text = typeof value === 'string' ? value : String(value);
  if (escape === 'html') return escapeHtml(text);
  return escape === 'header' ? stripControls(text) : text;
}

function escapeHtml(text: string): string {
  let out = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const entity = entityOf(text.charCodeAt(at));
    if (entity === undefined) continue;
    out += text.slice(from, at) + entity;
    from = at + 1;
  }
  return from === 0 ? text : out + text.slice(from);
}

function entityOf(code: number): string | undefined {
  if (code > GT) return undefined;
  switch (code) {
    case AMP:
      return '&amp;';
    case LT:
      return '&lt;';
    case GT:
      return '&gt;';
    case QUOTE:
      return '&quot;';
    case APOSTROPHE:
      return '&#39;';
    default:
      return undefined;
  }
}
