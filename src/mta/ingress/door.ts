/** The SMTP door of injection as its owner sees it, wherever it runs: in this thread (here), or in one of its own. */
import { ok, type Result, systemClock } from '../../core/index.ts';
import type { Queue } from '../../queue/index.ts';
import type { BoundAddress, ListenOptions, ServerTls } from '../smtp/index.ts';
import type { Intake } from './contract.ts';
import type { QueueInjector } from './injector.ts';
import { stoppedText } from './recipient.ts';
import { createInjectionServer, type InjectionRules, type ProxyRefusal } from './smtp.ts';

export interface InjectionDoor {
  /** May be called for several addresses. The error is one sentence. */
  listen(at: ListenOptions): Promise<Result<BoundAddress, string>>;
  /** Resolves when no session goes by the old rules any more. */
  configure(rules: InjectionRules): Promise<void>;
  /** Resolves when the last session has ended, after `drainMs` at most. A second call may shorten the first. */
  close(options: { readonly drainMs: number }): Promise<void>;
  /** Why no mail can come in; undefined when it can. */
  readonly down: string | undefined;
}

export interface DoorOptions {
  readonly rules: InjectionRules;
  readonly intake: Intake;
  readonly tls: ServerTls | undefined;
  readonly offerAuth: boolean;
  readonly onProxyRefused: (refusal: ProxyRefusal) => void;
  readonly onError: (error: unknown, during: string) => void;
}

export function createInjectionDoor({ rules: first, ...options }: DoorOptions): InjectionDoor {
  let rules = first;
  const server = createInjectionServer({ ...options, rules: () => rules, now: () => systemClock.now() });
  return {
    listen: (at) => server.listen(at),
    configure: (next) => {
      rules = next;
      return Promise.resolve();
    },
    close: (how) => server.close(how),
    down: undefined,
  };
}

/** What the door asks of the thread that owns the queue, in that thread. */
export function intakeOf(injector: Pick<QueueInjector, 'submit'>, queue: Queue): Intake {
  return {
    nextNumber: () => queue.nextNumber(),
    submit: async (message) => {
      const injected = await injector.submit(message);
      return injected.ok ? ok(injected.value.messageId) : injected;
    },
    stopped: (recipient) => {
      const entry = queue.stopList.find(recipient, undefined);
      return entry && stoppedText(entry);
    },
  };
}
