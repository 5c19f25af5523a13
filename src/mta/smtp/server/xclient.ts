/**
 * XCLIENT, as Postfix documents it (XCLIENT_README): a trusted proxy says who its client is, and the session begins
 * anew, with the greeting. All attributes of a command are taken over, or none. NAME and DESTPORT are checked and not
 * used: names of clients decide nothing here.
 */
import type { Command, Dialogue } from './dialogue.ts';
import { greet } from './greeting.ts';
import { isHeloName } from './path.ts';
import { readAddress } from './peer-address.ts';
import { readPort } from './proxy-header.ts';
import { REPLIES } from './replies.ts';

export const XCLIENT_EXTENSION = 'XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT';

/** What one command says; what it does not say of the session is forgotten, of the connection it is kept. */
interface Said {
  peerAddress?: string | undefined;
  peerPort?: number | undefined;
  localAddress?: string | undefined;
  esmtp?: boolean;
  helo?: string;
  identity?: string | undefined;
}

export const xclientCommand: Command = (c, line, at, end) => {
  if (c.settings.trust === undefined) return c.refuse(REPLIES.unknown);
  if (!c.mayXclient) return c.refuse(REPLIES.xclientDenied);
  if (c.transaction.open) return c.refuse(REPLIES.inTransaction);
  const words = line
    .toString('latin1', at, end)
    .split(' ')
    .filter((word) => word !== '');
  if (words.length === 0) return c.refuse(REPLIES.xclientSyntax);
  const said: Said = {};
  for (const word of words) {
    const [, name = '', value = ''] = /^([A-Za-z]+)=([\x21-\x3c\x3e-\x7e]+)$/.exec(word) ?? [];
    const attribute = ATTRIBUTES.get(name.toUpperCase());
    if (attribute === undefined) return c.refuse(REPLIES.xclientSyntax);
    const text = decodeXtext(value);
    if (text === undefined || !attribute(said, text)) return c.refuse(REPLIES.xclientValue);
  }
  if (said.identity !== undefined && !c.settings.trust.login(said.identity))
    return c.refuse(REPLIES.xclientLogin);
  begin(c, said);
};

/** TLS stays: it cannot be undone. */
function begin(c: Dialogue, said: Said): void {
  c.transaction.reset();
  c.helo = '';
  c.esmtp = false;
  c.identity = undefined;
  Object.assign(c, said);
  c.mode = 'greeting';
  c.ask(c.settings.handler.onConnect, undefined, greet);
}

/** RFC 3461 §4; undefined for what is none. */
function decodeXtext(text: string): string | undefined {
  if (/\+(?![0-9A-Fa-f]{2})/.test(text)) return undefined;
  const octets = text.replaceAll(/\+(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const decoded = Buffer.from(octets, 'latin1').toString('utf8');
  // No value of any attribute has one.
  return /[\0-\x1f\x7f]/.test(decoded) ? undefined : decoded;
}

/** False for a value that it cannot have. */
type Attribute = (said: Said, value: string) => boolean;

const isUnavailable = (value: string): boolean => /^\[UNAVAILABLE\]$/i.test(value);

/** Empty when the client's is not known; undefined for what is no address. */
function addressOf(value: string): string | undefined {
  if (isUnavailable(value)) return '';
  return /^IPV6:/i.test(value) ? readAddress(value.slice(5), 'ipv6') : readAddress(value, 'ipv4');
}

const isTaken = (value: unknown): boolean => value !== undefined;

const portOf = (value: string): number | undefined => (isUnavailable(value) ? 0 : readPort(value));

const ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map<string, Attribute>([
  ['NAME', (_, value) => /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i.test(value) || isHeloName(value)],
  ['ADDR', (said, value) => isTaken((said.peerAddress = addressOf(value)))],
  ['PORT', (said, value) => isTaken((said.peerPort = portOf(value)))],
  ['DESTADDR', (said, value) => isTaken((said.localAddress = addressOf(value)))],
  ['DESTPORT', (_, value) => isTaken(portOf(value))],
  [
    'PROTO',
    (said, value) => {
      said.esmtp = value.toUpperCase() === 'ESMTP';
      return said.esmtp || value.toUpperCase() === 'SMTP';
    },
  ],
  [
    'HELO',
    (said, value) => {
      said.helo = isUnavailable(value) ? '' : value;
      return said.helo === '' || isHeloName(value);
    },
  ],
  [
    'LOGIN',
    (said, value) => {
      said.identity = isUnavailable(value) ? undefined : value;
      return true;
    },
  ],
]);
