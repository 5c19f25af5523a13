/**
 * What goes between the thread that owns the queue and the one that receives. Mail goes in batches, as many as came in
 * one turn of the event loop: a message between threads costs about 7 us alone and 4 us among others. Contents are
 * transferred, not copied.
 */
import type { MessageId, Result } from '../../core/index.ts';
import type { ListenOptions, ServerTls } from '../smtp/index.ts';
import type { InjectionRefusal, PreparedMessage } from './contract.ts';
import type { InjectionRules, ProxyRefusal } from './smtp.ts';

/** What a thread is started with. */
export interface ThreadData {
  readonly rules: InjectionRules;
  readonly tls: ServerTls | undefined;
  readonly offerAuth: boolean;
  /** Queue.numbers */
  readonly numbers: SharedArrayBuffer;
  /** StopList.inUse */
  readonly stopListInUse: SharedArrayBuffer;
}

export interface Parcel {
  readonly ticket: number;
  readonly message: Omit<PreparedMessage, 'content'>;
  /** The content behind its checksum, and nothing else. */
  readonly sealed: ArrayBuffer;
}

export interface Question {
  readonly ticket: number;
  readonly recipient: string;
}

/** From the receiving thread. */
export type Report =
  | { readonly kind: 'mail'; readonly parcels: readonly Parcel[]; readonly questions: readonly Question[] }
  | { readonly kind: 'done'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'proxyRefused'; readonly refusal: ProxyRefusal }
  | { readonly kind: 'fault'; readonly error: unknown; readonly during: string };

/** What the receiving thread is told to do; each is answered with `done`. */
export type Call =
  | { readonly kind: 'listen'; readonly at: ListenOptions }
  | { readonly kind: 'configure'; readonly rules: InjectionRules }
  | { readonly kind: 'close'; readonly drainMs: number };

export interface Answers {
  readonly kind: 'answers';
  /** Tickets of messages that are durable under their own number. */
  readonly taken: readonly number[];
  readonly others: readonly {
    readonly ticket: number;
    readonly result: Result<MessageId, InjectionRefusal>;
  }[];
  readonly stopped: readonly { readonly ticket: number; readonly text: string | undefined }[];
}

/** To the receiving thread. */
export type Order = (Call & { readonly call: number }) | Answers;
