/** The receiving thread, which dies of an exception when it is told on the channel that the environment data name. */
import { BroadcastChannel, getEnvironmentData } from 'node:worker_threads';
import '../../src/mta/ingress/thread-worker.ts';

const channel = new BroadcastChannel(getEnvironmentData('mortal') as unknown as string);
channel.onmessage = (): void => {
  throw new Error('as it was told');
};
channel.unref();
