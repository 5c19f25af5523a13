/**
 * For tests: the process kills itself around one of its commits, where a signal from outside would hardly ever hit.
 * Nothing of this is there unless the environment asks for it.
 */
import type { Kv } from './kv.ts';

/** `before`: nothing is written; `issued`: the store has the operations; `after`: durable, and nobody was told. */
type Point = 'before' | 'issued' | 'after';

/** `issued:12` is the 12th commit of the process, just after it was given to the store. */
export function withKillPoint(kv: Kv, spec: string | undefined): Kv {
  const [point, commit] = (spec ?? '').split(':') as [Point, string | undefined];
  if (commit === undefined) return kv;
  let commits = 0;
  const reach = (reached: Point): void => {
    if (reached === point && commits === Number(commit)) process.kill(process.pid, 'SIGKILL');
  };
  return {
    ...kv,
    commit: async (ops) => {
      commits++;
      reach('before');
      const committed = kv.commit(ops);
      reach('issued');
      await committed;
      reach('after');
    },
  };
}
