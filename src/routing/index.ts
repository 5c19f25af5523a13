export { type Routed, Router, type RouteRequest, type RoutingError } from './router.ts';
export { SmoothSplit } from './split.ts';
