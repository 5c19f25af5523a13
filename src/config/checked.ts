/** What the checks share: what they are given, and the search for duplicates. */
import type { Path } from './problem.ts';
import type { Draft } from './draft.ts';
import type { Report } from './report.ts';
import type { lists } from './schema.ts';

/** What every check gets. */
export interface Checked {
  readonly draft: Draft;
  readonly report: Report;
  /** Names written in a list, also those of entries that are wrong otherwise, and the built-in ones. */
  readonly names: (list: keyof typeof lists) => readonly string[];
}

/** Whether anything stands at a path in the files; a part that was cut out for an error of its own still does. */
export function isWritten(report: Report, path: Path): boolean {
  const value = report.sources.at(path);
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}

/** Reports each value that was seen before; the message names the first place. */
export class Unique {
  readonly #report: Report;
  readonly #seen = new Map<string, Path>();

  constructor(report: Report) {
    this.#report = report;
  }

  add(value: string, path: Path, message: (place: string, first: Path) => string): void {
    const first = this.#seen.get(value);
    if (first) this.#report.error(path, message(this.#report.sources.placeOf(first), first));
    else this.#seen.set(value, path);
  }
}
