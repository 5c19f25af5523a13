/**
 * Paths and parameters of MAIL and RCPT (RFC 5321 §4.1.2, RFC 6531 §3.3). A path is looked for in bytes, with quoted
 * local parts in mind, and becomes a string only when its end is known. Source routes are refused: nobody needs them
 * since 1989 (RFC 5321 §4.1.1.3 lets a server decide).
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { err, formatAddress, needsSmtpUtf8, ok, parseAddress, type Result } from '../../../core/index.ts';
import type { Parameters } from './handler.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const COLON = 0x3a;
const LESS = 0x3c;
const GREATER = 0x3e;
const AT = 0x40;
const BACKSLASH = 0x5c;
/** Local part, @ and a domain of 255 characters in UTF-8: a bound before anything is decoded. */
const MAX_PATH_BYTES = 64 + 1 + 4 * 255;

export interface Path {
  /** `local@domain`, the bare word postmaster, or empty for `<>`. */
  readonly address: string;
  /** True when the local part is not ASCII (RFC 6531). */
  readonly needsUtf8: boolean;
  /** Index of the first byte after the path. */
  readonly next: number;
}

/** Index after the keyword and its colon (`FROM:`), or -1. INTEROP(many): spaces around the colon are let pass. */
export function afterKeyword(line: Buffer, start: number, keyword: Buffer): number {
  let at = skipSpaces(line, start);
  for (let i = 0; i < keyword.length; i++, at++) if (((line[at] ?? 0) & 0xdf) !== keyword[i]) return -1;
  at = skipSpaces(line, at);
  return line[at] === COLON ? skipSpaces(line, at + 1) : -1;
}

export function skipSpaces(line: Buffer, start: number): number {
  let at = start;
  while (line[at] === SPACE) at++;
  return at;
}

/** Reads `<...>` at `start` of a command line that ends at `end`. The error is one sentence. */
export function parsePath(line: Buffer, start: number, end: number): Result<Path, string> {
  if (start >= end || line[start] !== LESS) return err('the address stands in angle brackets');
  const close = closingBracket(line, start + 1, end);
  if (close < 0) return err('the closing angle bracket is missing');
  const next = close + 1;
  if (next < end && line[next] !== SPACE) return err('a space is missing after the address');
  if (close === start + 1) return ok({ address: '', needsUtf8: false, next });
  if (close - start > MAX_PATH_BYTES) return err('the address is too long');
  if (line[start + 1] === AT) return err('source routes are not supported');
  return parseMailbox(line.subarray(start + 1, close), next);
}

function closingBracket(line: Buffer, start: number, end: number): number {
  let quoted = false;
  for (let i = start; i < end; i++) {
    const c = line[i];
    if (c === QUOTE) quoted = !quoted;
    else if (c === BACKSLASH && quoted) i++;
    else if (c === GREATER && !quoted) return i;
  }
  return -1;
}

function parseMailbox(bytes: Buffer, next: number): Result<Path, string> {
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) return err('the address is not valid UTF-8');
  const text = ascii ? bytes.toString('latin1') : bytes.toString('utf8');
  // RFC 5321 §4.1.1.3: the one local part that needs no domain.
  if (text.length === 10 && text.toLowerCase() === 'postmaster')
    return ok({ address: 'postmaster', needsUtf8: false, next });
  const parsed = parseAddress(text);
  if (!parsed.ok) return parsed;
  return ok({
    address: formatAddress(parsed.value),
    needsUtf8: !ascii && needsSmtpUtf8(parsed.value),
    next,
  });
}

const NONE: Parameters = new Map();
const KEYWORD = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
/** RFC 5321 §4.1.2 esmtp-value, and UTF-8 (RFC 6531). */
const VALUE = /^[\x21-\x3c\x3e-\x7e\u0080-\u{10FFFF}]+$/u;

/** The parameters after the path; undefined for one that is malformed or given twice. */
export function parseParameters(line: Buffer, start: number, end: number): Parameters | undefined {
  const at = skipSpaces(line, start);
  if (at >= end) return NONE;
  const parameters = new Map<string, string>();
  for (const word of line.toString('utf8', at, end).split(' ')) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    const keyword = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
    const value = equals < 0 ? '' : word.slice(equals + 1);
    if (!KEYWORD.test(keyword) || (equals >= 0 && !VALUE.test(value))) return undefined;
    if (parameters.has(keyword)) return undefined;
    parameters.set(keyword, value);
  }
  return parameters;
}

/** Letters of host names and address literals; nothing that could end a Received line or open a comment. */
export function isHeloName(name: string): boolean {
  if (name.length === 0 || name.length > 255) return false;
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i);
    const letter = (c >= 0x30 && c <= 0x3a) || (c >= 0x41 && c <= 0x5b) || (c >= 0x61 && c <= 0x7a);
    if (!letter && c !== 0x2d && c !== 0x2e && c !== 0x5d && c !== 0x5f) return false;
  }
  return true;
}
