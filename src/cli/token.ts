/** `postrider token decode`: the delivery that a signed return path names, if the signature is ours. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { formatProblem, loadConfig } from '../config/index.ts';
import { err, ok, parseDeliveryId, type Result } from '../core/index.ts';
import type { TokenError } from '../fbl/index.ts';
import type { Problem } from './client.ts';
import { DEFAULT_CONFIG, show } from './connection.ts';
import { exitingWith, type Io } from './io.ts';
import { loadTokens } from './secrets.ts';

interface Options {
  readonly config: string;
  readonly json?: true;
}

interface Decoded {
  readonly delivery_id: string;
  /** Which line of secret_file signed it. */
  readonly key_id: string;
}

const WHY: Readonly<Record<TokenError, string>> = {
  malformed: 'this is no signed return path: write b+TOKEN@domain as it stands in the bounce',
  unknown_key: 'no key of secret_file has the id in this token: its key was removed, or it is not ours',
  bad_signature: 'the signature is not ours: the token was altered, cut or forged, or is of another domain',
};

export function tokenCommand(io: Io): Command {
  const decoding = new Command('decode')
    .description('verify a signed return path and say which delivery it names')
    .argument('<address>', 'b+TOKEN@domain')
    .option('-c, --config <file>', 'configuration that names secret_file', DEFAULT_CONFIG)
    .option('--json', 'print JSON')
    .action(
      exitingWith(async (address: string, options: Options) =>
        show(io, options, await decode(address, options), text),
      ),
    );
  return new Command('token').description('signed return paths').addCommand(decoding);
}

async function decode(address: string, { config }: Options): Promise<Result<Decoded, Problem>> {
  const loaded = await loadConfig(resolve(config));
  if (!loaded.ok) return err(problem(2, `${config} has errors`, loaded.error.map(formatProblem)));
  const { secretFile } = loaded.value.config;
  // Asking must not make a key.
  if (!existsSync(secretFile))
    return err(problem(2, `secret_file ${secretFile} does not exist: it is made at the first start`));
  const tokens = loadTokens(secretFile);
  if (!tokens.ok) return err(problem(2, tokens.error));
  const verified = tokens.value.verify(address.trim().replace(/^<|>$/g, ''));
  if (!verified.ok) return err(problem(1, WHY[verified.error]));
  return ok({ delivery_id: verified.value.deliveryId, key_id: verified.value.keyId });
}

const problem = (exitCode: 1 | 2, message: string, lines: readonly string[] = []): Problem => ({
  exitCode,
  code: exitCode === 1 ? 'invalid_token' : 'usage',
  message,
  lines: [...lines],
});

function text({ delivery_id, key_id }: Decoded): string {
  const recipient = parseDeliveryId(delivery_id)?.index;
  return `delivery  ${delivery_id}\nrecipient ${recipient ?? '?'} of its message\nkey       ${key_id}\n`;
}
