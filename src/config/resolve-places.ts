/** From draft to snapshot: the places of entries and keys. An entry of the configuration hides the shipped one as a whole. */
import type { Draft } from './draft.ts';
import type { Path } from './problem.ts';
import { type PlacedEntries, shippedEntries } from './shipped.ts';
import type { EntryPlaces, PlacedList, Places, PlacesOf } from './snapshot-places.ts';
import type { Sources } from './source.ts';

const PLACED: readonly PlacedList[] = [
  ...(['strategies', 'warmup_plans', 'caps', 'retry_rules', 'lock_rules', 'rules'] as const),
  ...(['isps', 'nodes', 'senders'] as const),
];

let shipped: readonly (readonly [PlacedList, PlacesOf])[] | undefined;

export function resolvePlaces({ lists, at }: Draft, sources: Sources): Places {
  shipped ??= shippedEntries().map((one) => [one.list, placesOf(one)]);
  const both = PLACED.map((list) => {
    const own = placesOf({ list, entries: lists[list], sources, at: (entry) => at(entry), unnamed: 'rule-' });
    const brought = shipped!.filter(([of]) => of === list).map(([, places]) => places);
    return [list, Object.assign({}, ...brought, own) as PlacesOf] as const;
  });
  return Object.fromEntries(both) as Places;
}

function placesOf({ entries, sources, at, unnamed }: PlacedEntries): PlacesOf {
  const places = entries.flatMap((entry, index): [string, EntryPlaces][] => {
    const path = at(entry, index);
    const line = sources.lineOf(path);
    if (line === undefined) return [];
    const name = entry.name ?? `${unnamed}${index + 1}`;
    return [[name, { entry: line, keys: Object.fromEntries(keysOf(entry, path, sources)) }]];
  });
  return Object.fromEntries(places);
}

/** The keys of an entry that are written, those of the sections in it, and the names in its lists of names. */
function keysOf(entry: object, path: Path, sources: Sources): [string, string][] {
  const found: [string, string][] = [];
  const add = (key: string, ...inside: Path): void => {
    const line = sources.lineOf([...path, ...inside]);
    if (line !== undefined) found.push([key, line]);
  };
  for (const [key, value] of Object.entries(entry) as [string, unknown][]) {
    add(key, key);
    if (Array.isArray(value)) {
      for (const [index, name] of (value as unknown[]).entries())
        if (typeof name === 'string') add(`${key}.${name}`, key, index);
    } else if (typeof value === 'object' && value !== null)
      for (const inner of Object.keys(value)) add(`${key}.${inner}`, key, inner);
  }
  return found;
}
