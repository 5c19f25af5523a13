/**
 * From what a client handed over to what is stored: line ends normalised, Received added, Date and Message-ID where
 * they are missing, private fields taken out, and the properties that later steps need (From domain for DKIM and
 * routing, 8-bit, dots).
 *
 * Policy: the client's fault is an SMTP-shaped refusal, decided here and only here. A long line is no reason to refuse:
 * CHUNKING or a re-encoding can still carry it.
 * Standards: RFC 5321 §4.4, §6.3, §6.4; RFC 5322 §3.6; RFC 6409 §8 (what a submission server may add).
 */
import { isAscii } from 'node:buffer';
import { err, formatAddress, ok, parseAddress, type Address, type Result } from '../../core/index.ts';
import { checkBytes, checkedLines, normaliseLineEnds, type LineCheck, type LineFacts } from './bytes.ts';
import { editHeader, tightenNames } from './header-edit.ts';
import { formatDate } from './header-text.ts';
import { fieldValue, MAX_HEADER_BYTES, scanHeader, type HeaderField, type HeaderScan } from './header.ts';
import { parseMailboxes } from './mailbox.ts';

export interface ReceivedFrom {
  /** The name of the peer's EHLO, as it came; undefined when it gave none. */
  readonly helo: string | undefined;
  /** IP address of the peer, without brackets; undefined for a local socket. */
  readonly peerAddress: string | undefined;
  readonly protocol: 'ESMTP' | 'ESMTPS' | 'ESMTPA' | 'ESMTPSA' | 'HTTP';
  readonly queueId: string;
}

export interface PrepareOptions {
  /** Name of this host in Received and Message-ID. */
  readonly hostname: string;
  /** Unique text of a Message-ID that has to be made (atext characters). */
  readonly messageIdText: string;
  /** Wall time in ms. */
  readonly now: number;
  /** Undefined adds no Received field. */
  readonly received: ReceivedFrom | undefined;
  /** Largest header in bytes; default 256 KB. */
  readonly maxHeaderBytes?: number;
  /** Bytes left free in front of the content, in the same memory (header-edit.ts); default none. */
  readonly room?: number;
  /** Known already: each CR and LF is part of a CRLF, and whether a line may begin with a dot. */
  readonly lines?: LineFacts;
}

export interface PreparedContent {
  readonly content: Buffer;
  /** Values of the `X-Postrider-*` fields by the rest of their lower-case name; the first one of a name counts. */
  readonly labels: ReadonlyMap<string, string>;
  /** Address of the first From mailbox, domain as lower-case A-label. */
  readonly fromAddress: string;
  readonly fromDomain: string;
  /** Value of Message-ID with its angle brackets. */
  readonly messageIdHeader: string;
  /** A byte above 127 anywhere: needs 8BITMIME or a downgrade. */
  readonly eightBit: boolean;
  /** A byte above 127 in the header: needs SMTPUTF8 (RFC 6532), a downgrade is not possible. */
  readonly eightBitHeader: boolean;
  readonly dotLine: boolean;
  readonly bytes: number;
}

/** A refusal in the words of SMTP. */
export interface ContentRefusal {
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}

/** RFC 5321 §6.3 wants at least 100 to be allowed for relays; an origin with more than 50 is in a loop. */
const MAX_RECEIVED = 50;
const LABEL_PREFIX = 'x-postrider-';

export function prepareContent(
  given: Buffer,
  options: PrepareOptions,
): Result<PreparedContent, ContentRefusal> {
  const maxHeaderBytes = options.maxHeaderBytes ?? MAX_HEADER_BYTES;
  const repaired = repair(given, maxHeaderBytes, options.lines);
  if (!repaired.ok) return repaired;
  const { source, check, scan } = repaired.value;
  const refusal = check.nul ? NUL_REFUSAL : refuseHeader(scan);
  if (refusal !== undefined) return err(refusal);
  const from = fromOf(source, scan);
  if (!from.ok) return from;

  const messageId = valueOf(source, scan, 'message-id');
  const date = valueOf(source, scan, 'date');
  const madeId = `<${options.messageIdText}@${options.hostname}>`;
  const added =
    (messageId === '' ? `Message-ID: ${madeId}\r\n` : '') + (date === '' ? dateField(options) : '');
  const edit = {
    drop: (name: string) =>
      isPrivate(name) || (name === 'message-id' && messageId === '') || (name === 'date' && date === ''),
    top: options.received === undefined ? '' : receivedField(options, options.received),
    bottom: added,
  };
  const content = editHeader(source, scan, edit, options.room);
  return ok({
    content,
    labels: labelsOf(source, scan),
    fromAddress: formatAddress(from.value),
    fromDomain: from.value.domain,
    messageIdHeader: messageId === '' ? madeId : messageId,
    eightBit: check.eightBit,
    eightBitHeader: check.eightBit && !isAscii(source.subarray(0, scan.headerEnd)),
    dotLine: check.dotLine,
    bytes: content.length,
  });
}

