/**
 * Writes the files in config/ that are made from the schemas of the configuration and of the API. With --check it writes nothing and exits 1, naming each
 * file that differs from what is committed.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { metricsReference, openApiText } from '../src/api/index.ts';
import { treeOf } from '../src/cli/command-tree.ts';
import type { Io } from '../src/cli/io.ts';
import { manualPage } from '../src/cli/manual.ts';
import { allCommands } from '../src/cli/program.ts';
import { generatedFiles } from '../src/config/index.ts';

const directory = join(import.meta.dirname, '../config');
const check = process.argv.includes('--check');
let differing = 0;

/** Commands are only looked at. */
const silent = { columns: 100, colour: false, env: {} } as unknown as Io;
const fromSchema = generatedFiles();
const files = {
  ...fromSchema,
  'REFERENCE.md': fromSchema['REFERENCE.md']! + metricsReference(),
  'openapi.json': openApiText(),
  'postrider.1': manualPage(treeOf(await allCommands(silent))),
};
for (const [name, text] of Object.entries(files)) {
  const file = join(directory, name);
  const present = await readFile(file, 'utf8').catch(() => undefined);
  if (present === text) continue;
  differing++;
  if (!check) await writeFile(file, text);
  console.log(`config/${name} ${check ? 'differs from the schema: run npm run generate' : 'written'}`);
}
if (check && differing > 0) process.exitCode = 1;
