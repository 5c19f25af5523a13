/** A start that cannot succeed ends with the reason in words, and leaves what others have alone. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { startSink } from '../../src/testbed/index.ts';
import { MAIN, Mta, type Settings } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

/** Root may write everywhere, so it has to give up its rights, and then needs a checkout that others can read. */
function skipUnwritable(): string | false {
  if (!isRoot) return false;
  const run = spawnSync(process.execPath, [MAIN, '--version'], { uid: NOBODY, stdio: 'ignore' });
  return run.status === 0 ? false : 'run by root in a directory that nobody else can read';
}

/** Runs it to its end; root gives up its rights when `unprivileged`. */
async function failing(mta: Mta, unprivileged = false): Promise<{ code: number | null; said: string }> {
  mta.launch(unprivileged && isRoot ? { uid: NOBODY } : {});
  const { code } = await mta.exited();
  return { code, said: mta.stderr };
}

const signing = (file: string): Settings => ({
  senders: [
    {
      name: 'shop',
      nodes: [{ node: 'n1' }],
      dkim: [{ domain: 'shop.test', selector: 's1', key_file: file }],
    },
  ],
});

describe('a DKIM key file', () => {
  const pem = (type: 'ec' | 'rsa'): string => {
    const { privateKey } =
      type === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 512 });
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  };
  const cases: readonly (readonly [string, string | undefined, RegExp])[] = [
    ['that is missing', undefined, /key_file.*does not exist|key_file.*no such file|key_file.*ENOENT/i],
    ['of a wrong type', pem('ec'), /key_file.*(EC|RSA|Ed25519)/i],
    ['that is too short', pem('rsa'), /key_file.*(512|1024)/],
    ['that is no key', 'hello\n', /key_file/],
  ];
  for (const [name, text, words] of cases)
    test(name, async (t: TestContext) => {
      const mta = await Mta.prepare(t, signing('shop.pem'));
      if (text !== undefined) writeFileSync(join(mta.dir, 'shop.pem'), text, { mode: 0o600 });
      const { code, said } = await failing(mta);
      assert.equal(code, 2);
      assert.match(said, words);
      assert.match(said, /postrider\.yaml:\d+/, 'file and line');
    });
});

test('a port in use is named, with the key that asks for it', async (t) => {
  const mta = await Mta.prepare(t);
  const other = await startSink({ listen: [mta.smtp] });
  t.after(() => other.close());
  const { code, said } = await failing(mta);
  assert.equal(code, 1);
  assert.match(said, new RegExp(`smtp\\.listen: .*${mta.smtp.host}:${mta.smtp.port}.*listens there already`));
  await other.close();
  await mta.start();
  await mta.end();
});

describe('data_dir', () => {
  test('of another instance: its process is named, and it works on', async (t) => {
    const sink = await receiver(t);
    const first = await Mta.start(t, { routes: [routeTo(sink)] });
    const second = await Mta.prepare(t, { data_dir: join(first.dir, 'data') });
    const { code, said } = await failing(second);
    assert.equal(code, 1);
    assert.match(
      said,
      new RegExp(
        `${join(first.dir, 'data')} is in use by process ${first.pid} since .*; stop that one first`,
      ),
    );
    const session = await first.session();
    assert.ok((await submit(session, 'a@to.test', mail('a@to.test'))).recipients[0]?.ok);
    await session.quit();
    await first.settled(1);
    await first.end();
  });

  test('that is there and not writable', { skip: skipUnwritable() }, async (t) => {
    const mta = await Mta.prepare(t);
    const dir = join(mta.dir, 'data');
    mkdirSync(dir);
    chmodSync(dir, 0o555);
    const { code, said } = await failing(mta, true);
    assert.equal(code, 1);
    assert.match(said, new RegExp(`data directory ${dir} cannot be written to by this user`));
  });

  test('that cannot be made', { skip: skipUnwritable() }, async (t) => {
    const mta = await Mta.prepare(t, { data_dir: 'closed/data' });
    mkdirSync(join(mta.dir, 'closed'));
    chmodSync(join(mta.dir, 'closed'), 0o555);
    const { code, said } = await failing(mta, true);
    assert.equal(code, 1);
    assert.match(said, /data_dir .*closed\/data cannot be made: .*give this user write access/);
  });

  test(
    'in a place where no directory can be made, though it is there',
    { skip: existsSync('/proc/self') ? false : 'there is no /proc' },
    async (t) => {
      const mta = await Mta.prepare(t, { data_dir: '/proc/postrider/data' });
      const { code, said } = await failing(mta);
      assert.equal(code, 1);
      assert.match(said, /data_dir \/proc\/postrider\/data cannot be made: /);
    },
  );

  test('below directories that are not there yet: they are made', async (t) => {
    const mta = await Mta.prepare(t, { data_dir: 'var/lib/postrider' });
    await mta.start();
    await mta.kill('SIGTERM');
    assert.ok(existsSync(join(mta.dir, 'var/lib/postrider/queue.mdb')));
  });

  test('that is a file', async (t) => {
    const mta = await Mta.prepare(t);
    writeFileSync(join(mta.dir, 'data'), '');
    const { code, said } = await failing(mta);
    assert.equal(code, 1);
    assert.match(said, /data directory .*\/data is not a directory/);
  });
});
