/** Splits that begin anew and are stored nowhere: to see how mail would be split. */
import type { Choose, Turns } from '../queue/index.ts';

export class FreshTurns implements Turns {
  readonly #owed = new Map<string, readonly number[]>();

  take(key: string, choose: Choose): number {
    const { index, owed } = choose(this.#owed.get(key));
    this.#owed.set(key, owed);
    return index;
  }

  look(key: string, choose: Choose): number {
    return choose(this.#owed.get(key)).index;
  }
}
