/** Whether an address is on this machine: a datagram socket can be bound to it. Nothing is sent. */
import { createSocket } from 'node:dgram';

export function addressAvailable(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind(0, address, () => socket.close(() => resolve(true)));
  });
}
