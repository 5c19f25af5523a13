/** What a report says of a failure (RFC 3464) as the refusal that it would have been in a session of our own. */
import type { Bounce, Refusal } from '../core/index.ts';
import { bounceOf, type Classifier } from './classifier.ts';
import { lineOf } from './pattern.ts';

export interface ReportedFailure {
  readonly replyCode: number | undefined;
  /** Enhanced status code. */
  readonly status: string | undefined;
  readonly diagnostic: string;
  readonly action: 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';
}

/** `notice`: what the report says to people; asked when the diagnostic says nothing that a pattern knows. */
export function classifyReported(
  classifier: Classifier,
  failure: ReportedFailure,
  { isp, notice = '' }: { readonly isp?: string; readonly notice?: string } = {},
): Bounce {
  const refusal = refusalOf(failure);
  const bounce = classifier.classify(refusal, isp);
  if (bounce.pattern !== undefined || notice === '') return bounce;
  const [said] = classifier.explain(lineOf(refusal.reply?.code, refusal.reply?.enhanced, notice), isp);
  return said ? bounceOf(said.pattern, refusal.permanent) : bounce;
}

/** Only `failed` can be permanent. A status of 4.x.x means that the other side gave up on a temporary refusal. */
function refusalOf({ replyCode, status, diagnostic, action }: ReportedFailure): Refusal {
  const temporary =
    action !== 'failed' || (replyCode === undefined ? status?.startsWith('4') : replyCode < 500);
  const code = replyCode ?? (temporary === true ? 450 : 550);
  return {
    scope: 'recipient',
    permanent: temporary !== true,
    phase: 'rcpt',
    reply: { code, enhanced: status, text: diagnostic },
    cause: undefined,
    text: 'reported by another mail system',
  };
}
