/** Bounces without a machine-readable part: the recipients and what is said of each, read from the notice. */
import { addressesIn } from './addresses.ts';
import { bestStatus, replyCodeIn, statusIn, tidyLine } from './reply-text.ts';
import type { DsnRecipient } from './types.ts';

export interface TextBounce {
  readonly notice: string;
  readonly subject: string;
  /** X-Failed-Recipients. */
  readonly failed: readonly string[];
  /** Addresses that are not the recipient: of the report's own header. */
  readonly own: ReadonlySet<string>;
  readonly originalTo: readonly string[];
}

const MAX_RECIPIENTS = 100;

export function readTextBounce(bounce: TextBounce): DsnRecipient[] {
  const found = recipientsIn(bounce);
  const lower = bounce.notice.toLowerCase();
  return found.slice(0, MAX_RECIPIENTS).map((address) => {
    const at = lower.indexOf(address.toLowerCase());
    const later = found
      .map((one) => lower.indexOf(one.toLowerCase(), at + address.length))
      .filter((place, i) => place > at && found[i] !== address);
    const said =
      at < 0 ? bounce.notice : bounce.notice.slice(at + address.length, Math.min(...later, at + 4_000));
    return toRecipient(address, said);
  });
}

function recipientsIn(bounce: TextBounce): string[] {
  if (bounce.failed.length > 0) return [...bounce.failed];
  const alone = bounce.notice
    .split('\n')
    .filter((line) => /^[\s>*"'<([-]*\S+@[\w.-]+[>"')\]]*[\s:;,.]*$/u.test(line))
    .flatMap((line) => addressesIn(line, 1))
    .filter((address) => !bounce.own.has(address));
  if (alone.length > 0) return [...new Set(alone)];
  const named = addressesIn(bounce.notice).filter((address) => !bounce.own.has(address));
  return named.length > 0 ? named.slice(0, 1) : bounce.originalTo.slice(0, 1);
}

function toRecipient(address: string, said: string): DsnRecipient {
  const diagnostic = tidyLine(said.replace(/^[>"')\]\s:;,.]+/, ''));
  return {
    address,
    original: undefined,
    final: address,
    action: 'failed',
    status: bestStatus(statusIn(diagnostic), diagnostic),
    replyCode: replyCodeIn(diagnostic),
    diagnostic,
    remoteMta: undefined,
  };
}
