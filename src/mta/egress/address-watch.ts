/** Whether an address is on this machine: a datagram socket can be bound to it. Nothing is sent. */
import { createSocket } from 'node:dgram';
import { isOurLack } from '../smtp/index.ts';

/** Undefined: it could not be tried, for a lack of descriptors, ports or memory. */
export function addressAvailable(address: string): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(isOurLack(error.code) ? undefined : false);
    });
    socket.bind(0, address, () => socket.close(() => resolve(true)));
  });
}
