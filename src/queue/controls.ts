/**
 * Standing orders about sending: locks and states of nodes. The queue keeps them and does not read them: a value by its
 * key, changed together with the event that tells of it.
 */
import type { EventDraft, Work } from './committer.ts';
import { parseTextKey, textKey } from './keys.ts';
import { checkOps, type Kv, type Op } from './kv.ts';
import { type DamageTold, encode, healthy } from './records.ts';

export interface Control {
  readonly key: readonly string[];
  readonly value: unknown;
}

/** All that are stored and can be read. */
export function readControls(kv: Kv, told: DamageTold): readonly Control[] {
  const controls: Control[] = [];
  for (const { key, value } of kv.range('controls', {})) {
    const [kind = '', ...name] = parseTextKey(key);
    const read = healthy<unknown>(value);
    if (read === undefined) told(`the ${kind} of ${name.join(' ')}`, 'it holds no more: set it anew');
    else controls.push({ key: [kind, ...name], value: read });
  }
  return controls;
}

export interface ControlChange {
  readonly key: readonly string[];
  /** Undefined removes it. */
  readonly value: object | undefined;
  readonly event?: EventDraft;
  /** Key of the limiter state (LimitMark) that goes with it. */
  readonly forget?: string;
}

export const controlWork = ({ key, value, event, forget }: ControlChange): Work => ({
  build({ ops, events }) {
    const own: Op[] = [{ table: 'controls', key: textKey(...key), value: value && encode(value) }];
    if (forget !== undefined) own.push({ table: 'limits', key: textKey(forget), value: undefined });
    checkOps(own); // a throw rejects this work alone
    ops.push(...own);
    if (event) events.push(event);
  },
});
