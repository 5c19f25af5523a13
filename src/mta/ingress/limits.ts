/** Which sending policies hold for a message, by its labels. */
import type { PolicyConfig } from '../../config/index.ts';
import type { MessageRecord, SendLimit } from '../../queue/index.ts';

/** Undefined when none does. */
export function limitsOf(
  policies: readonly PolicyConfig[],
  { accountId: account, campaignId: campaign, group, band, test }: MessageRecord,
): readonly SendLimit[] | undefined {
  if (test) return undefined;
  const labels = { account, campaign, group };
  const limits: SendLimit[] = [];
  for (const { name: policy, max, windowMs, per, only, bands } of policies) {
    const scope = labels[per];
    if (scope === undefined || !bands.includes(band) || only?.includes(scope) === false) continue;
    // A campaign or group is one of its account: no other account may use up what is counted.
    const counted = per === 'account' || account === undefined ? scope : `${account}\0${scope}`;
    limits.push({ policy, scope: counted, max, windowMs });
  }
  return limits.length > 0 ? limits : undefined;
}
