/**
 * An answer to an idempotency key, made anew when it is damaged. That the key was used is known by the damaged value
 * itself, so its request must not be accepted once more: its mark tells the message, the message what was accepted.
 */
import { messageIdOf, timeOfMessageNumber } from '../core/index.ts';
import { answerOps, hasLines, type KeyedAnswer } from './answers.ts';
import { numberKey, parseDeliveryKey } from './keys.ts';
import { deliveriesOf, type FoundDelivery } from './lookup.ts';
import { healthy, type SharedMessage, unseal } from './records.ts';
import type { QueueState } from './state.ts';

/** What is still known of the first request. */
export interface Traces {
  readonly number: number;
  /** Wall time (ms). */
  readonly at: number;
  /** A batch that has committed lines; then `deliveries` is empty. */
  readonly batch: boolean;
  /** Those that are kept and can be read. */
  readonly deliveries: readonly FoundDelivery[];
}

/** Of the newest request under the key; undefined when its mark is damaged too. At most `limit` deliveries. */
export function tracesOf(state: QueueState, key: string, limit: number): Traces | undefined {
  const number = numberOf(state, key);
  if (number === undefined) return undefined;
  const batch = hasLines(state, number);
  const deliveries = batch ? [] : deliveriesOf(state, number, limit);
  const stored = state.kv.get('messages', numberKey(number));
  const message = (stored && healthy<SharedMessage>(stored)?.message) ?? deliveries[0]?.message;
  return { number, at: message?.createdAt ?? timeOfMessageNumber(number), batch, deliveries };
}

/** Puts an answer in the place of the damaged one. Where that cannot be stored it is made anew the next time as well. */
export async function mendAnswer(state: QueueState, key: string, answer: KeyedAnswer): Promise<void> {
  state.report('error', 'damage in the store', {
    what: `the answer of message ${messageIdOf(answer.number)} to its idempotency key`,
    consequence: 'it is made anew from what is kept of the message',
  });
  try {
    await state.committer.submit({ build: ({ ops }) => void ops.push(...answerOps(key, answer)) });
  } catch (error) {
    state.report('error', 'an answer that was made anew could not be stored', { error });
  }
}

function numberOf({ kv }: QueueState, key: string): number | undefined {
  const wanted = Buffer.from(key);
  for (const { key: place, value } of kv.range('lines', { reverse: true })) {
    const { number, index } = parseDeliveryKey(place);
    if (index === 0 && isMarkOf(value, wanted)) return number;
  }
  return undefined;
}

function isMarkOf(value: Buffer, key: Buffer): boolean {
  try {
    return unseal(value).equals(key);
  } catch {
    return false;
  }
}
