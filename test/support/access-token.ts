import type { AccessToken, Scope } from '../../src/api/index.ts';

export const tokenOf = (
  name: string,
  secret: string,
  scopes: readonly Scope[],
  more: Partial<Pick<AccessToken, 'accounts' | 'senders' | 'rate'>> = {},
): AccessToken => ({ name, secret, scopes, accounts: [], senders: [], rate: null, ...more });
