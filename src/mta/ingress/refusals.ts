/** What the injector refuses, in the words of both doors, and what it answers. */
import { err, formatAddress, messageIdOf, ok, parseAddress, type Result } from '../../core/index.ts';
import type { NewDelivery } from '../../queue/index.ts';
import type { Injected, InjectionRefusal, Labels, RejectedRecipient } from './contract.ts';
import { strayDeadline } from './labels.ts';

/** The reverse-path as it is stored: its domain as A-label. */
export function checkReversePath(from: string): Result<string, InjectionRefusal> {
  if (from === '') return ok(from);
  const address = parseAddress(from);
  return address.ok
    ? ok(formatAddress(address.value))
    : err(invalid('from', `the reverse-path: ${address.error}`, [550, '5.1.7']));
}

/** The labels of a request must fit together. */
export function checkDeadline({ deadline, band }: Labels): Result<undefined, InjectionRefusal> {
  const stray = strayDeadline(deadline, band);
  return stray === undefined ? ok(undefined) : err(invalid('deadline', stray, [550, '5.6.0']));
}

/** Insufficient system storage (RFC 5321 §4.2.3). */
export const unavailable = (text: string): InjectionRefusal => ({
  kind: 'unavailable',
  field: undefined,
  text,
  code: 452,
  enhanced: '4.3.1',
});

export const invalid = (
  field: string,
  text: string,
  [code, enhanced]: readonly [number, string],
): InjectionRefusal => ({
  kind: 'invalid',
  field,
  text,
  code,
  enhanced,
});

export function injectedOf(
  number: number,
  deliveries: readonly NewDelivery[],
  rejected: readonly RejectedRecipient[],
): Injected {
  const id = messageIdOf(number);
  return {
    messageId: id,
    deliveries: deliveries.map(({ index, record }) => ({
      id: `${id}.${index}` as Injected['deliveries'][number]['id'],
      recipient: record.recipient,
    })),
    rejected,
  };
}
