export { parseReport } from './parse.ts';
export type * from './types.ts';
