/**
 * The receiving thread: SMTP, header work and checks of injected mail. It loads no store and no configuration; what it
 * knows was given at the start or by `configure`. An exception that nothing catches ends the thread, and its owner
 * starts another one (thread-door.ts).
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/index.ts';
import { createInjectionServer } from './smtp.ts';
import { ThreadIntake } from './thread-intake.ts';
import type { Call, Order, Report, ThreadData } from './thread-messages.ts';

const port = parentPort!;
const data = workerData as ThreadData;
let { rules } = data;

const report = (one: Report): void => port.postMessage(one);
const intake = new ThreadIntake(port, data, () => systemClock.now());
const server = createInjectionServer({
  rules: () => rules,
  intake,
  now: () => systemClock.now(),
  tls: data.tls,
  offerAuth: data.offerAuth,
  onProxyRefused: (refusal) => report({ kind: 'proxyRefused', refusal }),
  onError: (error, during) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    report({ kind: 'fault', error: text, during });
  },
});

async function run(call: Call): Promise<unknown> {
  switch (call.kind) {
    case 'listen':
      return server.listen(call.at);
    case 'configure':
      rules = call.rules;
      return undefined;
    case 'close':
      await server.close({ drainMs: call.drainMs });
      return undefined;
  }
}

port.on('message', (order: Order) => {
  if (order.kind === 'answers') return intake.answered(order);
  void run(order).then((value) => {
    report({ kind: 'done', call: order.call, value });
    // Nothing is left then that keeps the thread alive.
    if (order.kind === 'close') port.close();
  });
});
