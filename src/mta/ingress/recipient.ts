/** One recipient's delivery: its times, and the way it goes, which the transaction that accepts it asks. */
import { domainOf, err, ok, type Result } from '../../core/index.ts';
import {
  lookingOnly,
  type MessageRecord,
  type NewDelivery,
  type StopEntry,
  type Turns,
  type Way,
} from '../../queue/index.ts';
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
  /** Of the recipient in the message, from 1. */
  readonly index: number;
  readonly recipient: string;
  readonly vars?: Readonly<Record<string, unknown>> | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly notBefore?: number | undefined;
  readonly deadline?: number | undefined;
  /** The stop list will end it: it takes no turn in a split. */
  readonly stopped?: boolean;
}

/** The lifetime counts from the time the mail may leave; `expires` overrides it. */
export function recipientDelivery(
  facts: RecipientFacts,
  input: RecipientInput,
): Result<NewDelivery, RoutingError> {
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
  const wakeAt = Math.max(facts.now ?? message.createdAt, input.notBefore ?? labels.notBefore ?? 0);
  const record = {
    recipient: input.recipient,
    wakeAt,
    ...(input.deadline !== undefined && { deadline: input.deadline }),
    attempts: [],
    vars: input.vars,
    metadata: input.metadata,
  };
  // A copy asks too, and goes the same way.
  let way: Way | undefined;
  const decide = (turns: Turns): Way => {
    const { sender, node, override } = routed.value(input.stopped ? lookingOnly(turns) : turns);
    return { sender: sender.name, node, override, expiresAt: labels.expires ?? wakeAt + sender.lifetimeMs };
  };
  return ok({ index: input.index, record, way: (turns) => (way ??= decide(turns)) });
}

/** Why the stop list does not let a recipient in, for the caller who may know. */
export function stoppedText({ kind, source, reason }: StopEntry): string {
  const why = reason === undefined ? source : `${source}: ${reason}`;
  return `the ${kind === 'address' ? 'address' : `address's ${kind}`} is on the stop list (${why})`;
}
