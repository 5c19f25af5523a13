/** The mail that a report speaks of, as far as it came back: a part of its own, or quoted behind the notice. */
import { addressesIn, addressIn, messageIdsIn } from './addresses.ts';
import { decodeWords } from './decode.ts';
import { type Field, fieldOf, readHeader } from './header.ts';
import { type Part, walk } from './part.ts';
import type { OriginalMail } from './types.ts';

const HEADERS_ONLY = /^(?:text|message)\/(?:rfc822-headers?|global-headers)$/;
const MAX_HEADERS = 200;

/** Of the parts, else of the text behind the notice. */
export function originalOf(root: Part, quoted: string): OriginalMail | undefined {
  for (const part of walk(root)) {
    if (part === root) continue;
    if (HEADERS_ONLY.test(part.type)) {
      const found = originalFrom(headerOf(part.text()));
      if (found) return found;
    }
    const [inner] = part.children;
    if (inner && part.type.startsWith('message/')) {
      const found = originalFrom(inner.fields);
      if (found) return found;
    }
  }
  return quoted === '' ? undefined : originalFrom(headerOf(quoted));
}

/** A header at the start of a text, blank lines and one indentation of all lines aside. */
function headerOf(text: string): readonly Field[] {
  const trimmed = text
    .slice(0, 65_536)
    .replaceAll('\r\n', '\n')
    .replace(/^\s*\n/, '');
  const indent = /^(?:[ \t]+|(?:>[ \t]?)+)(?=[!-9;-~]+:)/.exec(trimmed)?.[0] ?? '';
  const plain =
    indent === ''
      ? trimmed
      : trimmed
          .split('\n')
          .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
          .join('\n');
  return readHeader(plain, 0, plain.length).fields;
}

/** Undefined when these are not the fields of a mail. */
export function originalFrom(fields: readonly Field[]): OriginalMail | undefined {
  const names = new Set(fields.map(({ name }) => name));
  if (!['from', 'to', 'message-id', 'subject', 'received', 'date'].some((name) => names.has(name)))
    return undefined;
  const value = (name: string): string | undefined => fieldOf(fields, name);
  return {
    headers: fields.slice(0, MAX_HEADERS).map(({ name, value: text }) => [name, decodeWords(text)] as const),
    messageId: messageIdsIn(value('message-id'))[0],
    from: addressIn(value('from') ?? ''),
    to: addressesIn([value('to'), value('cc')].filter((one) => one !== undefined).join(', ')),
    returnPath: addressIn(value('return-path') ?? ''),
    feedbackId: value('feedback-id'),
  };
}
