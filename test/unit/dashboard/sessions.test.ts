/** Who has signed in on the page, and for how long. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Sessions } from '../../../src/dashboard/sessions.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const HOUR = 3_600_000;

function signedIn(sessions: Sessions): string {
  const answer = sessions.signIn('secret');
  assert.ok(answer.ok);
  return answer.cookie;
}
const cookieOf = (field: string): string => field.split(';')[0]!;

describe('sessions', () => {
  test('the cookie is kept from scripts and other sites, ends by itself and with the sign-out', () => {
    const clock = createFakeClock();
    const sessions = new Sessions('secret', clock);
    const field = signedIn(sessions);
    assert.match(field, /; HttpOnly; SameSite=Strict$/);
    assert.ok(sessions.knows(`theme=dark; ${cookieOf(field)}`));
    sessions.signOut(cookieOf(field));
    assert.ok(!sessions.knows(cookieOf(field)));
    const second = cookieOf(signedIn(sessions));
    clock.advance(13 * HOUR);
    assert.ok(!sessions.knows(second));
  });

  test('guessing is stopped for a minute, also for the right token', () => {
    const clock = createFakeClock();
    const sessions = new Sessions('secret', clock);
    for (let i = 0; i < 10; i++) assert.deepEqual(sessions.signIn(`${i}`), { ok: false, why: 'wrong' });
    assert.deepEqual(sessions.signIn('secret'), { ok: false, why: 'too_many' });
    clock.advance(61_000);
    assert.ok(sessions.signIn('secret').ok);
  });

  test('without a token nobody signs in', () => {
    const sessions = new Sessions(undefined, createFakeClock());
    assert.ok(!sessions.possible && !sessions.signIn('').ok && !sessions.isToken(''));
  });

  test('the hundred newest are kept', () => {
    const sessions = new Sessions('secret', createFakeClock());
    const cookies = Array.from({ length: 101 }, () => cookieOf(signedIn(sessions)));
    assert.ok(!sessions.knows(cookies[0]));
    assert.ok(sessions.knows(cookies[100]));
  });
});
