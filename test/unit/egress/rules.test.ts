import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RuleWhen } from '../../../src/config/index.ts';
import type { Bounce, Refusal } from '../../../src/core/index.ts';
import { RuleBook } from '../../../src/mta/egress/rules.ts';
import { ruleOf } from './rule-entries.ts';

const REFUSAL: Refusal = {
  scope: 'recipient',
  permanent: false,
  phase: 'rcpt',
  cause: undefined,
  reply: { code: 451, enhanced: '4.7.1', text: 'later' },
  text: 'RCPT: later',
};
const SILENCE: Partial<Refusal> = { reply: undefined, cause: 'timeout', phase: 'content' };
const BOUNCE: Bounce = { class: 'soft', category: 'greylisted', pattern: 'grey-1' };

const found = (when: Partial<RuleWhen>, refusal: Partial<Refusal> = {}, bounce = BOUNCE): boolean =>
  new RuleBook([ruleOf({ when })]).find({
    isp: 'gmail',
    sender: 'promo',
    refusal: { ...REFUSAL, ...refusal },
    bounce,
  }) !== undefined;

describe('rules', () => {
  const table: readonly (readonly [string, Partial<RuleWhen>, boolean])[] = [
    ['no condition', {}, true],
    ['the ISP', { isp: ['gmail'] }, true],
    ['another ISP', { isp: ['yahoo'] }, false],
    ['one of two ISPs', { isp: ['yahoo', 'gmail'] }, true],
    ['a part of the name of the ISP', { isp: ['gm*'] }, true],
    ['a part is not the whole', { isp: ['mail'] }, false],
    ['any ISP', { isp: ['*'] }, true],
    ['the sender', { sender: ['promo'] }, true],
    ['another sender', { sender: ['promo2'] }, false],
    ['the class', { class: ['soft'] }, true],
    ['another class', { class: ['hard', 'block'] }, false],
    ['the category', { category: ['mailbox_full', 'greylisted'] }, true],
    ['another category', { category: ['policy'] }, false],
    ['the code', { code: ['451'] }, true],
    ['another code', { code: ['450'] }, false],
    ['a code with x', { code: ['4xx'] }, true],
    ['a code with one x', { code: ['45x'] }, true],
    ['another hundred', { code: ['5xx'] }, false],
    ['the enhanced code', { enhanced: ['4.7.1'] }, true],
    ['an enhanced code of any class', { enhanced: ['*.7.1'] }, true],
    ['any detail', { enhanced: ['4.7.*'] }, true],
    ['a dot is a dot', { enhanced: ['4.7.*'], code: ['451'], isp: ['g.ail'] }, false],
    ['another subject', { enhanced: ['4.2.*'] }, false],
    ['the pattern', { pattern: ['grey-*'] }, true],
    ['another pattern', { pattern: ['full-*'] }, false],
    ['the phase', { phase: ['mail', 'rcpt'] }, true],
    ['another phase', { phase: ['content'] }, false],
    ['all hold', { isp: ['gmail'], code: ['4xx'], class: ['soft'], phase: ['rcpt'] }, true],
    ['all but one hold', { isp: ['gmail'], code: ['4xx'], class: ['hard'], phase: ['rcpt'] }, false],
  ];
  for (const [what, when, wanted] of table) test(what, () => assert.equal(found(when), wanted));

  test('what was not said meets no condition', () => {
    assert.equal(found({ code: ['4xx'] }, SILENCE), false);
    assert.equal(found({ enhanced: ['*.*.*'] }, SILENCE), false);
    assert.equal(found({ pattern: ['*'] }, {}, { class: 'soft', category: 'other' }), false);
    assert.equal(found({ phase: ['content'] }, SILENCE), true);
  });

  test('the first match decides', () => {
    const rules = [
      ruleOf({ name: 'other-isp', when: { isp: ['yahoo'] } }),
      ruleOf({ name: 'first', when: { code: ['4xx'] } }),
      ruleOf({ name: 'second' }),
    ];
    const facts = { isp: 'gmail', sender: 'promo', refusal: REFUSAL, bounce: BOUNCE };
    assert.equal(new RuleBook(rules).find(facts)?.name, 'first');
    assert.equal(new RuleBook([]).find(facts), undefined);
  });
});
