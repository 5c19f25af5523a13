/** The SMTP door over the injector of a desk, in this thread or in one of its own: the same to a client. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Intake, InjectionDoor, InjectionRules, ProxyRefusal } from '../../../src/mta/ingress/index.ts';
import { createInjectionDoor, intakeOf, ReceivingThread } from '../../../src/mta/ingress/index.ts';
import { type Desk, openDesk } from './fixture.ts';

export type Way = 'one thread' | 'two threads';
export const WAYS: readonly Way[] = ['one thread', 'two threads'];

export const LOOPBACK = { address: '127.0.0.1', prefix: 32, family: 'ipv4' } as const;
export const USERS = new Map([
  ['all', { password: 'open sesame', senders: [], accounts: [] }],
  ['news', { password: 'secret', senders: ['news'], accounts: [] }],
  ['acme', { password: 'secret', senders: [], accounts: ['acme'] }],
  ['both', { password: 'secret', senders: [], accounts: ['acme', 'bolt'] }],
  ['empty', { password: '', senders: [], accounts: [] }],
]);

export interface Door {
  readonly desk: Desk;
  readonly port: number;
  readonly door: InjectionDoor;
  readonly rules: InjectionRules;
  /** What the thread died of, each time. */
  readonly deaths: unknown[];
  /** Connections without a PROXY header where one is needed. */
  readonly refusals: ProxyRefusal[];
}

export interface Wish {
  readonly offerAuth?: boolean;
  readonly maxRecipients?: number;
  readonly worker?: URL;
  /** Puts something between the door and the queue. */
  readonly around?: (intake: Intake) => Intake;
}

export async function openDoor(t: TestContext, way: Way, wish: Wish = {}): Promise<Door> {
  const { offerAuth = false, maxRecipients = 1_000, worker, around = (intake) => intake } = wish;
  const desk = await openDesk();
  const { queue, injector } = desk;
  const limits = { hostname: 'mta.test', maxMessageBytes: 10_000, maxRecipients };
  const rules = {
    relayFrom: offerAuth ? [] : [LOOPBACK],
    proxyProtocolFrom: [],
    xclientFrom: [],
    users: USERS,
    ...limits,
  };
  const deaths: unknown[] = [];
  const refusals: ProxyRefusal[] = [];
  const options = {
    rules,
    intake: around(intakeOf(injector, queue)),
    tls: undefined,
    offerAuth,
    onProxyRefused: (refusal: ProxyRefusal): void => void refusals.push(refusal),
    onError: (error: unknown): void => assert.fail(String(error)),
    numbers: queue.numbers,
    stopListInUse: queue.stopList.inUse,
    onRestart: (error: unknown): void => void deaths.push(error),
    ...(worker && { worker }),
  };
  const door = way === 'one thread' ? createInjectionDoor(options) : new ReceivingThread(options);
  t.after(() => door.close({ drainMs: 0 }));
  const bound = await door.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  return { desk, port: bound.value.port, door, rules, deaths, refusals };
}
