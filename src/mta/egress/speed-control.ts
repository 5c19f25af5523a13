/** What a rule may ask of the speed of a (node, ISP). */
export interface SpeedControl {
  /** Takes `percent` off the speed now; it comes back by itself. `reason` is for people. */
  slowDown(percent: number, reason: string): void;
}
