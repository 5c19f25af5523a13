/**
 * The content of a campaign as it is stored: a list of steps that produce the bytes for one recipient. Everything that
 * does not vary is final bytes already (encoded, folded, with its boundaries and Date), so rendering only fills gaps,
 * and two attempts for one recipient give the same bytes.
 *
 * Stored form: magic, length of the JSON part, JSON with lengths in place of bytes, then the bytes in the same order.
 */
import { err, ok, type Result } from '../../core/index.ts';
import { type Escape, plainName, type Template, type Variables } from './template.ts';

export interface MailboxTemplate {
  readonly name: Template;
  readonly address: Template;
}

/** A run of quoted-printable bytes that can stand at column 0, or further right when its first line fits. */
export interface QuotedBlock {
  readonly bytes: Buffer;
  /** Columns up to its first line end, or all of them. */
  readonly firstLine: number;
  /** Columns after its last line end; undefined when it has no line end. */
  readonly lastColumn: number | undefined;
}

export type Step =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | {
      readonly kind: 'field';
      readonly name: string;
      readonly template: Template;
      /** With a syntax of its own (structured-field.ts). */
      readonly structured?: boolean;
    }
  | { readonly kind: 'addresses'; readonly name: string; readonly mailboxes: readonly MailboxTemplate[] }
  | { readonly kind: 'message_id' }
  | {
      readonly kind: 'quoted';
      readonly blocks: readonly QuotedBlock[];
      readonly names: readonly string[];
      readonly escape: Escape;
    }
  | {
      readonly kind: 'base64';
      readonly texts: readonly Buffer[];
      readonly names: readonly string[];
      readonly escape: Escape;
    };

export interface CampaignContent {
  readonly fromAddress: string;
  readonly fromDomain: string;
  /** Right side of the Message-ID of each recipient. */
  readonly messageIdHost: string;
  /** Values of variables that a recipient does not have. */
  readonly defaults?: Variables;
  /** Bytes of the content without what varies. */
  readonly fixedBytes: number;
  /** Steps of the header, the blank line included. */
  readonly header: readonly Step[];
  readonly body: readonly Step[];
}

const MAGIC = Buffer.from('PRC1');

/** True when recipients get different bodies; false means one DKIM body hash serves them all. */
export const bodyVaries = (campaign: CampaignContent): boolean =>
  campaign.body.some((step) => step.kind !== 'bytes');

/** The variables of a content and how often each stands in it; `recipient`, which everybody has, is not among them. */
export function variableCounts(campaign: CampaignContent): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const step of [...campaign.header, ...campaign.body])
    for (const name of namesOf(step).map(plainName))
      if (name !== 'recipient') counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** Those of them that somewhere have no default of their own. */
export function neededNames(campaign: CampaignContent): ReadonlySet<string> {
  const names = [...campaign.header, ...campaign.body].flatMap(namesOf);
  return new Set(names.filter((name) => name !== 'recipient' && plainName(name) === name));
}

function namesOf(step: Step): readonly string[] {
  switch (step.kind) {
    case 'quoted':
    case 'base64':
      return step.names;
    case 'field':
      return step.template.names;
    case 'addresses':
      return step.mailboxes.flatMap(({ name, address }) => [...name.names, ...address.names]);
    default:
      return [];
  }
}

/** A campaign's content from its steps. */
export function campaignContent(
  origin: Pick<CampaignContent, 'fromAddress' | 'fromDomain' | 'messageIdHost'>,
  header: readonly Step[],
  body: readonly Step[],
): CampaignContent {
  let fixedBytes = 0;
  for (const step of [...header, ...body]) for (const block of blocksOf(step)) fixedBytes += block.length;
  return { ...origin, fixedBytes, header: mergeSteps(header), body: mergeSteps(body) };
}

