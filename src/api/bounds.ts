/** What a token that is bound to accounts or senders may see and touch. */
import { err, ok, type Result } from '../core/index.ts';
import type { FoundDelivery, Selector } from '../queue/index.ts';
import type { Caller } from './caller.ts';
import type { SelectorBody } from './schemas-operations.ts';
import type { Refused } from './refused.ts';

interface Owned {
  readonly account?: string | undefined;
  readonly sender?: string | undefined;
  readonly virtualSender?: string | undefined;
}

export const isBound = ({ accounts, senders }: Caller): boolean => (accounts ?? senders) !== undefined;

/** Whether the limits that it sets are an operator's: those stand against all who may only send, or touch only a part. */
export const setsAsOperator = (caller: Caller): boolean =>
  !isBound(caller) && (!caller.scopes || caller.scopes.has('operate') || caller.scopes.has('admin'));

/** Whether mail of that account and sender is the caller's. */
export function owns({ accounts, senders }: Caller, { account, sender, virtualSender }: Owned): boolean {
  if (accounts && !accounts.includes(account ?? '')) return false;
  return !senders || senders.includes(sender ?? '') || senders.includes(virtualSender ?? '');
}

export const ownsDelivery = (caller: Caller, { record, message }: FoundDelivery): boolean =>
  owns(caller, { account: message.accountId, sender: record.sender, virtualSender: message.virtualSender });

export const ownsSelector = (caller: Caller, { account, sender }: Selector): boolean =>
  owns(caller, { account, sender });

/** The account of new mail: what was given, or the only one that may be. */
export function accountFor(
  { name, accounts }: Caller,
  given: string | undefined,
): Result<string | undefined, Refused> {
  if (!accounts) return ok(given);
  if (given === undefined && accounts.length === 1) return ok(accounts[0]);
  if (given !== undefined && accounts.includes(given)) return ok(given);
  return err(forbidden('account_id', `the token ${name} may name ${accounts.join(', ')}`));
}

/** An operation must name an account and a sender of the caller; where there is only one, it need not. */
export function selectorFor(caller: Caller, selector: SelectorBody): Result<SelectorBody, Refused> {
  if (!isBound(caller)) return ok(selector);
  const account = accountFor(caller, selector.account_id);
  if (!account.ok) return account;
  const sender = senderFor(caller, selector.sender);
  if (!sender.ok) return sender;
  const { all: _, ...rest } = selector;
  return ok({
    ...rest,
    ...(account.value !== undefined && { account_id: account.value }),
    ...(sender.value !== undefined && { sender: sender.value }),
  });
}

export function senderFor(
  { name, senders }: Caller,
  given: string | undefined,
): Result<string | undefined, Refused> {
  if (!senders) return ok(given);
  if (given === undefined && senders.length === 1) return ok(senders[0]);
  if (given !== undefined && senders.includes(given)) return ok(given);
  return err(forbidden('sender', `the token ${name} may name ${senders.join(', ')}`));
}

/** Limits hold for all senders of a campaign, so a token that is bound to some sets none. */
export const limitsAllowed = ({ name, senders }: Caller): Result<void, Refused> =>
  senders
    ? err(
        forbidden(
          'limits',
          `the token ${name} is bound to some senders, and limits hold for all of a campaign`,
        ),
      )
    : ok(undefined);

export const forbidden = (field: string, message: string): Refused => ({
  status: 403,
  code: 'forbidden',
  message: `${field}: ${message}`,
  details: [{ field, message }],
});
