/**
 * Debian's Prometheus scrapes the real program through an outage: alerts fire and end, those of Prometheus and the built-in
 * ones. The rules are the shipped ones with shorter times. Also what promtool says of rules and metrics, and that rules
 * and dashboard name only metrics that exist.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { describedMetrics } from '../../src/api/index.ts';
import type { Event } from '../../src/core/index.ts';
import { freePort, Mta, ofType, ownAddress, scratch } from '../support/mta.ts';
import { FROM, receiver } from '../support/mta-world.ts';

const PROMETHEUS = '/usr/bin/prometheus';
const skip =
  existsSync(PROMETHEUS) || process.env['CI']
    ? false
    : `${PROMETHEUS} is missing: apt-get install prometheus`;
const CONFIG = join(import.meta.dirname, '../../config');
const RULES = join(CONFIG, 'prometheus/alerts.yml');
const DEADLINE_MS = 90_000;

function promtool(args: readonly string[], input?: string, cwd?: string): void {
  const { status, stdout, stderr } = spawnSync('/usr/bin/promtool', args, { input, cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.equal(args[0] === 'check' && args[1] === 'metrics' ? `${stdout}${stderr}` : '', '');
}

/** Every metric of ours that a text names. */
const named = (text: string): string[] => [...new Set(text.match(/postrider_[a-z_]+/g))];

test('rules and dashboard name metrics that exist', () => {
  const known = new Set(
    describedMetrics().flatMap(({ name, type }) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    ),
  );
  const dashboard = readFileSync(join(CONFIG, 'grafana/postrider.json'), 'utf8');
  const { panels } = JSON.parse(dashboard) as { panels: { id: number; targets: { expr: string }[] }[] };
  assert.ok(panels.length > 15 && panels.every(({ targets }) => targets.length > 0));
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const text of [dashboard, readFileSync(RULES, 'utf8')]) {
    assert.ok(named(text).length >= 8);
    assert.deepEqual(
      named(text).filter((name) => !known.has(name)),
      [],
    );
  }
});

describe('promtool', { skip }, () => {
  test('the rules are sound and fire at what they should', (t) => {
    const dir = scratch(t);
    copyFileSync(RULES, join(dir, 'alerts.yml'));
    copyFileSync(join(import.meta.dirname, 'prometheus/rules.yml'), join(dir, 'rules.yml'));
    promtool(['check', 'rules', 'alerts.yml'], undefined, dir);
    promtool(['test', 'rules', 'rules.yml'], undefined, dir);
  });
});

/** The shipped rules, so impatient that a test can wait for them. */
function hurried(): string {
  const text = readFileSync(RULES, 'utf8')
    .replaceAll(/for: \w+/g, 'for: 0s')
    .replace('> 1800', '> 3')
    .replaceAll('[30m]', '[5s]')
    .replaceAll('[1h]', '[20s]');
  assert.ok(!/for: [1-9]|1800|30m|1h/.test(text));
  return text;
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: string;
}

/** Runs Prometheus against the status port; gives the alerts that fire. */
async function prometheus(t: TestContext, target: string): Promise<() => Promise<Alert[]>> {
  const dir = scratch(t);
  const host = ownAddress();
  const listen = `${host}:${await freePort(host)}`;
  writeFileSync(join(dir, 'alerts.yml'), hurried());
  writeFileSync(
    join(dir, 'prometheus.yml'),
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: ['alerts.yml'],
      scrape_configs: [{ job_name: 'postrider', static_configs: [{ targets: [target] }] }],
    }),
  );
  const args = ['--config.file', join(dir, 'prometheus.yml'), '--storage.tsdb.path', join(dir, 'data')];
  const child = spawn(PROMETHEUS, [...args, '--web.listen-address', listen], { stdio: 'ignore' });
  t.after(
    () =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        if (!child.kill('SIGKILL')) resolve(undefined);
      }),
  );
  return async () => {
    const answer = await fetch(`http://${listen}/api/v1/alerts`).catch(() => undefined);
    if (!answer?.ok) return [];
    const { data } = (await answer.json()) as { data: { alerts: Alert[] } };
    return data.alerts.filter(({ state }) => state === 'firing');
  };
}

