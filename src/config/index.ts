export { diffConfig, type ConfigDiff } from './diff.ts';
export { generatedFiles } from './docs.ts';
export { loadConfig, parseConfig, type Loaded } from './load.ts';
export { formatProblem, type ConfigProblem } from './problem.ts';
export * from './snapshot.ts';
export * from './snapshot-alerts.ts';
export * from './snapshot-limits.ts';
export * from './snapshot-log.ts';
export * from './snapshot-places.ts';
