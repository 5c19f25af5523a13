/**
 * Fields with a syntax of their own: an encoded word in one would be taken for what it is not (RFC 2047 §5). What a URI
 * may not hold is percent-encoded (RFC 3986 §2.1, RFC 3987 §3.1) and its host an A-label, the name in a List-Id is in
 * encoded words; in the others there is nothing beyond ASCII, so it is refused.
 */
import { err, ok, type Result, toAsciiDomain } from '../../core/index.ts';
import type { Step } from './campaign.ts';
import { NOT_ASCII } from './content-field.ts';
import { formatAddressField, formatStructured } from './header-text.ts';
import { parseMailboxes } from './mailbox.ts';
import { compileTemplate, describe, isConstant } from './template.ts';
import { fixed } from './text-part.ts';

/** URIs in angle brackets (RFC 2369). */
const URIS = /^list-(?:unsubscribe|help|subscribe|post|owner|archive)$/;
const OTHERS =
  /^(?:list-(?:id|unsubscribe-post)|references|in-reply-to|resent-.*|arc-.*|received|dkim-signature|authentication-results)$/;

/** `name` in lower case. */
export const isStructured = (name: string): boolean => URIS.test(name) || OTHERS.test(name);

/** The step of a structured field; the error says what is wrong with the text. */
export function structuredStep(name: string, text: string): Result<Step, string> {
  const template = compileTemplate(text, { escape: 'header' });
  if (!template.ok) return err(describe(template.error));
  if (!isConstant(template.value))
    return ok({ kind: 'field', name, template: template.value, structured: true });
  const lower = name.toLowerCase();
  if (isAscii(text)) return ok(fixed(formatStructured(name, text)));
  if (lower === 'list-id') return listId(name, text);
  const encoded = URIS.test(lower) ? withAsciiUris(text) : text;
  return isAscii(encoded) ? ok(fixed(formatStructured(name, encoded))) : err(NOT_ASCII);
}

function listId(name: string, text: string): Result<Step, string> {
  const parsed = parseMailboxes(text);
  if (!parsed.ok || parsed.value.length !== 1 || !isAscii(parsed.value[0]!.address)) return err(NOT_ASCII);
  return ok(fixed(formatAddressField(name, parsed.value)));
}

/** The field with the values of its variables: what they bring beyond ASCII is percent-encoded wherever it stands. */
export const renderedField = (name: string, text: string): string =>
  formatStructured(name, percentEncoded(withAsciiUris(text), /[^\x00-\x7f]+/gu));

/** A host beyond ASCII can be no percent-encoded one for all readers. */
const withAsciiUris = (text: string): string =>
  text.replaceAll(/<([^<>]*)>/g, (whole, uri: string) => {
    if (/^[\x21-\x7e]*$/.test(uri)) return whole;
    const [, scheme, host, rest] = /^([a-z]+:\/\/)([^/?#:@]*)(.*)$/is.exec(uri) ?? ['', '', '', uri];
    return `<${percentEncoded(`${scheme}${toAsciiDomain(host) ?? host}${rest}`, /[^\x21-\x7e]+/gu)}>`;
  });

const percentEncoded = (text: string, what: RegExp): string =>
  text.replaceAll(what, (part) => encodeURIComponent(part.toWellFormed()));

const isAscii = (text: string): boolean => !/[^\x00-\x7f]/.test(text);
