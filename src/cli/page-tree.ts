/**
 * Reads a store's file page by page without LMDB, which trusts each page and may end the process that reads a damaged
 * one. Pages stand in trees (mdb.c of lmdb-js, MDB_DATA_VERSION 2): a head names the root of a list of tables, the list
 * names their roots. Each page and each node is checked before it is followed: its number, kind and bounds, and that its
 * keys are in order and between the keys around it. What fails is a gap, and all beside it is read.
 *
 * A damaged leaf loses its entries, of which many a one can be read still; a damaged branch page (one of a hundred or
 * so) loses what is below it as far as it does not lead there; damage inside a value is not seen here, but by its
 * checksum.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEAD_BYTES = 24;
const NODE_BYTES = 8;
const [BRANCH, LEAF, OVERFLOW] = [0x01, 0x02, 0x04];
/** Kinds of pages that a store has; others of lmdb's flags say what is done with a page just now. */
const KINDS = 0x6f;
const [BIG_DATA, SUB_DATA] = [0x01, 0x02];
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const TREE_BYTES = 48;
const HEAD_PAGE_BYTES = 4096;
const NONE = 2n ** 64n - 1n;
const MAX_DEPTH = 32;
const ALL = { after: undefined, before: undefined };

export interface Tree {
  readonly root: bigint;
  readonly depth: number;
  readonly entries: number;
}

/** Keys between which something cannot be read; without one it goes to the end of the table. */
export interface Gap {
  readonly after: Buffer | undefined;
  readonly before: Buffer | undefined;
}

export interface PageEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Pages that lead to it, and those that it is on. */
  readonly pages: readonly number[];
}

/** The tables as of one commit. */
export interface Snapshot {
  readonly transaction: bigint;
  readonly tables: ReadonlyMap<string, Tree>;
  /** In the list of tables. */
  readonly gaps: readonly Gap[];
}

interface Node {
  readonly key: Buffer;
  readonly flags: number;
  /** Of a branch: the page below; of a leaf: how long its value is. */
  readonly number: bigint;
  readonly at: number;
}

interface Place extends Gap {
  readonly page: bigint;
  /** Levels from here down to the leaves, this one included. */
  readonly levels: number;
  readonly above: readonly number[];
}

export type OnGap = (gap: Gap) => void;

interface Found {
  readonly node: Node;
  readonly page: Buffer;
  readonly pages: readonly number[];
}

/** Where the bytes come from. */
export interface PageSource {
  readonly size: number;
  /** Of memory of its own. */
  readonly read: (at: number, length: number) => Buffer;
  readonly close: () => void;
}

export function openPages(path: string): PageSource {
  const fd = openSync(path, 'r');
  const read = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes, 0, length, at);
    return bytes;
  };
  return { size: fstatSync(fd).size, read, close: () => closeSync(fd) };
}

export class Pages {
  readonly #source: PageSource;
  #pageBytes = HEAD_PAGE_BYTES;
  #transaction = 0n;

  constructor(source: PageSource) {
    this.#source = source;
  }

  /**
   * The newest commit whose list of tables can be read, or else the newest; `behind` tells whether there was a newer one.
   * Undefined where there is none.
   */
  newest(): { readonly snapshot: Snapshot; readonly behind: boolean } | undefined {
    const heads = [0, 1].map((number) => this.#head(number)).filter((head) => head !== undefined);
    heads.sort((a, b) => (a.transaction < b.transaction ? 1 : -1));
    const all = heads.map((head) => ({ ...head, ...this.#list(head) }));
    const best = all.find(({ gaps }) => gaps.length === 0) ?? all[0];
    if (!best) return undefined;
    this.#use(best);
    return { snapshot: best, behind: best !== all[0] || heads.length < 2 };
  }

  /** All that can be read of a table, in order. */
  *entries(tree: Tree, gap: OnGap): Generator<PageEntry> {
    for (const { node, page, pages } of this.#walk(rootOf(tree), gap)) {
      const value = this.#value(node, page);
      if (value) yield { key: node.key, value: value.bytes, pages: [...pages, ...value.pages] };
      else gap({ after: node.key, before: node.key });
    }
  }

  #use({ pageBytes, transaction }: Head): void {
    this.#pageBytes = pageBytes;
    this.#transaction = transaction;
  }

  #head(number: number): Head | undefined {
    for (const pageBytes of [HEAD_PAGE_BYTES, 8192, 16_384, 65_536]) {
      const page = this.#read(number * pageBytes, HEAD_PAGE_BYTES)?.subarray(HEAD_BYTES);
      if (page?.readUInt32LE(0) !== MAGIC || page.readUInt16LE(4) !== VERSION) continue;
      if (page.readUInt32LE(24) !== pageBytes) continue;
      const list = treeAt(page, 24 + TREE_BYTES);
      return { pageBytes, list, transaction: page.readBigUInt64LE(128) };
    }
    return undefined;
  }

  #list(head: Head): Pick<Snapshot, 'tables' | 'gaps'> {
    this.#use(head);
    const [tables, gaps] = [new Map<string, Tree>(), [] as Gap[]];
    for (const { node, page } of this.#walk(rootOf(head.list), (gap) => void gaps.push(gap))) {
      const at = node.at + NODE_BYTES + node.key.length;
      if ((node.flags & SUB_DATA) === 0 || node.number !== BigInt(TREE_BYTES)) continue;
      const tree = treeAt(page, at);
      tables.set(node.key.toString('latin1').replace(/\0$/, ''), tree); // lmdb-js ends names with NUL
      // Its root is as new as the list: in a list that is damaged it may be any page.
      if (tree.root !== NONE && !this.#page(tree.root, tree.depth > 1 ? BRANCH : LEAF)) gaps.push(ALL);
    }
    if (tables.size < head.list.entries) gaps.push(ALL);
    return { tables, gaps };
  }

  *#walk(place: Place, gap: OnGap): Generator<Found> {
    if (place.page === NONE) return;
    const { after, before, levels, above } = place;
    const page = this.#page(place.page, levels > 1 ? BRANCH : LEAF);
    if (!page) {
      gap({ after, before });
      return;
    }
    const pages = [...above, Number(place.page)];
    const { nodes, whole } = nodesOf(page, place);
    if (!whole) gap({ after, before });
    for (const [i, node] of nodes.entries()) {
      if (levels === 1) {
        yield { node, page, pages };
        continue;
      }
      const from = i === 0 ? after : node.key;
      const next = nodes[i + 1]?.key ?? before;
      yield* this.#walk(
        { after: from, before: next, page: node.number, levels: levels - 1, above: pages },
        gap,
      );
    }
  }

