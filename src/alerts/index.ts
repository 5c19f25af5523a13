export { Alerts, type ActiveAlert, type AlertsOptions, type Flow, type WaitingAt } from './alerts.ts';
export { type Counted, type Series, TimeRing } from './time-ring.ts';
