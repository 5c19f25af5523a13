/** When an alert is raised. Null: never. */
export interface AlertsConfig {
  readonly periodMs: number;
  readonly complaintPeriodMs: number;
  readonly minVolume: number;
  readonly minCount: number;
  /** Percent of attempts. */
  readonly hardBounces: number | null;
  readonly softBounces: number | null;
  /** Percent of what was delivered. */
  readonly complaints: number | null;
  readonly stuckMailMs: number | null;
  readonly stuckVolume: number;
  readonly nodeDownMs: number | null;
  readonly slowCommitMs: number | null;
  readonly clearAfterMs: number;
}
