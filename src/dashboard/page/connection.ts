/** The live connection: opened again when it is lost, soon at first, then every few seconds. */
import type { EventDraft } from '../../queue/index.ts';
import type { Found, LiveMessage, Look, SessionView, Snapshot } from '../view.ts';

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;
/** A snapshot comes every second or so, a ping at least; silence for longer means that nobody is there. */
const SILENCE_MS = 20_000;
const EVENTS_KEPT = 300;

export type Link = 'connecting' | 'live' | 'lost' | 'refused';

export interface Picture {
  readonly link: Link;
  readonly snapshot: Snapshot | undefined;
  /** Newest first. */
  readonly events: readonly EventDraft[];
  readonly session: SessionView | undefined;
  /** The answer to the last search. */
  readonly found: Found | undefined;
}

export const NOTHING: Picture = {
  link: 'connecting',
  snapshot: undefined,
  events: [],
  session: undefined,
  found: undefined,
};

export class Connection {
  #picture: Picture = NOTHING;
  #look: Look = { grid: '', row: 0, column: 0, campaigns: '', campaign: 0 };
  readonly #show: (picture: Picture) => void;
  #socket: WebSocket | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #silence = 0;
  #again = 0;

  constructor(show: (picture: Picture) => void) {
    this.#show = show;
    void this.open();
  }

  /** Asks who we are, then connects. Also to be called after a sign-in or sign-out. */
  async open(): Promise<void> {
    window.clearTimeout(this.#again);
    this.#drop();
    const session = await fetch('/session')
      .then((answer) => (answer.ok ? (answer.json() as Promise<SessionView>) : undefined))
      .catch(() => undefined);
    if (!session) return this.#lost();
    const before = this.#picture.session;
    // What only those who have signed in may see goes with the sign-in.
    if (before?.signedIn !== session.signedIn)
      this.#set({ events: [], snapshot: undefined, found: undefined });
    this.#set({ session });
    if (!session.signedIn && !session.open) return this.#set({ link: 'refused', snapshot: undefined });
    this.#connect();
  }

  /** Searches for something else, or looks elsewhere; the answer comes with each snapshot until then. */
  look(change: Partial<Look>): void {
    const before = JSON.stringify(this.#look);
    this.#look = { ...this.#look, ...change };
    if (JSON.stringify(this.#look) !== before) this.#sendLook();
  }

  #sendLook(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(this.#look));
  }

  #connect(): void {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`);
    this.#socket = socket;
    this.#listenForSilence();
    socket.onopen = () => this.#sendLook();
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#pauseMs = FIRST_PAUSE_MS;
      this.#listenForSilence();
      this.#take(JSON.parse(String(data)) as LiveMessage);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
  }

  #take(message: LiveMessage): void {
    if (message.type === 'snapshot') this.#set({ link: 'live', snapshot: message.snapshot });
    else if (message.type === 'found') this.#set({ found: message.found });
    else {
      const events = [...message.events.toReversed(), ...this.#picture.events].slice(0, EVENTS_KEPT);
      this.#set({ events });
    }
  }

  #listenForSilence(): void {
    window.clearTimeout(this.#silence);
    this.#silence = window.setTimeout(() => this.#lost(), SILENCE_MS);
  }

  #lost(): void {
    this.#drop();
    this.#set({ link: 'lost' });
    this.#again = window.setTimeout(() => void this.open(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #drop(): void {
    window.clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #set(change: Partial<Picture>): void {
    this.#picture = { ...this.#picture, ...change };
    this.#show(this.#picture);
  }
}
