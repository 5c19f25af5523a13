export { Alerts, type ActiveAlert, type AlertsOptions, type Flow, type WaitingAt } from './alerts.ts';