async function waitFor<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const end = performance.now() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert.ok(performance.now() < end, `waited too long until ${what}`);
    await delay(200);
  }
}

test('an outage of a receiver and a node without its address', { skip, timeout: 240_000 }, async (t) => {
  const status = ownAddress();
  const statusPort = await freePort(status);
  let broken = true;
  const later = { code: 451, enhanced: '4.3.0', text: 'try later' };
  const sink = await receiver(t, {
    rules: [{ phase: 'rcpt', share: 0.5, action: later }],
    random: () => (broken ? 0 : 1),
  });
  const mta = await Mta.start(t, {
    status: { listen: `${status}:${statusPort}` },
    routes: [{ domain: 'gmail.com', hosts: [`127.0.0.1:${sink.port}`] }],
    nodes: [
      { name: 'n1', address: '127.0.0.2', hostname: 'n1.test' },
      { name: 'gone', address: '192.0.2.10', hostname: 'gone.test' },
    ],
    retry_rules: [{ name: 'default', attempts: 500, interval: '1s', type: 'fixed' }],
    alerts: { soft_bounces: null, slow_commit: null, stuck_mail: '3s', node_down: '1s', clear_after: '1s' },
  });
  const alerts = await prometheus(t, `${status}:${statusPort}`);
  const body = [
    { from: FROM, parts: { from: FROM, subject: 'Hello', text: 'Hello' }, sender: 'shop' },
    ...Array.from({ length: 20 }, (_, i) => ({ to: `person${i}@gmail.com` })),
  ];
  await mta.api('/v1/batches', {
    type: 'application/x-ndjson',
    body: body.map((line) => `${JSON.stringify(line)}\n`).join(''),
  });
  const firing = async (): Promise<string[]> => (await alerts()).map(({ labels }) => labels['alertname']!);

  await waitFor('the outage is told', async () => {
    const names = await firing();
    return names.includes('PostriderStuckMail') && names.includes('PostriderNodeDown');
  });
  const stuck = (await alerts()).find(({ labels }) => labels['alertname'] === 'PostriderStuckMail');
  assert.equal(stuck?.labels['isp'], 'gmail');
  const told = await waitFor('the built-in alerts fire', async () => {
    const view = await mta.status();
    return view.alerts.length >= 2 && view;
  });
  assert.deepEqual(told.alerts.map(({ name, isp, node }) => [name, isp ?? node]).sort(), [
    ['node_down', 'gone'],
    ['stuck_mail', 'gmail'],
  ]);
  const metrics = await (await fetch(`http://${status}:${statusPort}/metrics`)).text();
  promtool(['check', 'metrics'], metrics);
  assert.ok(!metrics.includes('@gmail.com'));

  broken = false;
  await mta.settled(20);
  await waitFor('the outage is over', async () => {
    const names = await firing();
    return !names.includes('PostriderStuckMail') && names.includes('PostriderNodeDown');
  });
  await waitFor('the built-in one is over', async () => (await mta.status()).alerts.length === 1);
  // The event is stored after the alert is over.
  const toldOf = (events: readonly Event[]): string[] =>
    ofType(events, 'alert').flatMap(({ alert, isp }) =>
      isp === 'gmail' ? [`${alert?.name} ${alert?.state}`] : [],
    );
  await mta.until((events) => toldOf(events).includes('stuck_mail resolved'));
  assert.deepEqual(toldOf(await mta.end()), ['stuck_mail firing', 'stuck_mail resolved']);
  const logged = mta.log.filter((line) => line['alert'] === 'stuck_mail');
  assert.deepEqual(
    logged.map(({ level }) => level),
    [40, 30],
  );
  assert.ok(!mta.stderr.includes('person'), 'the log names no recipient');
});
