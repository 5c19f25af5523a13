/** A gauge that is read when somebody asks. */
import type { Clock } from '../core/index.ts';
import type { FigureRegistry, SetFigure } from './metrics-text.ts';

export const PREFIX = 'postrider_';
/** All figures of a scrape are read within some milliseconds. */
const SAME_SCRAPE_MS = 200;

// The label names are the fourth thing a gauge is made of, so this takes all of them.
export function gauge(...[registry, name, help, labelNames, collect]: GaugeArguments): void {
  registry.add({ name: `${PREFIX}${name}`, help, type: 'gauge', labelNames, collect });
}
type GaugeArguments = [
  registry: FigureRegistry,
  name: string,
  help: string,
  labelNames: readonly string[],
  collect: (set: SetFigure) => void,
];

/** What costs work to look at and several figures of a scrape need. */
export function once<T>(clock: Clock, look: () => T): () => T {
  let seen: { readonly at: number; readonly what: T } | undefined;
  return () => {
    const at = clock.mono();
    if (!seen || at - seen.at > SAME_SCRAPE_MS) seen = { at, what: look() };
    return seen.what;
  };
}
