/**
 * Opens a session to the first host of a plan that answers: hosts by preference, each with its addresses of the
 * node's own family, the next one after a failure of scope `host` (RFC 5321 §5.1). The node's address is always the
 * source; without it nothing is opened.
 */
import { isIPv6 } from 'node:net';
import type { TlsMode } from '../../config/index.ts';
import { err, type Refusal, type Result } from '../../core/index.ts';
import { type ClientSession, openSession, type Timeouts } from '../smtp/index.ts';
import type { RoutePlan } from './plan.ts';

export interface ConnectOptions {
  readonly plan: RoutePlan;
  readonly localAddress: string;
  readonly heloName: string;
  readonly tls: TlsMode;
  readonly timeouts: Timeouts;
  readonly signal: AbortSignal;
}

/** Connections tried for one session before the destination is given a rest. */
const MAX_TRIES = 6;

export async function connect(options: ConnectOptions): Promise<Result<ClientSession, Refusal>> {
  const { plan, localAddress, heloName, tls, timeouts, signal } = options;
  let refusal: Refusal | undefined;
  let tries = 0;
  for (const host of plan.hosts()) {
    for (const address of host.addresses.filter((candidate) => isIPv6(candidate) === isIPv6(localAddress))) {
      if (++tries > MAX_TRIES || signal.aborted) break;
      const opened = await openSession({
        host: host.name,
        address,
        port: host.port,
        localAddress,
        heloName,
        tls,
        timeouts,
        signal,
      });
      if (opened.ok || opened.error.scope === 'node') return opened;
      refusal = { ...opened.error, text: `${host.name} [${address}]:${host.port}: ${opened.error.text}` };
    }
  }
  return err(refusal ?? noAddress(plan, localAddress));
}

const noAddress = (plan: RoutePlan, localAddress: string): Refusal => ({
  scope: 'host',
  permanent: false,
  phase: 'connect',
  reply: undefined,
  cause: 'connect',
  text: `no address of ${plan.hostNames.join(', ')} can be reached from ${localAddress} (IPv4 against IPv6)`,
});