/** Joins neighbouring `bytes` steps. */
function mergeSteps(steps: readonly Step[]): readonly Step[] {
  const merged: Step[] = [];
  let run: Buffer[] = [];
  const flush = (): void => {
    if (run.length > 0) merged.push({ kind: 'bytes', bytes: Buffer.concat(run) });
    run = [];
  };
  for (const step of steps) {
    if (step.kind === 'bytes') run.push(step.bytes);
    else {
      flush();
      merged.push(step);
    }
  }
  flush();
  return merged;
}

export function quotedBlock(bytes: Buffer): QuotedBlock {
  const firstBreak = bytes.indexOf('\r\n');
  if (firstBreak === -1) return { bytes, firstLine: bytes.length, lastColumn: undefined };
  return { bytes, firstLine: firstBreak, lastColumn: bytes.length - bytes.lastIndexOf('\n') - 1 };
}

function blocksOf(step: Step): readonly Buffer[] {
  switch (step.kind) {
    case 'bytes':
      return [step.bytes];
    case 'quoted':
      return step.blocks.map((block) => block.bytes);
    case 'base64':
      return step.texts;
    default:
      return [];
  }
}

/** A step in JSON: `lengths` stands for the byte blocks. */
interface StoredStep {
  readonly kind: Step['kind'];
  readonly lengths: readonly number[];
  readonly name?: string;
  readonly template?: Template;
  readonly structured?: boolean;
  readonly mailboxes?: readonly MailboxTemplate[];
  readonly names?: readonly string[];
  readonly escape?: Escape;
}

export function encodeCampaign(campaign: CampaignContent): Buffer {
  const { header, body, ...rest } = campaign;
  const blocks: Buffer[] = [];
  const store = (step: Step): StoredStep => {
    const own = blocksOf(step);
    blocks.push(...own);
    const lengths = own.map((block) => block.length);
    if (step.kind === 'quoted' || step.kind === 'base64')
      return { kind: step.kind, lengths, names: step.names, escape: step.escape };
    return step.kind === 'bytes' ? { kind: step.kind, lengths } : { ...step, lengths };
  };
  const json = Buffer.from(JSON.stringify({ ...rest, header: header.map(store), body: body.map(store) }));
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(json.length);
  return Buffer.concat([MAGIC, length, json, ...blocks]);
}

/** The reverse. Slices of `stored` are kept: it must not change afterwards. The store vouches for integrity. */
export function decodeCampaign(stored: Buffer): Result<CampaignContent, string> {
  if (stored.length < 8 || !stored.subarray(0, 4).equals(MAGIC)) return err('not a stored campaign content');
  const jsonEnd = 8 + stored.readUInt32BE(4);
  let at = jsonEnd;
  const load = (step: StoredStep): Step => {
    const blocks = step.lengths.map((length) => stored.subarray(at, (at += length)));
    return stepOf(step, blocks);
  };
  try {
    const parsed = JSON.parse(stored.toString('utf8', 8, jsonEnd)) as Omit<
      CampaignContent,
      'header' | 'body'
    > & { readonly header: readonly StoredStep[]; readonly body: readonly StoredStep[] };
    const campaign = { ...parsed, header: parsed.header.map(load), body: parsed.body.map(load) };
    return at === stored.length ? ok(campaign) : err('a stored campaign content has the wrong length');
  } catch {
    return err('a stored campaign content is damaged');
  }
}

function stepOf(step: StoredStep, blocks: readonly Buffer[]): Step {
  const { name = '', names = [], escape = 'none', template, structured, mailboxes = [] } = step;
  switch (step.kind) {
    case 'bytes':
      return { kind: 'bytes', bytes: blocks[0]! };
    case 'quoted':
      return { kind: 'quoted', blocks: blocks.map(quotedBlock), names, escape };
    case 'base64':
      return { kind: 'base64', texts: blocks, names, escape };
    case 'field':
      return { kind: 'field', name, template: template!, ...(structured && { structured }) };
    case 'addresses':
      return { kind: 'addresses', name, mailboxes };
    case 'message_id':
      return { kind: 'message_id' };
  }
}