  /** A page of this kind that was there at the commit. */
  #page(number: bigint, kind: number): Buffer | undefined {
    if (number * BigInt(this.#pageBytes) >= BigInt(this.#source.size)) return undefined;
    const page = this.#read(Number(number) * this.#pageBytes, this.#pageBytes);
    if (page?.readBigUInt64LE(0) !== number || (page.readUInt16LE(18) & KINDS) !== kind) return undefined;
    if (page.readBigUInt64LE(8) > this.#transaction) return undefined;
    return page;
  }

  #value(
    node: Node,
    page: Buffer,
  ): { readonly bytes: Buffer; readonly pages: readonly number[] } | undefined {
    const at = node.at + NODE_BYTES + node.key.length;
    const length = Number(node.number);
    if ((node.flags & BIG_DATA) === 0) {
      if (at + length > page.length) return undefined;
      return { bytes: page.subarray(at, at + length), pages: [] };
    }
    if (at + 8 > page.length) return undefined;
    const first = page.readBigUInt64LE(at);
    const head = this.#page(first, OVERFLOW);
    const count = Math.ceil((HEAD_BYTES + length) / this.#pageBytes);
    if (!head || head.readUInt32LE(20) < count) return undefined;
    const bytes = this.#read(Number(first) * this.#pageBytes + HEAD_BYTES, length);
    return bytes && { bytes, pages: Array.from({ length: count }, (_, i) => Number(first) + i) };
  }

  #read(at: number, length: number): Buffer | undefined {
    return at + length > this.#source.size ? undefined : this.#source.read(at, length);
  }
}

interface Head {
  readonly pageBytes: number;
  readonly list: Tree;
  readonly transaction: bigint;
}

const treeAt = (bytes: Buffer, at: number): Tree => ({
  depth: bytes.readUInt16LE(at + 6),
  entries: Number(bytes.readBigUInt64LE(at + 32)),
  root: bytes.readBigUInt64LE(at + 40),
});

const rootOf = ({ root, depth }: Tree): Place => ({
  page: root,
  levels: Math.min(depth, MAX_DEPTH),
  above: [],
  after: undefined,
  before: undefined,
});

/** The nodes of a page that can be read: inside of it, their keys in order and between those around it. */
function nodesOf(
  page: Buffer,
  { after, before, levels }: Place,
): { readonly nodes: Node[]; readonly whole: boolean } {
  const lower = page.readUInt16LE(20);
  const count = Math.min(lower, page.length - HEAD_BYTES) >> 1;
  const found: Node[] = [];
  for (let i = 0; i < count; i++) {
    const node = nodeAt(page, HEAD_BYTES + page.readUInt16LE(HEAD_BYTES + 2 * i), levels > 1);
    // The first key of a branch is not written: it goes as low as the page does.
    const first = levels > 1 && i === 0;
    if (!node || (!first && !isBetween(node.key, { after, before }))) continue;
    found.push(first ? { ...node, key: after ?? Buffer.alloc(0) } : node);
  }
  const nodes = inOrder(found);
  return { nodes, whole: nodes.length === count && count > 0 && lower === 2 * count };
}

function nodeAt(page: Buffer, at: number, isBranch: boolean): Node | undefined {
  if (at + NODE_BYTES > page.length) return undefined;
  const length = page.readUInt16LE(at + 6);
  const end = at + NODE_BYTES + length;
  const flags = page.readUInt16LE(at + 4);
  if (end > page.length || (!isBranch && (length === 0 || (flags & ~(BIG_DATA | SUB_DATA)) !== 0)))
    return undefined;
  const low = BigInt(page.readUInt32LE(at));
  const number = isBranch ? low | (BigInt(flags) << 32n) : low;
  return { key: page.subarray(at + NODE_BYTES, end), flags, number, at };
}

const isBetween = (key: Buffer, { after, before }: Gap): boolean =>
  key.length > 0 && (!after || key.compare(after) >= 0) && (!before || key.compare(before) < 0);

/** As many of them as there are in order: a key that is damaged and too large makes none of those behind it wrong. */
function inOrder(nodes: readonly Node[]): Node[] {
  const best: { readonly length: number; readonly before: number }[] = [];
  let last = -1;
  for (const [i, { key }] of nodes.entries()) {
    let longest = { length: 1, before: -1 };
    for (let j = i - 1; j >= 0 && best[j]; j--) {
      if (best[j]!.length < longest.length || nodes[j]!.key.compare(key) >= 0) continue;
      longest = { length: best[j]!.length + 1, before: j };
      if (j === last) break;
    }
    best.push(longest);
    if (last < 0 || longest.length > best[last]!.length) last = i;
  }
  const kept: Node[] = [];
  for (let i = last; i >= 0; i = best[i]!.before) kept.unshift(nodes[i]!);
  return kept;
}