interface Repaired {
  readonly source: Buffer;
  readonly check: LineCheck;
  readonly scan: HeaderScan;
}

/** Line ends and field names as they must be sent; refused when the header is too large. */
function repair(
  given: Buffer,
  maxHeaderBytes: number,
  lines: PrepareOptions['lines'],
): Result<Repaired, ContentRefusal> {
  const check = lines ? checkedLines(given, lines) : checkBytes(given);
  const bare = check.bareCr || check.bareLf;
  const source = bare ? normaliseLineEnds(given) : given;
  // No more than that is scanned: a header without an end must not cost memory.
  const scan = scanHeader(source.subarray(0, maxHeaderBytes + 2));
  if (scan.headerEnd > maxHeaderBytes) return err(headerTooLarge(maxHeaderBytes));
  const tight = tightenNames(source, scan);
  if (!bare && tight === source) return ok({ source, check, scan });
  return ok({ source: tight, check: checkBytes(tight), scan: tight === source ? scan : scanHeader(tight) });
}

const refuse = (code: number, enhanced: string, text: string): ContentRefusal => ({ code, enhanced, text });
const NUL_REFUSAL = refuse(554, '5.6.0', 'the content has a NUL byte');

const headerTooLarge = (maxBytes: number): ContentRefusal =>
  refuse(552, '5.3.4', `the header is larger than ${maxBytes} bytes`);

function refuseHeader(scan: HeaderScan): ContentRefusal | undefined {
  if (scan.malformed !== undefined)
    return refuse(554, '5.6.0', `line ${scan.malformed} of the header is not a header field`);
  let received = 0;
  for (const field of scan.fields) if (field.name === 'received') received++;
  if (received > MAX_RECEIVED)
    return refuse(554, '5.4.6', `the message has more than ${MAX_RECEIVED} Received fields: a mail loop`);
  return undefined;
}

function fromOf(content: Buffer, scan: HeaderScan): Result<Address, ContentRefusal> {
  const fields = scan.fields.filter((field) => field.name === 'from');
  if (fields.length === 0) return err(refuse(554, '5.6.0', 'the message has no From field'));
  // RFC 5322 §3.6: exactly one. Receivers that see different ones are how From is forged.
  if (fields.length > 1) return err(refuse(554, '5.6.0', 'the message has more than one From field'));
  const mailboxes = parseMailboxes(fieldValue(content, fields[0]!));
  if (!mailboxes.ok) return err(refuse(554, '5.6.0', `the From field is not valid: ${mailboxes.error}`));
  const addresses = mailboxes.value.map((mailbox) => parseAddress(mailbox.address));
  const wrong = addresses.find((address) => !address.ok);
  if (wrong !== undefined && !wrong.ok)
    return err(refuse(554, '5.6.0', `the From field is not valid: ${wrong.error}`));
  const first = addresses[0]!;
  return first.ok ? ok(first.value) : err(refuse(554, '5.6.0', first.error));
}

/** The value of the first field of a name; empty when it is missing or blank, which then counts as missing. */
function valueOf(content: Buffer, scan: HeaderScan, name: string): string {
  const field = scan.fields.find((candidate) => candidate.name === name);
  return field === undefined ? '' : fieldValue(content, field);
}

/** Bcc would tell who else got it; Return-Path belongs to the final delivery (RFC 5321 §4.4); labels are ours. */
const isPrivate = (name: string): boolean =>
  name === 'bcc' || name === 'return-path' || name.startsWith(LABEL_PREFIX);

function labelsOf(content: Buffer, scan: HeaderScan): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  const isLabel = (field: HeaderField): boolean => field.name.startsWith(LABEL_PREFIX);
  for (const field of scan.fields) {
    const name = isLabel(field) ? field.name.slice(LABEL_PREFIX.length) : '';
    if (name !== '' && !labels.has(name)) labels.set(name, fieldValue(content, field));
  }
  return labels;
}

const dateField = (options: PrepareOptions): string => `Date: ${formatDate(options.now)}\r\n`;

/** RFC 5321 §4.4 with the `with` keywords of RFC 3848. The EHLO name is a stranger's text. */
function receivedField(options: PrepareOptions, received: ReceivedFrom): string {
  const helo = received.helo?.replaceAll(/[^A-Za-z0-9._:[\]-]/g, '?').slice(0, 255);
  const peer = received.peerAddress;
  const literal = peer === undefined ? '' : peer.includes(':') ? `[IPv6:${peer}]` : `[${peer}]`;
  const name = helo === undefined || helo === '' ? (literal === '' ? '' : 'unknown') : helo;
  const from = name === '' ? '' : literal === '' ? `from ${name}\r\n\t` : `from ${name} (${literal})\r\n\t`;
  return (
    `Received: ${from}by ${options.hostname} with ${received.protocol} id ${received.queueId};` +
    `\r\n\t${formatDate(options.now)}\r\n`
  );
}
