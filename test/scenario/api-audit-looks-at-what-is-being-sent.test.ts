/** Only the running server knows what is with a worker: its own audit looks that none of it waits to be sent as well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryIdOf } from '../../src/core/index.ts';
import { MESSAGE, startControl } from '../unit/api/control-fixture.ts';
import { leaseFrom } from '../support/queues.ts';

test('an audit by the server names a delivery that is with a worker and has a slot', async (t) => {
  const control = await startControl(t);
  const { queue } = control;
  await control.post('/v1/messages', { ...MESSAGE, envelope: { from: 'news@a.test', to: ['u@a.test'] } });
  const [entry] = [...queue.state.kv.range('schedule', {})];
  const [head] = [...queue.state.schedule.heads()];
  const [leased] = await leaseFrom(queue, { node: head!.node, domain: 'a.test', limit: 1 });
  const violations = async (): Promise<unknown> => (await control.get('/v1/audit')).json['violations'];
  assert.deepEqual(await violations(), []);
  await queue.state.kv.commit([{ table: 'schedule', ...entry! }]);
  const id = deliveryIdOf(leased!.number, leased!.index);
  assert.deepEqual(await violations(), [
    { text: `delivery ${id} is with a worker and has a slot`, delivery_id: id },
  ]);
});
