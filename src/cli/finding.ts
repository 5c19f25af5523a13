/** What an examination found. */
export interface Finding {
  readonly area: 'configuration' | 'machine' | 'ports' | 'clock' | 'node' | 'sender' | 'reports';
  readonly level: 'ok' | 'warning' | 'error';
  readonly text: string;
  /** What to do, or the record to publish. */
  readonly remedy?: string | undefined;
}

export const good = (area: Finding['area'], text: string): Finding => ({ area, level: 'ok', text });
export const bad = (area: Finding['area'], text: string, remedy: string): Finding => ({
  area,
  level: 'error',
  text,
  remedy,
});
export const doubtful = (area: Finding['area'], text: string, remedy: string): Finding => ({
  area,
  level: 'warning',
  text,
  remedy,
});
