export { type Preview, type Routed, Router, type RouteRequest, type RoutingError } from './router.ts';
export { SplitBook } from './split-book.ts';
export { SmoothSplit } from './split.ts';
