/**
 * Where to look for a recipient or a campaign. Each commit that accepts mail appends one value: for each run of
 * recipients of a message their hashes, in order. A look-up reads through all of them (4 bytes a recipient), instead of
 * a million records; what it finds is a hint, which the record itself confirms. Nothing here has a random key, so it
 * costs an injection next to nothing. A group goes when none of its deliveries is kept any more.
 */
import { crc32 } from 'node:zlib';
import { domainOf } from '../core/index.ts';
import { deliveryKey, keyAfter, numberKey, parseNumberKey } from './keys.ts';
import type { Entry, Kv, Op } from './kv.ts';
import { seal, unseal } from './records.ts';

/** Recipients of one message with consecutive indexes. */
export interface Run {
  readonly number: number;
  /** Index of the first one. */
  readonly first: number;
  readonly campaign: number;
  /** One hash for each. */
  readonly hashes: readonly number[];
}

/** The part of a transaction that is about them. */
interface Accepting {
  readonly ops: Op[];
  readonly recipients: readonly Run[];
}

/** Deliveries of one message with consecutive indexes: `[first, end)`. */
export interface Span {
  readonly number: number;
  readonly first: number;
  readonly end: number;
}

export interface Sought {
  readonly recipient?: string | undefined;
  readonly campaignId?: string | undefined;
}

/** Message number, first index, campaign, count; 4 bytes for each recipient follow. */
const HEAD_BYTES = 8 + 4 + 4 + 4;
const HASH_BYTES = 4;
/** The oldest groups looked at in one commit of a trim, and those of the walk. */
const TRIMMED = 100;
const WALKED = 20;

export function hashOfRecipient(address: string): number {
  const domain = domainOf(address);
  // Mostly it is lower-case already.
  return crc32(
    address.endsWith(domain) ? address : `${address.slice(0, address.lastIndexOf('@'))}@${domain}`,
  );
}
export const hashOfCampaign = (campaignId: string | undefined): number => crc32(campaignId ?? '');

/** The recipients of a message, as runs. */
export function runsOf(
  number: number,
  campaignId: string | undefined,
  deliveries: readonly { readonly index: number; readonly record: { readonly recipient: string } }[],
): Run[] {
  const runs: { number: number; first: number; campaign: number; hashes: number[] }[] = [];
  const campaign = hashOfCampaign(campaignId);
  for (const { index, record } of deliveries) {
    const last = runs.at(-1);
    if (last && index === last.first + last.hashes.length)
      last.hashes.push(hashOfRecipient(record.recipient));
    else runs.push({ number, first: index, campaign, hashes: [hashOfRecipient(record.recipient)] });
  }
  return runs;
}

/** Adds the recipients that this transaction accepts, under the number of its first event. */
export function sealRecipients({ ops, recipients }: Accepting, seq: number): void {
  if (recipients.length > 0)
    ops.push({ table: 'recipients', key: numberKey(seq), value: encodeRuns(recipients) });
}

export function encodeRuns(runs: readonly Run[]): Buffer {
  const bytes = runs.reduce((sum, { hashes }) => sum + HEAD_BYTES + HASH_BYTES * hashes.length, 0);
  const payload = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { number, first, campaign, hashes } of runs) {
    at += numberKey(number).copy(payload, at);
    at = payload.writeUInt32BE(first, at);
    at = payload.writeUInt32BE(campaign, at);
    at = payload.writeUInt32BE(hashes.length, at);
    for (const hash of hashes) at = payload.writeUInt32BE(hash, at);
  }
  return seal(payload);
}

/** A run as it is stored. */
interface StoredRun extends Span {
  readonly campaign: number;
  /** Where its hashes begin. */
  readonly at: number;
}

/** A damaged group is as good as none: what it named is found by its id still. */
function payloadOf(value: Buffer): Buffer {
  try {
    return unseal(value);
  } catch {
    return Buffer.alloc(0);
  }
}

