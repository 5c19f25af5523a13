/** The audit's part on tables that stand alone: nothing else has to agree with them, but every value must be healthy. */
import type { Findings } from './audit-report.ts';
import { textKey } from './keys.ts';
import type { Entry, Kv, Table } from './kv.ts';
import { unseal } from './records.ts';
import { isTimeMark } from './stop-list.ts';

const ALONE: readonly Table[] = [
  'meta',
  'stop_list',
  'inbox',
  'inbound_mail',
  'quarantine',
  'early_reports',
  'policies',
  'limits',
  'controls',
  'holds',
  'jobs',
  'job_domains',
  'operator_log',
];
/** Named by who reads them. */
const ELSEWHERE = [textKey('store'), textKey('counted')];
const OPEN = textKey('open', '');

export function auditValues(kv: Kv, findings: Findings): void {
  for (const table of ALONE)
    for (const entry of kv.range(table, {})) {
      findings.saw(table);
      if (!isMark(table, entry) && isDamaged(entry.value))
        findings.say(`${table} ${entry.key.toString('hex')}: the value is damaged`);
    }
}

/** Its key says all; or it is looked at already. */
function isMark(table: Table, { key }: Entry): boolean {
  if (table === 'stop_list') return isTimeMark(key);
  if (table !== 'meta') return false;
  return key.subarray(0, OPEN.length).equals(OPEN) || ELSEWHERE.some((one) => one.equals(key));
}

function isDamaged(value: Buffer): boolean {
  try {
    unseal(value);
    return false;
  } catch {
    return true;
  }
}
