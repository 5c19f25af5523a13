/** What a refusal means for the mail: `class` steers the stop list and the statistics, `category` the rules. */
export type BounceClass = 'hard' | 'soft' | 'block' | 'other';

export type BounceCategory =
  | 'bad_mailbox'
  | 'bad_domain'
  | 'inactive_mailbox'
  | 'moved'
  | 'mailbox_full'
  | 'rate_limited'
  | 'greylisted'
  | 'connection_limit'
  | 'ip_blocked'
  | 'spam_content'
  | 'policy'
  | 'auth_failed'
  | 'sender_refused'
  | 'too_large'
  | 'virus'
  | 'relay_denied'
  | 'protocol'
  | 'system'
  | 'network'
  | 'dns'
  | 'tls'
  | 'expired'
  | 'other';

export interface Bounce {
  readonly class: BounceClass;
  readonly category: BounceCategory;
  /** Name of the bounce pattern that matched, if one did. */
  readonly pattern?: string;
  /** Name of the rule that decided, if one did. */
  readonly rule?: string;
}
