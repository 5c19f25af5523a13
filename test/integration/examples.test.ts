/** The programs in examples/ run as they stand, against a server. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Mta } from '../support/mta.ts';
import { eventually } from '../support/mta-world.ts';

const FOLDER = join(import.meta.dirname, '../../examples');
const DOWN = { nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }] };

interface Run {
  readonly child: ChildProcess;
  readonly text: { out: string; err: string };
}

function start(t: TestContext, mta: Mta, name: string): Run {
  const child = spawn(process.execPath, [join(FOLDER, name), mta.socket], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const text = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text.out += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text.err += part));
  return { child, text };
}

async function finished({ child, text }: Run): Promise<Run['text']> {
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0, text.err);
  return text;
}

const EXPECTED: Readonly<Record<string, (t: TestContext, mta: Mta) => Promise<void>>> = {
  'send.ts': async (t, mta) => {
    const { out, err } = await finished(start(t, mta, 'send.ts'));
    assert.match(out, /^accepted \w{11}\n\w{11}\.1 new: .+\n$/);
    assert.equal(err, '');
  },
  'campaign.ts': async (t, mta) => {
    const { out, err } = await finished(start(t, mta, 'campaign.ts'));
    assert.match(out, /(?:^|\n)\w{11}: 5000 accepted, 1 rejected\n$/);
    assert.match(err, /^line 5002: to: /);
  },
  'queue.ts': async (t, mta) => {
    await finished(start(t, mta, 'send.ts'));
    const { out, err } = await finished(start(t, mta, 'queue.ts'));
    assert.match(
      out,
      /^1 would be held\n1 of 1 held\nat most 100\/1m\nreleased: job \w+ is (?:counting|running|done)\n$/,
    );
    assert.equal(err, '');
  },
  'events.ts': async (t, mta) => {
    await finished(start(t, mta, 'send.ts'));
    const run = start(t, mta, 'events.ts');
    await eventually(() => run.text.out !== '', 'an event is printed');
    run.child.kill('SIGINT');
    assert.match((await finished(run)).out, /^1 accepted ann@example.net\n$/);
  },
};

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.ts')))
  test(`examples/${name}`, async (t) => {
    const check = EXPECTED[name];
    assert.ok(check, 'say here what it prints');
    const mta = await Mta.start(t, DOWN);
    await check(t, mta);
    await mta.end();
  });
