/** The class that a category usually means, and the class that AKMTA's three types mean. */
import type { BounceCategory, BounceClass } from '../core/index.ts';

export const CLASS_OF: Readonly<Record<BounceCategory, BounceClass>> = {
  bad_mailbox: 'hard',
  bad_domain: 'hard',
  inactive_mailbox: 'other',
  moved: 'hard',
  mailbox_full: 'soft',
  rate_limited: 'soft',
  greylisted: 'soft',
  connection_limit: 'soft',
  ip_blocked: 'block',
  spam_content: 'block',
  policy: 'block',
  auth_failed: 'block',
  sender_refused: 'block',
  too_large: 'other',
  virus: 'block',
  relay_denied: 'block',
  protocol: 'other',
  system: 'soft',
  network: 'soft',
  dns: 'soft',
  tls: 'soft',
  expired: 'soft',
  other: 'other',
};

export const BOUNCE_CLASSES: readonly BounceClass[] = ['hard', 'soft', 'block', 'other'];
export const BOUNCE_CATEGORIES = Object.keys(CLASS_OF) as readonly BounceCategory[];

/** AKMTA: HB the mailbox does not exist, SB temporary, B another failure. */
export type PatternType = 'HB' | 'SB' | 'B';

export const PATTERN_TYPES: readonly PatternType[] = ['HB', 'SB', 'B'];

export const typeOf = (bounceClass: BounceClass): PatternType =>
  bounceClass === 'hard' ? 'HB' : bounceClass === 'soft' ? 'SB' : 'B';
