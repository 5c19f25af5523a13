/** The control server of the fixture over TCP, and callers with tokens. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type AccessToken, createControlServer } from '../../../src/api/index.ts';
import { Postrider } from '../../../src/client/index.ts';
import { clientOf, type Fixture, startControl } from './control-fixture.ts';

export type Client = ReturnType<typeof clientOf>;

/** A server over TCP with these tokens; the secret of each is its name. */
export async function withTokens(
  t: TestContext,
  tokens: readonly AccessToken[],
): Promise<{ control: Fixture; as: (name: string) => Client; client: (name: string) => Postrider }> {
  const control = await startControl(t);
  control.queue.operations.start();
  const server = createControlServer(control.deps, tokens);
  const listening = await server.listenTcp('127.0.0.1', 0);
  assert.ok(listening.ok);
  t.after(() => server.close());
  const { host, port } = listening.value;
  return {
    control,
    as: (name) => clientOf(listening.value, { authorization: `Bearer ${name}` }),
    client: (token) => {
      const client = new Postrider({ url: `http://${host}:${port}`, token });
      t.after(() => client.close());
      return client;
    },
  };
}
