/** The hour by minutes. Colours come from the style sheet, so they follow the theme. */
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import type { Series } from '../view.ts';
import { useSpeech } from './speech.ts';

const LINES = ['delivered', 'soft', 'hard', 'complaints'] as const;
const HEIGHT = 220;
/** Shown of a server that has just started. */
const LEAST_STEPS = 15;

interface ChartProps {
  readonly hour: Series;
  /** Of what was before nothing is known. */
  readonly started: number;
  readonly theme: string;
}

export function Chart({ hour, started, theme }: ChartProps) {
  const speech = useSpeech();
  const { say } = speech;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  useEffect(() => {
    const element = place.current!;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(options(element.clientWidth, say), dataOf(hour, started), element);
    };
    draw();
    const resize = new ResizeObserver(() => {
      if (plot.current?.width !== element.clientWidth)
        plot.current?.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    resize.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);
    return () => {
      resize.disconnect();
      dark.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [speech, theme]);
  useEffect(() => plot.current?.setData(dataOf(hour, started)), [hour]);
  return (
    <section class="panel chart">
      <h2>
        {say('throughput')} <span class="small muted">{say('perMinute')}</span>
      </h2>
      <div ref={place} />
    </section>
  );
}

/**
 * The minute under way is not full yet and would look like a fall, so it is left out once there is another one. The
 * minute before the start is shown as none, so that the first one has a line that leads to it; what was before that is
 * left out, unless too little would be left.
 */
function dataOf({ from, stepMs, ...series }: Series, started: number): uPlot.AlignedData {
  const all = series.delivered.length;
  const first = Math.floor((started - from) / stepMs) - 1;
  const steps = first < all - 2 ? all - 1 : all;
  const begin = Math.max(0, Math.min(first, steps - LEAST_STEPS));
  const times = Array.from({ length: steps - begin }, (_, i) => (from + (begin + i) * stepMs) / 1000);
  const known = (values: readonly number[]): (number | null)[] =>
    values.slice(begin, steps).map((value, i) => (begin + i < first ? null : value));
  return [times, ...LINES.map((name) => known(series[name]))];
}

const last = (u: uPlot): void => u.setLegend({ idx: u.data[0].length - 1 }, false);

/** As the canvas wants it: the colour of an element in this theme, not the text of the property. */
function colour(name: string): string {
  const probe = document.body.appendChild(document.createElement('i'));
  probe.style.color = `var(--${name})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function options(width: number, say: (word: (typeof LINES)[number] | 'time') => string): uPlot.Options {
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line') },
    font: '12px system-ui',
  };
  return {
    width,
    height: HEIGHT,
    cursor: { y: false },
    // The legend says the values of the minute under the pointer, else of the last one.
    hooks: {
      setCursor: [(u) => u.cursor.idx ?? last(u)],
      setData: [(u) => u.cursor.idx ?? last(u)],
      ready: [last],
    },
    scales: { y: { range: (_, __, max) => [0, Math.max(10, max * 1.1)] } },
    axes: [
      {
        ...axis,
        values: (_, ticks) => ticks.map((tick) => new Date(tick * 1000).toTimeString().slice(0, 5)),
      },
      { ...axis, size: 56 },
    ],
    series: [
      {
        value: (_, at) => (at === null ? '' : new Date(at * 1000).toTimeString().slice(0, 5)),
        label: say('time'),
      },
      ...LINES.map((name) => ({
        label: say(name),
        stroke: colour(name),
        width: 2,
        points: { show: false },
        ...(name === 'delivered' && { fill: colour('delivered-fill') }),
      })),
    ],
  };
}
