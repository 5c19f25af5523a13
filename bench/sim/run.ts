/** `npm run bench:sim`: plays all models, writes a plot for each and the page with the figures. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Figures, figuresOf } from './figures.ts';
import { type Courses, plot } from './plot.ts';
import { type Model, MODELS, sceneOf } from './scenes.ts';
import { type Reaction, REACTIONS } from './sender.ts';
import { simulate } from './simulate.ts';

const HERE = import.meta.dirname;
const whole = (value: number): string => Math.round(value).toLocaleString('en');

const METHOD = `Virtual time. The lane is the real one: limiter, adaptive speed, session limit, warm-up; so are the classification of replies,
the shipped rules, what they decide, locks and their probes, and the retry rules. The receivers are models ([sim/receivers.ts](sim/receivers.ts)); there is always mail, and what is refused comes
again as the shipped rules say. **fixed**: the strategy's speed whatever is said. **backoff**: a reply of trouble switches to
a tenth of the speed and of the sessions for an hour, as PowerMTA's backoff mode is usually set. **adaptive**: \`adaptive: true\`
with its defaults and the effects of the shipped rules (slow down, lock), the same for all receivers. Capacity: what the receiver would take from somebody who knows its rule.
Recovery: from the end of the block to 80 % of the capacity. Fairness: Jain's index of what the nodes delivered in the second half.`;

function page(
  results: readonly { readonly model: Model; readonly figures: ReadonlyMap<Reaction, Figures> }[],
): string {
  const head = [
    '| receiver | reaction | delivered/h | of capacity | refused attempts | given up | recovery | fairness |',
  ];
  head.push('|---|---|--:|--:|--:|--:|--:|--:|');
  const rows = results.flatMap(({ model, figures }) =>
    [...figures].map(([reaction, one]) => row(model, reaction, one)),
  );
  const titles = results.map(({ model }) => `- [${model.name}](sim/${model.name}.svg): ${model.title}`);
  return `# Simulated receivers\n\nWritten by \`npm run bench:sim\`; do not edit.\n\n${METHOD}\n\n${titles.join('\n')}\n\n${[...head, ...rows].join('\n')}\n`;
}

function row(model: Model, reaction: Reaction, one: Figures): string {
  const recovery =
    one.recoveryMinutes === undefined
      ? ''
      : one.recoveryMinutes === Infinity
        ? 'never'
        : `${one.recoveryMinutes} min`;
  const cells = [
    model.name,
    reaction,
    whole(one.deliveredPerHour),
    `${((one.deliveredPerHour / one.capacityPerHour) * 100).toFixed(1)} %`,
    `${whole(one.refused)} (${(one.refusedShare * 100).toFixed(2)} %)`,
    whole(one.lost),
    recovery,
    model.nodes.length > 1 ? one.fairness.toFixed(3) : '',
  ];
  return `| ${cells.join(' | ')} |`;
}

mkdirSync(HERE, { recursive: true });
const results = MODELS.map((model) => {
  const courses: Courses = new Map(REACTIONS.map((one) => [one, simulate(sceneOf(model, one))]));
  writeFileSync(join(HERE, `${model.name}.svg`), plot(model, courses));
  const figures = new Map([...courses].map(([one, course]) => [one, figuresOf(course, model.blockEnds)]));
  console.log(`${model.name} done`);
  return { model, figures };
});
writeFileSync(join(HERE, '..', 'SIM.md'), page(results));
