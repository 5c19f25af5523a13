/** `postrider message show ID`: the story of a message or of one delivery. */
import { Command } from 'commander';
import type { DeliveryView, MessageView } from '../api/index.ts';
import { connect, type ConnectionOptions, show, withConnection } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { deliveryStory, messageStory } from './story.ts';

export const messageCommand = (io: Io): Command =>
  new Command('message').description('messages').addCommand(
    withConnection(
      new Command('show').description('what happened to a message or delivery, and what comes next'),
    )
      .argument('<id>', 'message id, or delivery id (with a dot)')
      .action(exitingWith((id: string, options: ConnectionOptions) => showMessage(io, id, options))),
  );

async function showMessage(io: Io, id: string, options: ConnectionOptions): Promise<ExitCode> {
  const client = await connect(io, options);
  const path = encodeURIComponent(id);
  if (!id.includes('.')) {
    const message = await client.get<MessageView>(`/v1/messages/${path}`);
    return show(io, options, message, (view) => messageStory(io, view));
  }
  const delivery = await client.get<DeliveryView>(`/v1/deliveries/${path}`);
  return show(io, options, delivery, (view) => deliveryStory(io, view));
}
