/** `postrider demo --exit --json`, as `npm start -- --exit --json` runs it: one line, and its sums are right. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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

test(
  'the demo stays up with a campaign to look into, and each command that it names works',
  { timeout: 150_000 },
  async (t) => {
    const demo = spawn(process.execPath, [MAIN, 'demo'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => demo.kill('SIGKILL'));
    let text = '';
    for await (const piece of demo.stdout.setEncoding('utf8') as AsyncIterable<string>) {
      text += piece;
      if (text.includes('the log:')) break;
    }
    const socket = /POSTRIDER_SOCKET=(\S+)/.exec(text)?.[1];
    const commands = [...text.matchAll(/^ +(npx postrider .*?)(?: +#|$)/gm)]
      .flatMap(([, line]) => line!.split('; '))
      .map((line) => line.replace('npx postrider ', '').split(' '));
    assert.ok(commands.length >= 7, text);
    const run = (args: readonly string[]): string => {
      const more = args[1] === 'hold' ? ['--yes'] : [];
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args, ...more], {
        encoding: 'utf8',
        env: { ...process.env, POSTRIDER_SOCKET: socket },
      });
      assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
      return stdout;
    };
    for (const args of commands) if (!args.includes('--follow')) run(args);
    // The sender of the mail that waits is meant, though there are two.
    assert.match(run(['explain', 'reader1@busypost.test']), /^sender {4}news, [^]*^queued .* held since /m);
    assert.match(
      run(['campaign', 'show', 'newsletter']),
      /queued +\d+ \(0 new, \d+ proc, 0 retry, [1-9]\d* hold\)/,
    );
    run(['queue', 'release', '--campaign', 'newsletter', '--yes']);
    run(['doctor', '-c', /the configuration: (\S+)/.exec(text)![1]!]);
    demo.kill('SIGINT');
    assert.deepEqual(await once(demo, 'exit'), [0, null]);
  },
);
