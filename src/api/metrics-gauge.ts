/** A gauge that is read when somebody asks. */
import { Gauge, type Registry } from 'prom-client';

export const PREFIX = 'postrider_';

export type SetGauge = (value: number, labels?: Record<string, string>) => void;

// prom-client wants the label names as the fourth thing a gauge is made of, so this takes all of them.
export function gauge(...[registry, name, help, labelNames, collect]: GaugeArguments): void {
  const made: Gauge = new Gauge({
    name: `${PREFIX}${name}`,
    help,
    labelNames,
    registers: [registry],
    collect: () => {
      made.reset();
      collect((value, labels = {}) => made.set(labels, value));
    },
  });
}
type GaugeArguments = [
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  collect: (set: SetGauge) => void,
];
