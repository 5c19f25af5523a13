/** Changes to a message's header that the configuration asks for; all of them before the signature. */
import { isAscii } from 'node:buffer';
import type { IspConfig } from '../../config/index.ts';
import type { DeliveryRecord } from '../../queue/index.ts';
import {
  editHeader,
  fieldValue,
  firstField,
  formatAddressField,
  formatField,
  parseMailboxes,
  scanHeader,
} from '../message/index.ts';

/** Puts the From address, From name and Reply-To of a virtual sender's rule into a message. */
export function overrideHeader(content: Buffer, override: NonNullable<DeliveryRecord['override']>): Buffer {
  const { fromEmail, fromName, replyTo } = override;
  const scan = scanHeader(content);
  const dropped = new Set<string>();
  let bottom = '';
  if (fromEmail !== undefined || fromName !== undefined) {
    dropped.add('from');
    const field = firstField(scan, 'from');
    const given = field ? parseMailboxes(fieldValue(content, field)) : undefined;
    const first = given?.ok ? given.value[0] : undefined;
    const address = fromEmail ?? first?.address ?? '';
    bottom +=
      (fromName === undefined && encodedFrom(first?.name ?? '', address)) ||
      formatAddressField('From', [{ name: fromName ?? first?.name ?? '', address }]);
  }
  if (replyTo !== undefined) {
    dropped.add('reply-to');
    bottom += formatAddressField('Reply-To', [{ name: '', address: replyTo }]);
  }
  return editHeader(content, scan, { drop: (name) => dropped.has(name), bottom });
}

const ENCODED_WORD = /^=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=$/;
const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+$/;

/** The field for a name that is encoded already (RFC 2047 §5 (3)): encoded anew it would show as code. */
function encodedFrom(name: string, address: string): string | undefined {
  const words = name.split(' ').filter((word) => word !== '');
  if (!words.some((word) => ENCODED_WORD.test(word)) || !isAscii(Buffer.from(name))) return undefined;
  const phrase = words.map((word) =>
    ATOM.test(word) || ENCODED_WORD.test(word) ? word : `"${word.replaceAll(/["\\]/g, '\\$&')}"`,
  );
  return `From: ${[...phrase, `<${address}>`].join('\r\n ')}\r\n`;
}

/** Takes fields out and adds others, as the ISP of the recipient wants. */
export function ispHeader(content: Buffer, { add, remove }: IspConfig['headers']): Buffer {
  const dropped = new Set([...remove, ...Object.keys(add)].map((name) => name.toLowerCase()));
  const bottom = Object.entries(add)
    .map(([name, text]) => formatField(name, text))
    .join('');
  return editHeader(content, scanHeader(content), { drop: (name) => dropped.has(name), bottom });
}
