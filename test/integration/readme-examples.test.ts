/**
 * What the README shows of the API is run as it stands, in its order, against the program: curl, commands, Python and
 * TypeScript. The server has the configuration of "Try it without sending anything". Only what is of a place is
 * replaced: the socket, ports, and the id of the message that is looked at.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { MAIN, Mta, ofType, type Settings } from '../support/mta.ts';
import { eventually, FROM, mail, receiver } from '../support/mta-world.ts';

const ROOT = join(import.meta.dirname, '../..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');
/** The id that stands in the README. */
const ID = '0s9v35d8c00';
/** Commands that go on until somebody ends them. */
const ENDLESS = /^postrider .* --follow\b/;

interface Block {
  readonly section: string;
  readonly language: string;
  readonly text: string;
}

function blocks(): Block[] {
  let section = '';
  return [...README.matchAll(/^(?:##+ ([^\n]+)|```(\w*)\n(.*?)^```)$/gms)].flatMap(
    ([, heading, language = '', text]) => {
      section = heading ?? section;
      return text === undefined ? [] : [{ section, language, text }];
    },
  );
}

/** Sections whose blocks are about this machine or are no examples of the API. */
const ELSEWHERE = new Set([
  '',
  'The smallest real configuration',
  'Install',
  'Try it without sending anything',
]);
const EXAMPLES = blocks().filter(({ section }) => !ELSEWHERE.has(section));

class World {
  readonly mta: Mta;
  readonly dir: string;
  #id = ID;
  readonly #t: TestContext;

  private constructor(t: TestContext, mta: Mta) {
    this.mta = mta;
    this.dir = join(mta.dir, 'work');
    this.#t = t;
  }

  static async open(t: TestContext): Promise<World> {
    const sink = await receiver(t);
    const tried = blocks().find(
      ({ section, language }) => section === 'Try it without sending anything' && language === 'yaml',
    )!;
    const settings = parse(tried.text.replace('127.0.0.1:2626', `127.0.0.1:${sink.port}`)) as Settings;
    const world = new World(t, await Mta.start(t, settings));
    mkdirSync(join(world.dir, 'node_modules'), { recursive: true });
    mkdirSync(join(world.dir, 'keys'));
    symlinkSync(ROOT, join(world.dir, 'node_modules/postrider'));
    writeFileSync(join(world.dir, 'message.eml'), mail('ann@example.net'));
    return world;
  }

  /** Later examples look at this message. */
  lookAt(id: string): void {
    this.#id = id;
  }

  /** An example with the places of this world. */
  here(text: string): string {
    const { host, port } = this.mta.smtp;
    return text
      .replaceAll('/run/postrider/control.sock', this.mta.socket)
      .replaceAll('"127.0.0.1", 2525', `"${host}", ${port}`)
      .replaceAll(ID, this.#id);
  }

  run(program: string, args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(program, args, { ...this.#options(), encoding: 'utf8' });
    assert.equal(status, 0, `${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs what has no end until it has said enough. `poke` gives it something to say. */
  async watch(
    program: string,
    args: readonly string[],
    enough: RegExp,
    poke?: () => Promise<unknown>,
  ): Promise<void> {
    const child: ChildProcess = spawn(program, args, this.#options());
    this.#t.after(() => child.kill('SIGKILL'));
    let said = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (part: string) => (said += part));
    await eventually(
      async () => {
        assert.equal(child.exitCode, null, said);
        await poke?.();
        return enough.test(said);
      },
      `${args.join(' ')} says ${String(enough)}`,
    );
    child.kill('SIGINT');
    await once(child, 'close');
  }

  async command(line: string): Promise<void> {
    const script = this.here(line).replace(/^postrider /, `exec "${process.execPath}" "${MAIN}" `);
    if (!ENDLESS.test(line)) {
      this.run('bash', ['-c', script]);
      return;
    }
    const body = JSON.stringify({
      envelope: { from: FROM, to: ['ann@example.net'] },
      content: mail('ann@example.net').toString(),
      campaign_id: 'spring',
    });
    await this.watch('bash', ['-c', script], /\S/, () => this.mta.api('/v1/messages', { body }));
  }

  #options() {
    return { cwd: this.dir, env: { ...process.env, POSTRIDER_SOCKET: this.mta.socket } };
  }
}

/** By language. A block of commands only is run line by line. */
async function runBlock(world: World, { language, text }: Block): Promise<string> {
  const lines = text.trimEnd().split('\n');
  if (language === 'py') return world.run('python3', ['-c', world.here(text)]);
  if (language === 'ts') {
    const file = join(world.dir, 'example.ts');
    writeFileSync(file, world.here(text));
    await world.watch(process.execPath, [file], /^1 accepted\n[^]*^\d+ accepted$/m);
    return '';
  }
  assert.equal(language, 'sh', 'a language that nobody runs');
  if (!lines.every((line) => line.startsWith('postrider ')))
    return world.run('bash', ['-euc', world.here(text)]);
  for (const line of lines) await world.command(line);
  return '';
}

const missing = ['curl', 'python3'].filter((program) => spawnSync(program, ['--version']).error);
const skip = missing.length > 0 && !process.env['CI'] ? `${missing.join(', ')} is missing` : false;

test('the examples of the README work as they stand', { skip, timeout: 180_000 }, async (t) => {
  const world = await World.open(t);
  const languages = new Set<string>();
  let said = '';
  for (const block of EXAMPLES) {
    if (block.language === '') {
      // What the block before it prints, or a picture of what cannot be made at once.
      if (!block.text.startsWith('{')) continue;
      const id = /"message_id":"(\w+)"/.exec(said)?.[1];
      assert.equal(said, block.text.replace(ID, id ?? ''));
      world.lookAt(id!);
      continue;
    }
    languages.add(block.language);
    said = await runBlock(world, block);
  }
  assert.deepEqual([...languages].sort(), ['py', 'sh', 'ts']);
  const events = ofType(await world.mta.end(), 'accepted');
  assert.ok(events.every((event) => event.campaign_id === 'spring'));
  const sent = events.map(({ recipient }) => recipient).slice(0, 6);
  const [ann, bob] = ['ann@example.net', 'bob@example.org'];
  assert.deepEqual(sent, [ann, bob, ann, ann, bob, ann], 'file, message, batch and SMTP');
});
