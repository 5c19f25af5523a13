/**
 * Standing orders about sending: locks and states of nodes. The queue keeps them and does not read them: a value by its
 * key, changed together with the event that tells of it.
 */
import type { EventDraft, Work } from './committer.ts';
import { parseTextKey, textKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { decode, encode } from './records.ts';

export interface Control {
  readonly key: readonly string[];
  readonly value: unknown;
}

/** All that are stored. Throws DamagedValue. */
export const readControls = (kv: Kv): readonly Control[] =>
  [...kv.range('controls', {})].map(({ key, value }) => ({ key: parseTextKey(key), value: decode(value) }));

export interface ControlChange {
  readonly key: readonly string[];
  /** Undefined removes it. */
  readonly value: object | undefined;
  readonly event?: EventDraft;
}

export const controlWork = ({ key, value, event }: ControlChange): Work => ({
  build({ ops, events }) {
    ops.push({ table: 'controls', key: textKey(...key), value: value && encode(value) });
    if (event) events.push(event);
  },
});
