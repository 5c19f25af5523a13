export {
  Alerts,
  type ActiveAlert,
  type AlertsOptions,
  type Flow,
  type WaitingAt,
  type Walk,
} from './alerts.ts';
export { commitTime } from './judge.ts';
export { type Counted, type Series, TimeRing } from './time-ring.ts';
