/** Where what decides about sending is written: `file:line` of entries and of their keys, for people who ask. */

export type PlacedList =
  | 'strategies'
  | 'warmup_plans'
  | 'caps'
  | 'retry_rules'
  | 'lock_rules'
  | 'rules'
  | 'isps'
  | 'nodes'
  | 'senders';

export interface EntryPlaces {
  readonly entry: string;
  /** Keys that are written, also `adaptive.floor`, `strategies.gmail` and, in a list of names, `domains.gmail.com`. */
  readonly keys: Readonly<Record<string, string>>;
}

/** By name; what the program itself brings (strategy `60:60`, retry rule `default`) has no place. */
export type PlacesOf = Readonly<Record<string, EntryPlaces>>;
export type Places = Readonly<Record<PlacedList, PlacesOf>>;

/** Where a key of an entry is written; undefined when it is left to its default. */
export const writtenAt = (
  places: Places,
  list: PlacedList,
  name: string,
  key: string,
): string | undefined => {
  const entry = entryOf(places, list, name);
  return entry && Object.hasOwn(entry.keys, key) ? entry.keys[key] : undefined;
};

/** Where the first of the keys that is written stands, else the entry; undefined for what is built in. */
export function placeOf(
  places: Places,
  list: PlacedList,
  name: string,
  ...keys: readonly string[]
): string | undefined {
  for (const key of keys) {
    const place = writtenAt(places, list, name, key);
    if (place !== undefined) return place;
  }
  return entryOf(places, list, name)?.entry;
}

const entryOf = (places: Places, list: PlacedList, name: string): EntryPlaces | undefined =>
  Object.hasOwn(places[list], name) ? places[list][name] : undefined;
