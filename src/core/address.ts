/**
 * Addresses of the envelope (RFC 5321 §4.1.2, RFC 6531 §3.3). Domains are A-labels inside the program; a local part
 * is kept as it was given. Source routes (RFC 5321 appendix C) and address literals are refused: nothing that a
 * campaign sends to has one.
 */
import { domainToASCII } from 'node:url';
import { err, ok, type Result } from './result.ts';

export interface Address {
  /** Local part as given, quotes included. */
  readonly local: string;
  /** Lower-case A-label domain. */
  readonly domain: string;
}

const ATOM =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\u{10FFFF}]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\u{10FFFF}]+)*$/u;
const QUOTED = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e\u0080-\u{10FFFF}]|\\[\x20-\x7e])*"$/u;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;

/** Forms of the domains that came last: asked for several times per message, and again by the next recipients of a campaign. */
const knownDomains = new Map<string, string>();
/** More than most campaigns alternate between; 1 to 2 MB when it is full, 5 MB at the longest names. */
const MAX_KNOWN_DOMAINS = 10_000;
const MAX_KNOWN_LENGTH = 255;

/** Lower-case A-label form of a domain name with at least one label, or undefined when it is not one (RFC 1035, 5891). */
export function toAsciiDomain(text: string): string | undefined {
  const known = knownDomains.get(text);
  if (known !== undefined) return known;
  const form = asciiForm(text);
  if (form === undefined || text.length > MAX_KNOWN_LENGTH) return form;
  if (knownDomains.size >= MAX_KNOWN_DOMAINS) knownDomains.clear();
  // A copy: a part of a text keeps all of it.
  const name = Buffer.from(text).toString();
  knownDomains.set(name, form === text ? name : form);
  return form;
}

function asciiForm(text: string): string | undefined {
  const plain = /^[A-Za-z0-9._-]+$/.test(text);
  const ascii = plain ? text.toLowerCase() : domainToASCII(text);
  if (ascii === '' || ascii.length > 253) return undefined;
  return ascii.split('.').every((label) => LABEL.test(label)) ? ascii : undefined;
}

/** Parses `local@domain` without angle brackets. The error is one sentence without the address in it. */
export function parseAddress(text: string): Result<Address, string> {
  const at = text.lastIndexOf('@');
  if (at < 1) return err('an address has the form local@domain');
  const local = text.slice(0, at);
  if (Buffer.byteLength(local) > 64) return err('the local part is longer than 64 octets');
  if (!ATOM.test(local) && !QUOTED.test(local))
    return err('the local part has a character that needs quotes');
  const domain = toAsciiDomain(text.slice(at + 1));
  if (domain === undefined) return err('the domain is not a valid host name');
  if (/^[0-9.]+$/.test(domain)) return err('the domain is an IP address');
  return ok({ local, domain });
}

export const formatAddress = (address: Address): string => `${address.local}@${address.domain}`;

/** True when the address needs SMTPUTF8 on the way (RFC 6531). */
export const needsSmtpUtf8 = (address: Address): boolean => /[^\x00-\x7f]/.test(address.local);

/** The domain of an address in text form; the empty string for the null reverse-path. */
export const domainOf = (address: string): string =>
  address.slice(address.lastIndexOf('@') + 1).toLowerCase();
