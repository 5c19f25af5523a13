/** `postrider demo --exit --json`, as `npm start -- --exit --json` runs it: one line, and its sums are right. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { MAIN } from '../support/mta.ts';

interface Line {
  readonly delivered: number;
  readonly hard_bounced: number;
  readonly undelivered: number;
  readonly soft_bounces: number;
}
type Summary = Line & {
  readonly accepted: number;
  readonly queued: number;
  readonly per_isp: Readonly<Record<string, Line>>;
  readonly per_node: Readonly<Record<string, Line>>;
};

const demoDirs = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('postrider-demo-'));

test('demo --exit --json', { timeout: 120_000 }, () => {
  const before = demoDirs();
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'demo', '--exit', '--json'], {
    encoding: 'utf8',
    timeout: 100_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^\{.*\}\n$/, 'one line of JSON');
  const summary = JSON.parse(stdout) as Summary;
  const { accepted, delivered, hard_bounced: hard, undelivered, queued, soft_bounces: soft } = summary;
  assert.ok(accepted >= 2000);
  assert.equal(accepted, delivered + hard + undelivered);
  assert.equal(queued, 0);
  assert.ok(hard > 0 && soft > 0, 'receivers misbehave in it');
  for (const lines of [summary.per_isp, summary.per_node]) {
    const sum = (field: keyof Line): number =>
      Object.values(lines).reduce((total, line) => total + line[field], 0);
    assert.deepEqual(
      [sum('delivered'), sum('hard_bounced'), sum('undelivered'), sum('soft_bounces')],
      [delivered, hard, undelivered, soft],
    );
  }
  assert.deepEqual(Object.keys(summary.per_node), ['n1', 'n2', 'n3']);
  assert.equal(Object.keys(summary.per_isp).length, 4);
  for (const dir of demoDirs()) assert.ok(before.includes(dir) || !existsSync(dir), `${dir} was left behind`);
});
