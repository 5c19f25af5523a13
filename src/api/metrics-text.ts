/**
 * Metrics that are read when somebody asks and may have thousands of lines. prom-client makes several objects for each
 * line; these are written as text at once, beside those that it keeps, and the event loop has a turn between two of them.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Registry } from 'prom-client';

/** `part`: of a histogram, the end of the name and the bound. */
export type SetFigure = (
  value: number,
  labels?: Readonly<Record<string, string>>,
  part?: { readonly end: '_bucket' | '_sum' | '_count'; readonly upTo?: number },
) => void;

export interface Figure {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly labelNames: readonly string[];
  /** Sets each value once. */
  readonly collect: (set: SetFigure) => void;
}

export class FigureRegistry extends Registry {
  readonly #figures = new Map<string, Figure>();

  get figures(): Iterable<Figure> {
    return this.#figures.values();
  }

  add(figure: Figure): void {
    if (this.#figures.has(figure.name) || this.getSingleMetric(figure.name))
      throw new Error(`the metric ${figure.name} is there already`);
    this.#figures.set(figure.name, figure);
  }

  override async metrics(): Promise<string> {
    let text = await super.metrics();
    for (const figure of this.#figures.values()) {
      await nextTurn();
      text += `\n${textOf(figure)}`;
    }
    return text;
  }
}

function textOf({ name, help, type, labelNames, collect }: Figure): string {
  let text = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
  collect((value, labels, part) => {
    let inside = '';
    if (labels)
      for (const label of labelNames) inside += `${inside && ','}${label}="${escaped(labels[label] ?? '')}"`;
    if (part?.upTo !== undefined) inside += `${inside && ','}le="${valueText(part.upTo)}"`;
    text += `${name}${part?.end ?? ''}${inside && `{${inside}}`} ${valueText(value)}\n`;
  });
  return text;
}

const escaped = (value: string): string =>
  /["\\\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
    : value;

const valueText = (value: number): string =>
  value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
