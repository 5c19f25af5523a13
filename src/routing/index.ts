export { FreshTurns } from './fresh-turns.ts';
export { type Preview, type Routed, Router, type RouteRequest, type RoutingError } from './router.ts';
export { nextOf } from './split.ts';
