/** Which rows and columns of something large are in view: only those are drawn, and asked for. */
import { useCallback, useLayoutEffect, useState } from 'preact/hooks';

/** Drawn beyond the edge, so that keys and slow scrolling meet no gap. */
const BEYOND = 3;

export interface Range {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

export interface View {
  readonly rows: Range;
  readonly columns: Range;
}

interface Sizes {
  readonly rowPx: number;
  readonly columnPx: number;
}

/** `key`: when it changes, what is shown is something else, and starts at its beginning. */
export function useView<E extends HTMLElement>(
  { rowPx, columnPx }: Sizes,
  key: string,
): { readonly region: (element: E | null) => void; readonly view: View; readonly onScroll: () => void } {
  // State and not a reference: what is empty at first is drawn later, and is measured then.
  const [element, region] = useState<E | null>(null);
  const [view, setView] = useState<View>({ rows: { from: 0, to: 20 }, columns: { from: 0, to: 14 } });
  const onScroll = useCallback(() => {
    if (!element) return;
    const rows = rangeOf(element.scrollTop, element.clientHeight, rowPx);
    const columns = rangeOf(element.scrollLeft, element.clientWidth, columnPx);
    setView((old) => (same(old.rows, rows) && same(old.columns, columns) ? old : { rows, columns }));
  }, [element, rowPx, columnPx]);
  useLayoutEffect(() => {
    if (!element) return;
    element.scrollTo(0, 0);
    onScroll();
    const resized = new ResizeObserver(onScroll);
    resized.observe(element);
    return () => resized.disconnect();
  }, [element, key, onScroll]);
  return { region, view, onScroll };
}

function rangeOf(scrolled: number, size: number, px: number): Range {
  const from = Math.max(0, Math.floor(scrolled / px) - BEYOND);
  return { from, to: Math.ceil((scrolled + size) / px) + BEYOND };
}

const same = (a: Range, b: Range): boolean => a.from === b.from && a.to === b.to;

/** What is in view of a part that starts at `start`. */
export function inView<T>(part: readonly T[], start: number, { from, to }: Range): Shown<T> {
  const first = Math.min(Math.max(from, start), start + part.length);
  const last = Math.max(first, Math.min(to, start + part.length));
  return { first, last, items: part.slice(first - start, last - start) };
}

export interface Shown<T> {
  readonly first: number;
  /** Not included. */
  readonly last: number;
  readonly items: readonly T[];
}

/** Whether a part has all that is in view of `count`. */
export const covers = (start: number, length: number, { from, to }: Range, count: number): boolean =>
  start <= Math.min(from, Math.max(0, count - 1)) && start + length >= Math.min(to, count);

/** The first rows at once, all after they have been painted. */
export function useGradually<T>(all: readonly T[], first: number): readonly T[] {
  const [ready, setReady] = useState(false);
  useLayoutEffect(() => {
    const frame = requestAnimationFrame(() => setTimeout(() => setReady(true)));
    return () => cancelAnimationFrame(frame);
  }, []);
  return ready ? all : all.slice(0, first);
}
