/** One SMTP session, word by word, up to the answer to RCPT; no mail is sent. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls, type TLSSocket } from 'node:tls';

const WAIT_MS = 30_000;
const MAX_LINES = 200;

export interface Way {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  /** The address it goes out from. */
  readonly from: string;
  readonly hostname: string;
  /** Whether STARTTLS is tried where it is offered. */
  readonly tls: boolean;
  readonly mail?: { readonly from: string; readonly to: string } | undefined;
}

export interface Spoken {
  /** Since the start. */
  readonly ms: number;
  readonly who: 'us' | 'them' | 'note';
  readonly text: string;
}

export interface Dialogue {
  readonly lines: readonly Spoken[];
  /** Why it ended before its end. */
  readonly problem?: string | undefined;
}

interface Reply {
  readonly code: number;
  readonly lines: readonly string[];
}

class Session {
  readonly lines: Spoken[] = [];
  readonly #start = performance.now();
  readonly #way: Way;
  #socket: Socket;
  #input: AsyncIterator<string>;

  constructor(way: Way) {
    this.#way = way;
    const localAddress = way.from;
    this.#socket = connect({ host: way.address, port: way.port, localAddress });
    this.#input = linesOf(this.#socket);
  }

  note(text: string, who: Spoken['who'] = 'note'): void {
    this.lines.push({ ms: Math.round(performance.now() - this.#start), who, text });
  }

  async reply(): Promise<Reply> {
    const lines: string[] = [];
    for (;;) {
      const next = await this.#input.next();
      if (next.done === true) throw new Error('the receiver closed the connection');
      const line = next.value;
      this.note(line, 'them');
      lines.push(line);
      const match = /^(\d{3})([ -]|$)/.exec(line);
      if (!match || lines.length > MAX_LINES) throw new Error('this is no SMTP reply');
      if (match[2] !== '-') return { code: Number(match[1]), lines };
    }
  }

  say(command: string): Promise<Reply> {
    this.note(command, 'us');
    this.#socket.write(`${command}\r\n`);
    return this.reply();
  }

  async startTls(): Promise<void> {
    const socket: TLSSocket = connectTls({
      socket: this.#socket,
      servername: this.#way.host,
      rejectUnauthorized: false,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    this.#socket = socket;
    this.#input = linesOf(socket);
    const { subject, valid_to: until } = socket.getPeerCertificate();
    const valid = socket.authorized ? 'valid' : `not valid (${String(socket.authorizationError)})`;
    const whose = Array.isArray(subject?.CN) ? subject.CN.join(', ') : subject?.CN;
    this.note(
      `${socket.getProtocol() ?? ''} ${socket.getCipher().name}, certificate of ${whose ?? 'nobody'} until ${until}, ${valid}`,
    );
  }

  end(): void {
    this.#socket.destroy();
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string, void, void> {
  socket.setTimeout(WAIT_MS, () => socket.destroy(new Error(`nothing came for ${WAIT_MS / 1000} s`)));
  const failure = new Promise<never>((_, reject) => socket.once('error', reject));
  failure.catch(() => undefined);
  const input = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (;;) {
    const next = await Promise.race([input.next(), failure]);
    if (next.done === true) return;
    yield next.value;
  }
}

export async function dialogue(way: Way): Promise<Dialogue> {
  const session = new Session(way);
  session.note(`${way.from} -> ${way.host} [${way.address}]:${way.port}`);
  try {
    return { lines: session.lines, problem: await speak(session, way) };
  } catch (error) {
    return { lines: session.lines, problem: (error as Error).message };
  } finally {
    session.end();
  }
}

async function speak(session: Session, { hostname, tls, mail }: Way): Promise<string | undefined> {
  const refusal = ({ code, lines }: Reply, during: string): string | undefined =>
    code >= 400 ? `${during} was refused: ${lines.at(-1) ?? code}` : undefined;
  const greeting = refusal(await session.reply(), 'the connection');
  if (greeting !== undefined) return greeting;
  let ehlo = await session.say(`EHLO ${hostname}`);
  if (tls && ehlo.lines.some((line) => /^250[ -]STARTTLS\b/i.test(line))) {
    const start = await session.say('STARTTLS');
    if (start.code === 220) {
      await session.startTls();
      ehlo = await session.say(`EHLO ${hostname}`);
    }
  }
  const refused = refusal(ehlo, 'EHLO') ?? (mail && (await envelope(session, mail, refusal)));
  await session.say('QUIT').catch(() => undefined);
  return refused;
}

async function envelope(
  session: Session,
  { from, to }: NonNullable<Way['mail']>,
  refusal: (reply: Reply, during: string) => string | undefined,
): Promise<string | undefined> {
  const sender = refusal(await session.say(`MAIL FROM:<${from}>`), 'the sender');
  if (sender !== undefined) return sender;
  const recipient = refusal(await session.say(`RCPT TO:<${to}>`), 'the recipient');
  await session.say('RSET').catch(() => undefined);
  return recipient;
}
