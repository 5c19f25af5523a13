/** The receiver in a process of its own: the sink of the test bed, which takes all mail, counts it and forgets it. */
import { startSink } from '../src/testbed/index.ts';
import { answerJobs } from './child.ts';

export interface Arrived {
  readonly messages: number;
  readonly duplicates: number;
  /** Wall time of the last message, ms since the epoch with fractions. */
  readonly lastAtMs: number;
  readonly sessionsMax: number;
  /** True when the first message had a DKIM-Signature field. */
  readonly signed: boolean;
}

export interface ReceiverJobs {
  readonly listen: { readonly job: object; readonly answer: { readonly port: number } };
  /** Answers when so many messages have arrived since the start, or at the deadline with what is there. */
  readonly until: {
    readonly job: { readonly messages: number; readonly deadlineMs: number };
    readonly answer: Arrived;
  };
}

let lastAtMs = 0;
const sink = await startSink({
  keep: 1,
  onMessage: () => {
    lastAtMs = performance.timeOrigin + performance.now();
  },
});

answerJobs<ReceiverJobs>({
  listen: () => Promise.resolve({ port: sink.port }),
  until: async ({ messages: wanted, deadlineMs }) => {
    await sink.until((stats) => stats.messages >= wanted, deadlineMs);
    const { messages, duplicates, sessionsMax } = sink.stats();
    const first = sink.messages[0]?.content.toString('latin1') ?? '';
    return { messages, duplicates, sessionsMax, lastAtMs, signed: /^DKIM-Signature:/im.test(first) };
  },
});
