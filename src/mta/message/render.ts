/**
 * The bytes of one recipient from a campaign's content (hot path: once per attempt). Fixed bytes are copied once;
 * only values of variables are escaped and encoded here.
 */
import { parseAddress, formatAddress } from '../../core/index.ts';
import {
  quotedBlock,
  type CampaignContent,
  type MailboxTemplate,
  type QuotedBlock,
  type Step,
} from './campaign.ts';
import { formatAddressField, formatField } from './header-text.ts';
import { renderedField } from './structured-field.ts';
import { renderTemplate, valueOf, type Escape, type Variables } from './template.ts';
import { encodeBase64Lines, encodeQuotedPrintable } from './transfer-encoding.ts';
import { ContentWriter } from './writer.ts';

export interface Recipient {
  /** Address of the delivery; also the value of `{{recipient}}`. */
  readonly recipient: string;
  readonly vars: Variables;
  /** Unique text of the Message-ID; fixed at acceptance, so every attempt has the same one. */
  readonly messageIdText: string;
}

interface Rendering {
  readonly campaign: CampaignContent;
  readonly recipient: string;
  readonly messageIdText: string;
  readonly variables: Variables;
  readonly out: ContentWriter;
}

/** Bytes left free in front of a rendered content, in the same memory: fields that come later need no copy. */
export const RENDER_ROOM = 1024;
/** Room for the values of variables and the header before the buffer has to grow. */
const EXPECTED_VALUE_BYTES = 4096;
const SOFT_BREAK = Buffer.from('=\r\n');
const LINE_ROOM = 75;
const DASH = 45;
const EQUALS = 61;
const SP = 32;
const TILDE = 126;
const LF = 10;
const CR = 13;

/** `memory` gives so many bytes, with nothing else in their ArrayBuffer; the content stands behind RENDER_ROOM in it. */
export function renderContent(
  campaign: CampaignContent,
  to: Recipient,
  memory: (bytes: number) => Buffer = (bytes) => Buffer.allocUnsafeSlow(bytes),
): Buffer {
  const rendering: Rendering = {
    campaign,
    recipient: to.recipient,
    messageIdText: to.messageIdText,
    variables: variablesOf(campaign, to),
    out: new ContentWriter(memory(RENDER_ROOM + campaign.fixedBytes + EXPECTED_VALUE_BYTES), RENDER_ROOM),
  };
  for (const step of campaign.header) renderStep(rendering, step);
  for (const step of campaign.body) renderStep(rendering, step);
  return rendering.out.finish();
}

function variablesOf({ defaults }: CampaignContent, { vars, recipient }: Recipient): Variables {
  if (!defaults) return { ...vars, recipient };
  const merged: Record<string, Variables[string]> = { ...defaults, ...vars, recipient };
  for (const name of Object.keys(defaults)) merged[name] ??= defaults[name]!;
  return merged;
}

function renderStep(rendering: Rendering, step: Step): void {
  const { out, variables, campaign } = rendering;
  switch (step.kind) {
    case 'bytes':
      out.bytes(step.bytes);
      return;
    case 'field':
      out.utf8(
        (step.structured ? renderedField : formatField)(step.name, renderTemplate(step.template, variables)),
      );
      return;
    case 'addresses':
      renderAddresses(rendering, step.name, step.mailboxes);
      return;
    case 'message_id':
      out.utf8(`Message-ID: <${rendering.messageIdText}@${campaign.messageIdHost}>\r\n`);
      return;
    case 'quoted':
      renderQuoted(rendering, step);
      return;
    case 'base64':
      out.bytes(encodeBase64Lines(joinTexts(rendering, step)));
      return;
  }
}

/** A variable address that is none is left out; To then names the recipient, another field is dropped. */
function renderAddresses(rendering: Rendering, name: string, mailboxes: readonly MailboxTemplate[]): void {
  const rendered: { readonly name: string; readonly address: string }[] = [];
  for (const mailbox of mailboxes) {
    const address = parseAddress(renderTemplate(mailbox.address, rendering.variables));
    if (!address.ok) continue;
    const phrase = renderTemplate(mailbox.name, rendering.variables);
    rendered.push({ name: phrase, address: formatAddress(address.value) });
  }
  if (rendered.length === 0 && name === 'To') rendered.push({ name: '', address: rendering.recipient });
  if (rendered.length > 0) rendering.out.utf8(formatAddressField(name, rendered));
}

function renderQuoted(rendering: Rendering, step: Extract<Step, { kind: 'quoted' }>): void {
  const { out, variables } = rendering;
  let column = append(out, step.blocks[0]!, 0);
  for (let i = 0; i < step.names.length; i++) {
    const value = bodyValue(variables, step.names[i]!, step.escape);
    column = isShortText(value)
      ? appendShort(out, value, column)
      : append(out, quotedBlock(encodeQuotedPrintable(Buffer.from(value))), column);
    column = append(out, step.blocks[i + 1]!, column);
  }
}

/** Appends a block, after a soft line break when its first line does not fit. Returns the new column. */
function append(out: ContentWriter, block: QuotedBlock, column: number): number {
  if (block.bytes.length === 0) return column;
  const from = roomFor(out, block.firstLine, column);
  out.bytes(block.bytes);
  return block.lastColumn ?? from + block.firstLine;
}

function appendShort(out: ContentWriter, text: string, column: number): number {
  const from = roomFor(out, text.length, column);
  out.shortAscii(text);
  return from + text.length;
}

/** The column where text of that width goes: a new line when it does not fit beside the `=` of a soft break. */
function roomFor(out: ContentWriter, width: number, column: number): number {
  if (column === 0 || column + width <= LINE_ROOM) return column;
  out.bytes(SOFT_BREAK);
  return 0;
}

/**
 * Printable ASCII for one line that needs no encoder. A blank at the end does: a line end may follow. So does a dash at
 * the beginning, where a boundary could begin.
 */
function isShortText(value: string): boolean {
  const length = value.length;
  if (length > LINE_ROOM || value.charCodeAt(length - 1) === SP || value.charCodeAt(0) === DASH) return false;
  for (let at = 0; at < length; at++) {
    const code = value.charCodeAt(at);
    if (code < SP || code > TILDE || code === EQUALS) return false;
  }
  return true;
}

function joinTexts(rendering: Rendering, step: Extract<Step, { kind: 'base64' }>): Buffer {
  const pieces = [step.texts[0]!];
  for (let i = 0; i < step.names.length; i++) {
    pieces.push(Buffer.from(bodyValue(rendering.variables, step.names[i]!, step.escape)));
    pieces.push(step.texts[i + 1]!);
  }
  return Buffer.concat(pieces);
}

/** A value in a body: its line ends become CRLF. */
function bodyValue(variables: Variables, name: string, escape: Escape): string {
  const value = valueOf(variables, name, escape);
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code === LF || code === CR) return value.replaceAll(/\r\n?|\n/g, '\r\n');
  }
  return value;
}
