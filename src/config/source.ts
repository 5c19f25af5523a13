/**
 * The text of one or more YAML files as one tree of plain values, and for each value the place it came from. Lists of
 * several files are concatenated; a scalar may be set once. Nothing here knows the schema.
 * Bounds: nesting and the number of values are limited, so no input (a loop or a bomb of aliases) hangs or throws.
 */
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { Node, Pair, YAMLMap, YAMLSeq } from 'yaml';
import { formatPath, type ConfigProblem, type Path } from './problem.ts';
import { explainYaml } from './yaml-problem.ts';

export type Tree = Record<string, unknown>;

interface Place {
  readonly line: number;
  readonly column: number;
}

interface Origin {
  readonly file: string;
  /** The path in its own file: a concatenated list counts from zero there. */
  readonly path: Path;
  readonly value: Place;
  readonly key: Place;
}

/** One file while it is read. */
interface Reading {
  readonly file: string;
  readonly placeOf: (offset: number) => Place;
  /** Nodes by anchor; an alias means the latest one before it. */
  readonly anchors: Map<string, Node>;
}

/** Where a value goes in the tree (`at`), and where it stands in its file. */
interface Spot {
  readonly at: Path;
  readonly own: Path;
  readonly key: Place;
  /** Reached through an alias, so it counts towards the bound. */
  readonly aliased: boolean;
}

const MAX_DEPTH = 24;
/** Values that stand in the files once and are reached again through aliases. */
const MAX_ALIASED_VALUES = 100_000;
const START: Place = { line: 1, column: 1 };

