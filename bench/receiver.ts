/** The receiver in a process of its own: the sink of the test bed, which takes all mail, counts it and forgets it. */
import { parseSinkRule, type Sink, startSink } from '../src/testbed/index.ts';
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
  /** `rules`: how it misbehaves, in the text form of the sink. */
  readonly listen: {
    readonly job: { readonly rules: readonly string[] };
    readonly answer: { readonly port: number };
  };
  /** Answers when so many messages have arrived since the start, or at the deadline with what is there. */
  readonly until: {
    readonly job: { readonly messages: number; readonly deadlineMs: number };
    readonly answer: Arrived;
  };
}

let lastAtMs = 0;
let sink: Sink | undefined;

answerJobs<ReceiverJobs>({
  listen: async ({ rules }) => {
    sink = await startSink({
      keep: 1,
      rules: rules.map((text) => {
        const rule = parseSinkRule(text);
        if (!rule.ok) throw new Error(`${text}: ${rule.error}`);
        return rule.value;
      }),
      onMessage: () => {
        lastAtMs = performance.timeOrigin + performance.now();
      },
    });
    return { port: sink.port };
  },
  until: async ({ messages: wanted, deadlineMs }) => {
    await sink!.until((stats) => stats.messages >= wanted, deadlineMs);
    const { messages, duplicates, sessionsMax } = sink!.stats();
    const first = sink!.messages[0]?.content.toString('latin1') ?? '';
    return { messages, duplicates, sessionsMax, lastAtMs, signed: /^DKIM-Signature:/im.test(first) };
  },
});
