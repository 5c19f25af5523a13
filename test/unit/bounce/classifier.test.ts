import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type BouncePattern, checkPatterns, Classifier, patternProblem } from '../../../src/bounce/index.ts';
import type { Refusal } from '../../../src/core/index.ts';

const replied = (code: number, text: string, enhanced?: string): Refusal => ({
  scope: 'recipient',
  permanent: code >= 500,
  phase: 'rcpt',
  reply: { code, enhanced, text },
  cause: undefined,
  text,
});
const pattern = (name: string, expression: string, more: Partial<BouncePattern> = {}): BouncePattern => ({
  name,
  isp: '*',
  pattern: expression,
  class: 'soft',
  category: 'mailbox_full',
  ...more,
});

describe('Classifier', () => {
  test('own patterns go before shipped ones, those of an ISP before those of all', () => {
    const classifier = new Classifier({
      own: [pattern('own-all', 'box'), pattern('own-gmail', 'box', { isp: 'gmail' })],
      shipped: [pattern('shipped', 'box'), pattern('shipped-yahoo', 'mail', { isp: 'yahoo' })],
    });
    const name = (isp?: string): string | undefined =>
      classifier.classify(replied(550, 'mailbox'), isp).pattern;
    assert.equal(name('gmail'), 'own-gmail');
    assert.equal(name('yahoo'), 'own-all');
    assert.equal(name(), 'own-all');
    assert.deepEqual(
      classifier.explain('550 mailbox', 'yahoo').map((one) => one.pattern.name),
      ['own-all', 'shipped-yahoo', 'shipped'],
    );
  });

  test('what is said before RCPT is not said of the recipient, unless a pattern names the phase', () => {
    const phases = ['mail'] as const;
    const own = [pattern('own', 'gone for ever', { class: 'hard', category: 'bad_mailbox', phases })];
    const classifier = new Classifier({ own });
    const said = (phase: Refusal['phase'], text: string, enhanced?: string): string => {
      const bounce = classifier.classify({ ...replied(550, text, enhanced), phase });
      return `${bounce.class} ${bounce.category}`;
    };
    assert.equal(said('rcpt', 'User unknown'), 'hard bad_mailbox');
    assert.equal(said('content', 'User unknown'), 'hard bad_mailbox');
    assert.equal(said('mail', 'User unknown'), 'block sender_refused');
    assert.equal(said('mail', 'zzz', '5.1.1'), 'block sender_refused');
    assert.equal(said('ehlo', 'Unknown host'), 'block policy');
    assert.equal(said('greeting', 'No SMTP service here'), 'hard bad_domain');
    assert.equal(said('connect', 'the domain does not exist', '5.1.2'), 'hard bad_domain');
    assert.equal(said('mail', 'gone for ever'), 'hard bad_mailbox');
  });

  test('a pattern sees code, enhanced code and text as one line, regardless of case and blanks', () => {
    const classifier = new Classifier({ own: [pattern('p', '^550 5\\.2\\.2 mailbox full$')], shipped: [] });
    assert.equal(classifier.classify(replied(550, 'MailBox \t Full', '5.2.2')).pattern, 'p');
    assert.equal(classifier.classify(replied(551, 'mailbox full', '5.2.2')).pattern, undefined);
  });

  test('a pattern may be limited to phases', () => {
    const classifier = new Classifier({ own: [pattern('p', 'refused', { phases: ['mail'] })], shipped: [] });
    assert.equal(classifier.classify(replied(550, 'refused')).pattern, undefined);
    assert.equal(classifier.classify({ ...replied(550, 'refused'), phase: 'mail' }).pattern, 'p');
  });

  test('a hard pattern makes a temporary refusal soft, with the category kept', () => {
    const classifier = new Classifier();
    const words = 'Recipient address rejected: User unknown';
    const hard = classifier.classify(replied(550, words));
    assert.deepEqual([hard.class, hard.category], ['hard', 'bad_mailbox']);
    const soft = classifier.classify(replied(450, words));
    assert.deepEqual([soft.class, soft.category], ['soft', 'bad_mailbox']);
  });

  test('hits are counted by pattern, unknown replies by what they have in common, over a reload too', () => {
    const first = new Classifier({ own: [pattern('p', 'full')], shipped: [] });
    first.classify(replied(550, 'full'));
    first.classify(replied(550, 'code 17 for a@b.example'));
    first.classify(replied(550, 'code 18 for <c@d.example>'));
    const next = new Classifier({
      own: [pattern('q', 'empty'), pattern('p', 'full')],
      shipped: [],
      previous: first,
    });
    next.classify(replied(550, 'full'));
    next.classify(replied(550, 'code 19 for e@f.example'));
    assert.deepEqual(
      next.hits().map(({ pattern: { name }, hits }) => [name, hits]),
      [
        ['q', 0],
        ['p', 2],
      ],
    );
    assert.deepEqual(next.unmatched(5), [{ text: '550 code # for <address>', count: 3 }]);
  });

  test('unknown replies take bounded memory and the frequent ones stay', () => {
    const classifier = new Classifier({ shipped: [] });
    const letters = (n: number): string =>
      n.toString().replace(/\d/g, (digit) => 'abcdefghij'[Number(digit)]!);
    for (let i = 0; i < 3_000; i++) {
      classifier.classify(replied(550, 'the usual'));
      classifier.classify(replied(550, `rare ${letters(i)}`));
    }
    assert.deepEqual(classifier.unmatched(1), [{ text: '550 the usual', count: 3_000 }]);
    assert.ok(classifier.unmatched(10_000).length <= 1_000);
  });

  test('the words that a pattern requires are only a short cut: it decides as if every one was run', () => {
    const classifier = new Classifier();
    const words = fc.constantFrom(
      ...'user unknown mailbox full quota exceeded blocked spam not found 5.1.1 host relay denied dns 550 limit ящик'.split(
        ' ',
      ),
      '<a@b.example>',
      'does not exist',
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 7 }), (list) => {
        const refusal = replied(550, list.join(' '));
        const all = classifier.explain(`550 ${list.join(' ')}`.trim());
        assert.equal(classifier.classify(refusal).pattern, all[0]?.pattern.name);
      }),
      { numRuns: 300 },
    );
  });

  test('an expression that would hang a backtracking engine takes no time', () => {
    const classifier = new Classifier({
      own: [pattern('p', '(a+)+(b+)+(a|aa)*$x|((.*)(.*)(.*))!')],
      shipped: [],
    });
    const started = process.cpuUsage().user;
    classifier.classify(replied(550, 'a'.repeat(1_000)));
    assert.ok(process.cpuUsage(undefined).user - started < 2_000_000);
  });
});

