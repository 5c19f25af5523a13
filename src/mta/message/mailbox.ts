/**
 * Mailbox lists of From, To, Reply-To (RFC 5322 §3.4): display names, quoted strings, nested comments, folded and
 * encoded text. One pass over the characters, then one over the tokens, so any input costs linear time. Groups are
 * refused: nobody sends a campaign from or to one.
 *
 * INTEROP(webmail, CRM exports): an unquoted `.` or `@` in a display name before `<` is taken as text.
 */
import { err, ok, type Result } from '../../core/index.ts';

export interface Mailbox {
  /** Display name without quotes and comments; empty when there is none. Encoded words are left as they are. */
  readonly name: string;
  /** Text of the addr-spec, not yet checked by `parseAddress`. */
  readonly address: string;
}

interface Token {
  readonly kind: 'word' | 'quoted' | 'special';
  /** As written; for `quoted` with quotes and backslashes. */
  readonly text: string;
}

const SPECIALS = '<>[]:;@\\,()"';

/** The mailboxes of a field's value; at least one. The error is a sentence without personal data. */
export function parseMailboxes(value: string): Result<readonly Mailbox[], string> {
  const tokens = tokenise(value);
  if (!tokens.ok) return tokens;
  const mailboxes: Mailbox[] = [];
  for (const group of splitAtCommas(tokens.value)) {
    const mailbox = mailboxOf(group);
    if (!mailbox.ok) return mailbox;
    mailboxes.push(mailbox.value);
  }
  return mailboxes.length > 0 ? ok(mailboxes) : err('there is no address');
}

function tokenise(value: string): Result<readonly Token[], string> {
  const tokens: Token[] = [];
  let at = 0;
  while (at < value.length) {
    const c = value[at]!;
    if (c === ' ' || c === '\t') at++;
    else if (c < ' ' || c === '\x7f') return err('there is a control character');
    else if (c === '(') {
      const end = commentEnd(value, at);
      if (end === -1) return err('a comment has no closing parenthesis');
      at = end;
    } else if (c === '"') {
      const end = quotedEnd(value, at);
      if (end === -1) return err('a quoted string has no closing quote');
      tokens.push({ kind: 'quoted', text: value.slice(at, end) });
      at = end;
    } else if (SPECIALS.includes(c)) {
      tokens.push({ kind: 'special', text: c });
      at++;
    } else {
      const end = wordEnd(value, at);
      tokens.push({ kind: 'word', text: value.slice(at, end) });
      at = end;
    }
  }
  return ok(tokens);
}

/** Position after a comment with its nested comments (RFC 5322 §3.2.2), or -1. */
function commentEnd(value: string, start: number): number {
  let depth = 0;
  for (let at = start; at < value.length; at++) {
    const c = value[at]!;
    if (c === '\\') at++;
    else if (c === '(') depth++;
    else if (c === ')' && --depth === 0) return at + 1;
  }
  return -1;
}

function quotedEnd(value: string, start: number): number {
  for (let at = start + 1; at < value.length; at++) {
    const c = value[at]!;
    if (c === '\\') at++;
    else if (c === '"') return at + 1;
  }
  return -1;
}

function wordEnd(value: string, start: number): number {
  let at = start;
  while (at < value.length && value[at]! > ' ' && value[at] !== '\x7f' && !SPECIALS.includes(value[at]!))
    at++;
  return at;
}

/** Token groups between commas outside of `<...>`. Empty ones are skipped (RFC 5322 §4.4, obs-mbox-list). */
function splitAtCommas(tokens: readonly Token[]): readonly (readonly Token[])[] {
  const groups: Token[][] = [];
  let group: Token[] = [];
  let inAngle = false;
  for (const token of tokens) {
    if (isSpecial(token, '<')) inAngle = true;
    if (isSpecial(token, '>')) inAngle = false;
    if (!isSpecial(token, ',') || inAngle) group.push(token);
    else if (group.length > 0) {
      groups.push(group);
      group = [];
    }
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

const isSpecial = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'special' && token.text === text;

function mailboxOf(tokens: readonly Token[]): Result<Mailbox, string> {
  const open = tokens.findIndex((token) => isSpecial(token, '<'));
  if (open === -1) {
    if (tokens.some((token) => isSpecial(token, ':'))) return err('groups of addresses are not accepted');
    const address = addressText(tokens);
    return address.ok ? ok({ name: '', address: address.value }) : address;
  }
  if (!isSpecial(tokens.at(-1), '>')) return err('there is text after, or no end of, an address in <>');
  const address = addressText(tokens.slice(open + 1, -1));
  if (!address.ok) return address;
  const name = phraseText(tokens.slice(0, open));
  return name.ok ? ok({ name: name.value, address: address.value }) : name;
}

/** Joins the tokens of an addr-spec. Words that only white space separates are an error, not one word. */
function addressText(tokens: readonly Token[]): Result<string, string> {
  let text = '';
  for (const token of tokens) {
    const isAt = isSpecial(token, '@');
    if (token.kind === 'special' && !isAt) return err(`an address has an unexpected "${token.text}"`);
    const joins = text === '' || isAt || /[@.]$/.test(text) || token.text.startsWith('.');
    if (!joins) return err('an address has white space in it, or a display name has no address in <>');
    text += token.text;
  }
  return text === '' ? err('an address is empty') : ok(text);
}

function phraseText(tokens: readonly Token[]): Result<string, string> {
  let text = '';
  let afterAt = false;
  for (const token of tokens) {
    const isAt = isSpecial(token, '@');
    if (token.kind === 'special' && !isAt) return err(`a display name has an unquoted "${token.text}"`);
    const word = token.kind === 'quoted' ? unquote(token.text) : token.text;
    text += text === '' || isAt || afterAt ? word : ` ${word}`;
    afterAt = isAt;
  }
  return ok(text);
}

const unquote = (text: string): string => text.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
