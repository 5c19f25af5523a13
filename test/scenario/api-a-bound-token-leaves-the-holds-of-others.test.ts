/** A caller that may touch a part of the mail only neither lifts a hold of somebody else nor takes mail out of it. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { tokenOf } from '../support/access-token.ts';
import { MESSAGE, until } from '../unit/api/control-fixture.ts';
import { withTokens } from '../unit/api/with-tokens.ts';

describe('a hold of somebody else', () => {
  /** The mail of an account, of the sender main, and who may ask about it. */
  async function held(t: TestContext) {
    const { control, as } = await withTokens(t, [
      tokenOf('a', 'a', ['inject', 'read', 'operate'], { accounts: ['acme'] }),
      tokenOf('s', 's', ['inject', 'read', 'operate'], { senders: ['main'] }),
      tokenOf('desk', 'desk', ['operate']),
    ]);
    assert.equal((await as('a').post('/v1/messages', MESSAGE)).status, 202);
    const marks = () =>
      control.queue.state.holds.marks.map(({ id, hold, selector }) => ({ id, hold, selector }));
    const isHeld = async (): Promise<boolean> => {
      const { deliveries } = (await control.get('/v1/deliveries')).json as {
        deliveries: { state: string }[];
      };
      return deliveries[0]!.state === 'hold';
    };
    return { control, as, marks, isHeld };
  }
  const refusedWith = ({ json }: { readonly json: object }): object => (json as { error: object }).error;

  test('stands, and the refusal says which one and whom to ask', async (t) => {
    const { control, as, marks, isHeld } = await held(t);
    const hold = await as('desk').post('/v1/queue/hold', { sender: 'main', domain: 'gmail.com' });
    const before = marks();
    for (const body of [
      { account_id: 'acme' },
      { account_id: 'acme', dry_run: true },
      { recipient: 'u1@gmail.com' },
    ]) {
      const answer = await as('a').post('/v1/queue/release', body);
      assert.equal(answer.status, 403, answer.text);
      const message =
        'hold 1 of an operator (sender=main, and more that is not yours to see) keeps such mail, and the token a ' +
        'may not lift it: ask the operator of the server';
      assert.deepEqual(refusedWith(answer), {
        code: 'forbidden',
        message,
        details: [
          {
            field: '',
            message,
            hold: { job: hold.json['job'], selector: { sender: 'main' }, by: 'an operator' },
          },
        ],
      });
    }
    assert.deepEqual(marks(), before);
    assert.equal(await isHeld(), true);
    const { entries } = (await control.get('/v1/audit-log')).json as {
      entries: { action: string; result: string; message?: string }[];
    };
    const refused = entries.filter(
      ({ action, result }) => action === 'queue release' && result === 'refused',
    );
    assert.equal(refused.length, 2, 'each but the dry run is written down');
    assert.match(refused[0]!.message!, /^hold 1 of an operator/);
    assert.equal(
      (await as('a').post('/v1/queue/release', { campaign_id: 'c1', domain: 'else.test' })).status,
      202,
    );
  });

  test('on what is its own stands too, is named in full, and no hold of its own takes its place', async (t) => {
    const { as, isHeld } = await held(t);
    await as('desk').post('/v1/queue/hold', { account_id: 'acme', campaign_id: 'c1' });
    assert.equal((await as('a').post('/v1/queue/hold', { all: true })).status, 202);
    const answer = await as('a').post('/v1/queue/release', { all: true });
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.text, /hold 1 of desk \(account_id=acme campaign_id=c1\) keeps/);
    assert.equal(await isHeld(), true);
    assert.equal((await as('desk').post('/v1/queue/release', { all: true })).status, 202);
    assert.equal(await isHeld(), false);
  });

  test('is named in why mail waits, and only what the token may lift has a command for it', async (t) => {
    const { as } = await held(t);
    const why = async (): Promise<string> => {
      const { deliveries } = (await as('a').get('/v1/deliveries')).json as {
        deliveries: { why_waiting: string }[];
      };
      return deliveries[0]!.why_waiting;
    };
    await as('desk').post('/v1/queue/hold', { account_id: 'acme' });
    const refused =
      /^held since [\dTZ:.-]+: hold 1 of desk \(account_id=acme\), which the token a may not lift: ask desk to let it go$/;
    assert.match(await why(), refused);
    await as('a').post('/v1/queue/hold', { campaign_id: 'c1' });
    assert.match(await why(), refused, 'its own hold on the same mail changes nothing');
    await as('desk').post('/v1/queue/release', { account_id: 'acme' });
    assert.equal(await why(), 'it is due and waits for its turn');
    await as('a').post('/v1/queue/hold', { campaign_id: 'c1' });
    assert.match(
      await why(),
      / by a \(hold \d: account_id=acme campaign_id=c1\); to let it go: postrider queue release --account acme --campaign c1$/,
    );
    await as('desk').post('/v1/queue/hold', { sender: 'main' });
    assert.match(
      await why(),
      /: hold \d of an operator \(sender=main\), which the token a may not lift: ask the operator/,
    );
  });

  test('whose selector has mail of others in it is told by its number alone', async (t) => {
    const { as } = await held(t);
    await as('desk').post('/v1/queue/hold', { campaign_id: 'c1' });
    const answer = await as('a').post('/v1/queue/release', { all: true });
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.text, /hold 1 of an operator \(what is not yours to see\) keeps/);
    assert.doesNotMatch(answer.text, /c1|desk/);
  });

  test('of a token with other bounds stands, that of one with the same is lifted', async (t) => {
    const { as, isHeld } = await held(t);
    assert.equal((await as('s').post('/v1/queue/hold', { all: true })).status, 202);
    const answer = await as('a').post('/v1/queue/release', { all: true });
    assert.equal(answer.status, 403, answer.text);
    assert.equal(await isHeld(), true);
    assert.equal((await as('s').post('/v1/queue/release', { all: true })).status, 202);
    assert.equal(await isHeld(), false);
  });

  for (const [what, hold, path, body] of [
    ['by node', { node: 'n1' }, 'move', { target: { node: 'n2' } }],
    ['by node', { node: 'n1', campaign_id: 'c1' }, 'move', { target: { sender: 'other' } }],
    ['by sender', { sender: 'main' }, 'move', { target: { sender: 'other' } }],
    ['by sender', { sender: 'main' }, 'change', { target: { sender: 'promo' } }],
    ['by sender', { sender: 'main', recipient: 'u1@gmail.com' }, 'change', { target: { sender: 'promo' } }],
  ] as const)
    test(`${what} is not left by a ${path}: ${JSON.stringify(hold)} to ${JSON.stringify(body.target)}`, async (t) => {
      const { as, control, isHeld } = await held(t);
      assert.equal((await as('desk').post('/v1/queue/hold', hold)).status, 202);
      for (const more of [{ campaign_id: 'c1' }, { dry_run: true }, { domain: 'gmail.com' }]) {
        const answer = await as('a').post(`/v1/queue/${path}`, { account_id: 'acme', ...body, ...more });
        assert.equal(answer.status, 403, answer.text);
        assert.match(
          answer.text,
          /hold 1 of an operator \(.*\) keeps such mail.*may not take mail out of it/,
        );
      }
      assert.equal(await isHeld(), true);
      assert.equal(control.queue.operations.list().length, 1, 'only the hold was begun');
      assert.equal((await as('desk').post(`/v1/queue/${path}`, { all: true, ...body })).status, 202);
      await until(() => control.queue.operations.list().every(({ state }) => state === 'done'), 'it is done');
      assert.equal(await isHeld(), false, 'who set it may');
    });

  test('holds wherever a bound token takes the mail, or it stays; its due time and band are its own', async (t) => {
    const { as, control, isHeld } = await held(t);
    await as('desk').post('/v1/queue/hold', { campaign_id: 'c1' });
    await as('desk').post('/v1/queue/release', { campaign_id: 'c1', node: 'n2' });
    const moved = await as('a').post('/v1/queue/move', { all: true, target: { node: 'n2' } });
    assert.equal(moved.status, 403, 'there it is released');
    for (const [path, body] of [
      ['retry', {}],
      ['change', { target: { band: 'priority' } }],
      ['change', { target: { sender: 'promo' } }],
      ['move', { target: { node: 'n2' }, campaign_id: 'c2' }],
    ] as const) {
      const answer = await as('a').post(`/v1/queue/${path}`, { account_id: 'acme', ...body });
      assert.equal(answer.status, 202, answer.text);
      await until(() => control.queue.operations.list().every(({ state }) => state === 'done'), 'it is done');
      assert.equal(await isHeld(), true, path);
    }
  });

  test('that its maker lifted from the mail in question is none: the last mark that fits decides', async (t) => {
    const { as, isHeld } = await held(t);
    await as('desk').post('/v1/queue/hold', { sender: 'main' });
    await as('desk').post('/v1/queue/release', { sender: 'main', account_id: 'acme' });
    await as('a').post('/v1/queue/hold', { all: true });
    assert.equal(await isHeld(), true);
    const answer = await as('a').post('/v1/queue/release', { all: true });
    assert.equal(answer.status, 202, answer.text);
    assert.equal(await isHeld(), false);
  });
});
