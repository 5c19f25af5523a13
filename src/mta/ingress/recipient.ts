/** One recipient's delivery: routed, with its times. */
import { domainOf, err, ok, type Result } from '../../core/index.ts';
import type { DeliveryRecord, MessageRecord, StopEntry } from '../../queue/index.ts';
import type { Router, RoutingError } from '../../routing/index.ts';
import type { Labels } from './contract.ts';

export interface RecipientFacts {
  readonly router: Router;
  readonly message: MessageRecord;
  readonly labels: Labels;
  readonly allowed: readonly string[] | undefined;
  /** Wall time (ms) from which the lifetime counts; default: the acceptance of the message. */
  readonly now?: number;
}

export interface RecipientInput {
  readonly recipient: string;
  readonly vars?: Readonly<Record<string, unknown>> | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly notBefore?: number | undefined;
  readonly deadline?: number | undefined;
}

/** The lifetime counts from the time the mail may leave; `expires` overrides it. */
export function recipientRecord(
  facts: RecipientFacts,
  input: RecipientInput,
): Result<DeliveryRecord, RoutingError> {
  const { router, message, labels, allowed } = facts;
  const routed = router.route({
    sender: labels.sender,
    virtualSender: labels.virtualSender,
    allowed,
    group: labels.group,
    fromDomain: message.fromDomain,
    fromEmail: message.fromAddress,
    toDomain: domainOf(input.recipient),
    recipient: input.recipient,
    ...(message.test && { test: true }),
  });
  if (!routed.ok) return err(routed.error);
  const { sender, node, override } = routed.value;
  const wakeAt = Math.max(facts.now ?? message.createdAt, input.notBefore ?? labels.notBefore ?? 0);
  return ok({
    recipient: input.recipient,
    sender: sender.name,
    node,
    wakeAt,
    expiresAt: labels.expires ?? wakeAt + sender.lifetimeMs,
    ...(input.deadline !== undefined && { deadline: input.deadline }),
    attempts: [],
    vars: input.vars,
    metadata: input.metadata,
    override,
  });
}

/** Why the stop list does not let a recipient in, for the caller who may know. */
export function stoppedText({ kind, source, reason }: StopEntry): string {
  const why = reason === undefined ? source : `${source}: ${reason}`;
  return `the ${kind === 'address' ? 'address' : `address's ${kind}`} is on the stop list (${why})`;
}
