/** The log of the program, and that of the deliveries. */
export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly format: 'json' | 'pretty' | 'auto';
  /** Whether log lines may name recipients. */
  readonly recipients: boolean;
  readonly deliveries: DeliveryLogConfig;
}

export interface DeliveryLogConfig {
  /** Null: there is none. */
  readonly file: string | null;
  readonly rotateBytes: number;
  readonly rotateAgeMs: number;
  /** Old files are kept this long, and up to this size together. */
  readonly keepAgeMs: number;
  readonly keepBytes: number;
}