const idOf = (path: Path): string => JSON.stringify(path);
const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class Sources {
  readonly root: Tree = Object.create(null) as Tree;
  readonly problems: ConfigProblem[] = [];
  /** True when a file is not valid YAML: then nothing that follows from its contents may be said. */
  broken = false;
  readonly #origins = new Map<string, Origin>();
  #mainFile = '';
  #aliasedValues = 0;

  /** Adds a file. The first one is the main file, to which problems without a better place are pinned. */
  add(text: string, file: string): void {
    const isMain = this.#mainFile === '';
    if (isMain) this.#mainFile = file;
    const lines = new LineCounter();
    const placeOf = (offset: number): Place => {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(line, 1), column: Math.max(col, 1) };
    };
    // Duplicate keys are found in #readMap, which can name both places.
    const document = parseDocument(text.replace(/^\uFEFF/, ''), {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    });
    const wrong = document.errors[0] ?? document.warnings[0];
    if (wrong) {
      this.#syntaxError(file, placeOf(wrong.pos[0]), explainYaml(wrong));
      return;
    }
    const contents = document.contents;
    if (contents === null || (isScalar(contents) && contents.value === null)) {
      if (isMain)
        this.#syntaxError(file, START, 'the file is empty: write at least hostname: mta1.example.com');
    } else if (isMap(contents)) {
      const spot = { at: [], own: [], key: START, aliased: false };
      this.#readMap(this.root, contents, spot, { file, placeOf, anchors: new Map() });
    } else {
      const message =
        'expected keys such as "hostname: mta1.example.com" (a space after the colon), found none';
      this.#syntaxError(file, START, message);
    }
  }

  /** A problem about the value (or the key) at a path; a value that is absent is placed at what encloses it. */
  problem(path: Path, message: string, at: 'value' | 'key' = 'value'): ConfigProblem {
    const { origin, rest } = this.#nearest(path);
    const place = rest.length > 0 || at === 'key' ? origin.key : origin.value;
    return { file: origin.file, ...place, path: formatPath([...origin.path, ...rest]), message };
  }

  /** `mta.yaml:5:11`, for messages that name a second place. */
  placeOf(path: Path): string {
    const { origin } = this.#nearest(path);
    return `${origin.file}:${origin.value.line}:${origin.value.column}`;
  }

  /** `mta.yaml:5`, the line of a key or entry; undefined when it is left out. */
  lineOf(path: Path): string | undefined {
    const origin = this.#origins.get(idOf(path));
    return origin && (this.at(path) ?? null) !== null ? `${origin.file}:${origin.key.line}` : undefined;
  }

  /** The absolute form of a file name in the configuration: relative to the file that names it. */
  absolute(path: Path, name: string): string {
    return resolve(dirname(resolve(this.#nearest(path).origin.file)), name);
  }

  /** The value at a path as it was written, or undefined. */
  at(path: Path): unknown {
    let value: unknown = this.root;
    for (const step of path) {
      if (Array.isArray(value)) value = (value as unknown[])[Number(step)];
      else if (isTree(value)) value = value[String(step)];
      else return undefined;
    }
    return value;
  }

  #nearest(path: Path): { origin: Origin; rest: Path } {
    for (let length = path.length; length > 0; length--) {
      const origin = this.#origins.get(idOf(path.slice(0, length)));
      if (origin) return { origin, rest: path.slice(length) };
    }
    return { origin: { file: this.#mainFile, path: [], value: START, key: START }, rest: path };
  }

  #syntaxError(file: string, place: Place, message: string): void {
    this.broken = true;
    this.problems.push({ file, ...place, path: '', message });
  }

  #refuse(reading: Reading, spot: Spot, message: string): void {
    this.problems.push({ file: reading.file, ...spot.key, path: formatPath(spot.own), message });
  }

  #readMap(into: Tree, map: YAMLMap, spot: Spot, reading: Reading): void {
    const seen = new Map<string, Place>();
    for (const pair of map.items) {
      const place = reading.placeOf(startOf(pair.key) ?? startOf(map) ?? 0);
      const name = keyName(pair);
      const inner = (step: string): Spot => ({
        at: [...spot.at, step],
        own: [...spot.own, step],
        key: place,
        aliased: spot.aliased,
      });
      if (name === undefined || name === '<<') {
        const what = name === undefined ? 'a key must be plain text' : 'merge keys (<<) are not supported';
        this.#refuse(reading, { ...spot, key: place }, `${what}: write the keys out`);
        continue;
      }
      const first = seen.get(name);
      if (first) {
        const where = `line ${first.line}, column ${first.column}`;
        this.#refuse(reading, inner(name), `this key is already set at ${where}: keep one of the two`);
        continue;
      }
      seen.set(name, place);
      const value = this.#read(into[name], pair.value, inner(name), reading);
      if (value !== undefined) into[name] = value;
    }
  }

  /** The value of a YAML node, joined with what an earlier file has put at the same path. */
  #read(before: unknown, node: unknown, spot: Spot, reading: Reading): unknown {
    if (spot.at.length > MAX_DEPTH || (spot.aliased && ++this.#aliasedValues > MAX_ALIASED_VALUES)) {
      if (!this.broken) this.#syntaxError(reading.file, spot.key, 'too many nested or repeated values');
      return undefined;
    }
    if (this.broken) return undefined;
    this.#remember(spot, node, reading);
    if (isAlias(node)) {
      const target = reading.anchors.get(node.source);
      if (target) return this.#read(before, target, { ...spot, aliased: true }, reading);
      this.#refuse(reading, spot, `the alias *${node.source} has no anchor &${node.source} before it`);
      return before;
    }
    if (isNode(node) && node.anchor !== undefined) reading.anchors.set(node.anchor, node);
    const value = isMap(node) || isSeq(node) ? undefined : isScalar(node) ? plain(node.value) : null;
    if (before !== undefined && before !== null && !joins(before, node)) {
      if (value !== null)
        this.#refuse(
          reading,
          spot,
          `already set at ${this.placeOf(spot.at)}: a value may be set in one file only`,
        );
      return before;
    }
    if (isMap(node)) return this.#intoMap(before, node, spot, reading);
    if (isSeq(node)) return this.#intoList(before, node, spot, reading);
    return value;
  }

  #intoMap(before: unknown, map: YAMLMap, spot: Spot, reading: Reading): Tree {
    const tree = isTree(before) ? before : (Object.create(null) as Tree);
    this.#readMap(tree, map, spot, reading);
    return tree;
  }

  #intoList(before: unknown, seq: YAMLSeq, spot: Spot, reading: Reading): unknown[] {
    const items: unknown[] = Array.isArray(before) ? (before as unknown[]) : [];
    for (const [index, item] of seq.items.entries()) {
      const key = reading.placeOf(startOf(item) ?? startOf(seq) ?? 0);
      const inner = { at: [...spot.at, items.length], own: [...spot.own, index], key, aliased: spot.aliased };
      items.push(this.#read(undefined, item, inner, reading) ?? null);
    }
    return items;
  }

  #remember(spot: Spot, node: unknown, reading: Reading): void {
    const id = idOf(spot.at);
    if (this.#origins.has(id)) return;
    const start = startOf(node);
    const value = start === undefined ? spot.key : reading.placeOf(start);
    this.#origins.set(id, { file: reading.file, path: spot.own, value, key: spot.key });
  }
}

/** Offset of a node in its text. */
function startOf(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return range?.[0];
}

/** Whether a value of a later file adds to an earlier one instead of contradicting it. */
const joins = (before: unknown, node: unknown): boolean =>
  (Array.isArray(before) && isSeq(node)) || (isTree(before) && isMap(node));

function keyName(pair: Pair): string | undefined {
  const { key } = pair;
  if (!isScalar(key)) return undefined;
  const { value } = key;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

/** Scalars that YAML knows and we do not (binary, big integers) are text. */
function plain(value: unknown): string | number | boolean | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return typeof value === 'bigint' ? String(value) : '';
}
