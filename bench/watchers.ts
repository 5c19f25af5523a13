/** Open status pages without a browser, in a process of their own: signed in, each reads all that it is sent. */
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { answerJobs } from './child.ts';

export interface WatcherJobs {
  /** Signs in, opens so many connections, and answers when each has had its first picture. */
  readonly open: {
    readonly job: { readonly port: number; readonly token: string; readonly count: number };
    readonly answer: object;
  };
  /** Closes them; answers what they were sent since. */
  readonly close: { readonly job: object; readonly answer: Watched };
}

export interface Watched {
  readonly messages: number;
  readonly bytes: number;
}

let open: WebSocket[] = [];
let [messages, bytes] = [0, 0];

answerJobs<WatcherJobs>({
  open: async ({ port, token, count }) => {
    const origin = `http://127.0.0.1:${port}`;
    const cookie = await signIn(origin, token);
    [messages, bytes] = [0, 0];
    open = Array.from({ length: count }, () => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/live`, { origin, headers: { cookie } });
      socket.on('message', (data: Buffer) => {
        messages++;
        bytes += data.length;
      });
      return socket;
    });
    await Promise.all(open.map((socket) => once(socket, 'message')));
    return {};
  },
  close: async () => {
    const closed = open.map((socket) => once(socket, 'close'));
    for (const socket of open) socket.close();
    await Promise.all(closed);
    return { messages, bytes };
  },
});

async function signIn(origin: string, token: string): Promise<string> {
  const answer = await fetch(`${origin}/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'postrider-page': '1', origin },
    body: JSON.stringify({ token }),
  });
  const cookie = answer.headers.get('set-cookie');
  if (cookie === null) throw new Error(`the sign-in was answered ${answer.status}`);
  return cookie.split(';')[0]!;
}
