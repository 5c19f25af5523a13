/** `postrider inject FILE`: sends a message file through the control socket. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { AcceptedMessage } from '../api/index.ts';
import { err, ok, type Result } from '../core/index.ts';
import type { Problem } from './client.ts';
import { connect, type ConnectionOptions, fail, show, withConnection } from './connection.ts';
import { clean, type ExitCode, exitingWith, type Io } from './io.ts';

interface Options extends ConnectionOptions {
  readonly from: string;
  readonly to: readonly string[];
  readonly sender?: string;
  readonly virtualSender?: string;
  readonly campaign?: string;
  readonly account?: string;
}

export const injectCommand = (io: Io): Command =>
  withConnection(new Command('inject').description('send a message file (RFC 5322)'))
    .argument('<file>', 'message, - for standard input')
    .requiredOption('--from <address>', 'reverse-path; "" for the null one')
    .requiredOption('--to <address...>', 'recipients')
    .option('--sender <name>', 'sender to use')
    .option('--virtual-sender <name>', 'virtual sender to use')
    .option('--campaign <id>', 'campaign label')
    .option('--account <id>', 'account label')
    .action(exitingWith((file: string, options: Options) => inject(io, file, options)));

async function inject(io: Io, file: string, options: Options): Promise<ExitCode> {
  const content = await readMessage(io, file);
  if (!content.ok) return fail(io, options, content.error);
  const client = await connect(io, options);
  const result = await client.post<AcceptedMessage>('/v1/messages', {
    envelope: { from: options.from, to: options.to },
    content: content.value.toString('base64'),
    content_encoding: 'base64',
    sender: options.sender,
    virtual_sender: options.virtualSender,
    campaign_id: options.campaign,
    account_id: options.account,
  });
  const code = await show(io, options, result, injectedText);
  return code === 0 && result.ok && result.value.rejected.length > 0 ? 1 : code;
}

async function readMessage(io: Io, file: string): Promise<Result<Buffer, Problem>> {
  try {
    if (file !== '-') return ok(await readFile(file));
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin()) chunks.push(chunk);
    return ok(Buffer.concat(chunks));
  } catch (error) {
    const message = `${file} cannot be read: ${(error as Error).message}`;
    return err({ exitCode: 2, code: 'file', message, lines: [] });
  }
}

export function injectedText({ message_id: id, deliveries, rejected }: AcceptedMessage): string {
  const lines = [
    `accepted as ${id}`,
    ...deliveries.map((delivery) => `  ${delivery.id}  ${clean(delivery.recipient)}`),
    ...rejected.map(({ recipient, message }) => `  rejected  ${clean(recipient)}: ${clean(message)}`),
  ];
  return `${lines.join('\n')}\n`;
}