describe('patternProblem', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /empty/],
    ['.*', /matches every reply/],
    ['(', /no regular expression/],
    ['(?=a)b', /look-around/],
    ['(a)\\1', /back-references/],
    ['a'.repeat(2_001), /longer than 2000/],
  ];
  for (const [source, wanted] of cases)
    test(`${source.slice(0, 20)} is refused`, () => assert.match(patternProblem(source) ?? '', wanted));
  test('an ordinary one is not', () => assert.equal(patternProblem('mailbox.*full'), undefined));
});

describe('checkPatterns', () => {
  const problems = (...list: BouncePattern[]): string[] =>
    checkPatterns(list).map(({ index, kind }) => `${index} ${kind}`);

  test('finds duplicates, hidden and dead patterns', () => {
    assert.deepEqual(problems(pattern('a', 'Full'), pattern('b', 'full')), ['1 duplicate']);
    assert.deepEqual(problems(pattern('a', 'box'), pattern('b', 'mail ?box (is )?full')), ['1 shadowed']);
    assert.deepEqual(problems(pattern('a', 'mailbox  full')), ['0 dead']);
  });

  test('says nothing of patterns that have replies of their own', () => {
    assert.deepEqual(problems(pattern('a', 'mail ?box full'), pattern('b', 'full|quota')), []);
    assert.deepEqual(problems(pattern('a', 'full', { isp: 'gmail' }), pattern('b', 'full')), []);
    assert.deepEqual(problems(pattern('a', 'full'), pattern('b', 'full', { isp: 'gmail' })), []);
  });
});