function* runsIn(payload: Buffer): Generator<StoredRun> {
  for (let at = 0; at < payload.length;) {
    const number = payload.readUInt32BE(at) * 2 ** 32 + payload.readUInt32BE(at + 4);
    const first = payload.readUInt32BE(at + 8);
    const count = payload.readUInt32BE(at + 16);
    yield { number, first, end: first + count, campaign: payload.readUInt32BE(at + 12), at: at + HEAD_BYTES };
    at += HEAD_BYTES + HASH_BYTES * count;
  }
}

/** Each delivery that a stored group names, with the hash of its recipient; undefined for a damaged group. */
export function recipientsIn(
  value: Buffer,
): { readonly number: number; readonly index: number; readonly hash: number }[] | undefined {
  const payload = payloadOf(value);
  if (payload.length === 0) return undefined;
  return [...runsIn(payload)].flatMap(({ number, first, end, at }) =>
    Array.from({ length: end - first }, (_, i) => ({
      number,
      index: first + i,
      hash: payload.readUInt32BE(at + i * HASH_BYTES),
    })),
  );
}

/** Lower bound of the next event's sequence number: each recipient of the newest group had an event from its key on. */
export function eventAfterRecipients(kv: Kv): number {
  for (const { key, value } of kv.range('recipients', { reverse: true, limit: 1 }))
    return parseNumberKey(key) + Math.max(1, recipientsIn(value)?.length ?? 0);
  return 0;
}

/** The deliveries that may be meant, in the order of acceptance. */
export function whereToLook(kv: Kv, { recipient, campaignId }: Sought): Span[] {
  const hash = recipient === undefined ? undefined : hashOfRecipient(recipient);
  const campaign = campaignId === undefined ? undefined : hashOfCampaign(campaignId);
  const spans: Span[] = [];
  for (const { value } of kv.range('recipients', {})) {
    const payload = payloadOf(value);
    for (const run of runsIn(payload)) {
      if (campaign !== undefined && run.campaign !== campaign) continue;
      if (hash === undefined) spans.push(run);
      else spans.push(...hits(payload, run, hash));
    }
  }
  return spans.sort((a, b) => a.number - b.number || a.first - b.first);
}

function hits(payload: Buffer, { number, first, end, at }: StoredRun, hash: number): Span[] {
  const found: Span[] = [];
  for (let index = first, place = at; index < end; index++, place += HASH_BYTES)
    if (payload.readUInt32BE(place) === hash) found.push({ number, first: index, end: index + 1 });
  return found;
}

/**
 * Forgets groups whose deliveries are all forgotten: the oldest ones at once, and those behind one that is kept, maybe
 * for ever (a damaged delivery), on a walk through all of them, a slice at a time.
 */
export class RecipientsTrim {
  readonly #kv: Kv;
  #from: Buffer | undefined;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  /** Adds the removal of the oldest ones up to the first that is kept. Returns how many. */
  oldest({ ops }: Pick<Accepting, 'ops'>): number {
    let removed = 0;
    for (const { key, value } of this.#kv.range('recipients', { limit: TRIMMED })) {
      if (this.#keeps(value)) break;
      ops.push({ table: 'recipients', key, value: undefined });
      removed++;
    }
    return removed;
  }

  /** Adds the removal of those in the next slice; the walk begins anew at its end. */
  walk({ ops }: Pick<Accepting, 'ops'>): void {
    const range = { ...(this.#from && { start: this.#from }), limit: WALKED };
    let last: Entry | undefined;
    let looked = 0;
    for (const entry of this.#kv.range('recipients', range)) {
      last = entry;
      looked++;
      if (!this.#keeps(entry.value)) ops.push({ table: 'recipients', key: entry.key, value: undefined });
    }
    this.#from = last && looked === WALKED ? keyAfter(last.key) : undefined;
  }

  #keeps(value: Buffer): boolean {
    return [...runsIn(payloadOf(value))].some((span) => isKept(this.#kv, span));
  }
}

function isKept(kv: Kv, { number, first, end }: Span): boolean {
  const range = { start: deliveryKey(number, first), end: deliveryKey(number, end), limit: 1 };
  return (['deliveries', 'history'] as const).some((table) => [...kv.range(table, range)].length > 0);
}
