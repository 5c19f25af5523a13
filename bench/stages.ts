/**
 * Where the time goes: a CPU profile of the MTA (`npm run bench -- --only w1 --no-peers --runs 1 --cpu-prof`) as a table
 * of stages. Time in Node.js, V8 and libraries counts for the nearest function of ours that called it; what no function
 * of ours called (garbage collection, the event loop) has lines of its own. A profile is of one thread: that of the queue (0) and the one that receives (1) have one each.
 */
import { readFileSync } from 'node:fs';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Stage by path below `dist`; the first that matches. In the order of a message's way. */
const STAGES: readonly (readonly [stage: string, path: RegExp])[] = [
  ['receive', /^(?:mta\/smtp\/server|mta\/ingress|api|routing)\//],
  ['sign', /^mta\/dkim\//],
  ['render', /^mta\/message\/(?:render|campaign|template|writer|field-template|raw-template|text-part)/],
  ['header work', /^mta\/message\//],
  [
    'commit',
    /^queue\/(?:accepting|committer|lmdb-kv|records|keys|journal|counters|queue|idempotency)|^lmdb\//,
  ],
  ['lease', /^queue\/(?:leas|schedule|lookup)/],
  ['record', /^queue\/outcomes|^mta\/egress\/(?:recorder|reactions|decide)|^bounce\//],
  ['send', /^mta\/smtp\/client\/|^mta\/egress\/(?:attempt|sessions|connect|content)|^fbl\//],
  ['schedule', /^mta\/egress\//],
  ['plan', /^mta\/dns\//],
];
const OUTSIDE: Readonly<Record<string, string>> = {
  '(garbage collector)': 'garbage collection',
  '(program)': 'native code',
};
/** The first work on mail: what comes before is the start of the program. */
const FIRST = new Set(['prepareContent', 'composeContent', '#submit']);

/** Prints the table; `messages` is how many went through while the profile was taken. */
export function printStages(file: string, messages: number): void {
  const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
  const byStage = stagesOf(profile);
  const total = [...byStage.values()].reduce((sum, us) => sum + us, 0);
  console.log('| stage | us per message | share |\n| --- | --: | --: |');
  for (const [stage, us] of [...byStage].toSorted(([, a], [, b]) => b - a))
    console.log(`| ${stage} | ${(us / messages).toFixed(1)} | ${((us / total) * 100).toFixed(1)} % |`);
  console.log(`| all | ${(total / messages).toFixed(1)} | |`);
}

function stagesOf({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const stages = new Map(nodes.map(({ id }) => [id, stageOf(id, byId, parents)]));
  const start = samples.findIndex((id) => FIRST.has(byId.get(id)!.callFrame.functionName));
  const spent = new Map<string, number>();
  for (let i = Math.max(0, start); i < samples.length; i++) {
    const stage = stages.get(samples[i]!);
    if (stage !== undefined) spent.set(stage, (spent.get(stage) ?? 0) + timeDeltas[i]!);
  }
  return spent;
}

/** Undefined for time in which nothing was done. */
function stageOf(
  id: number,
  byId: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
): string | undefined {
  const { functionName } = byId.get(id)!.callFrame;
  if (functionName === '(idle)') return undefined;
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const path = ownPath(byId.get(at)!.callFrame.url);
    const stage = path === undefined ? undefined : STAGES.find(([, pattern]) => pattern.test(path));
    if (stage) return stage[0];
    if (path !== undefined) return 'other';
  }
  return OUTSIDE[functionName] ?? 'event loop';
}

const ownPath = (url: string): string | undefined =>
  /\/dist\/(.*)$/.exec(url)?.[1] ?? /node_modules\/(lmdb\/.*)$/.exec(url)?.[1];
