/** Classification of refusals. */
import { Classifier } from '../../src/bounce/index.ts';
import type { Refusal } from '../../src/core/index.ts';
import { refusals } from '../refusals.ts';
import type { Part } from './index.ts';

const VARIED = refusals(4_096);
const classifier = new Classifier();
let at = 0;
const next = (): Refusal => VARIED[at++ % VARIED.length]!;

export const BOUNCE: readonly Part[] = [
  {
    name: 'bounce-classify',
    work: 'class, category and pattern of a refusal',
    run: () => classifier.classify(next()),
    limit: { work: 'one native search of the text', run: () => /no such mailbox/i.test(next().text) },
  },
];
