import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextMessageIn } from '../../../src/mta/egress/wait-text.ts';
import { judge } from '../../../src/alerts/judge.ts';
import { Speech } from '../../../src/dashboard/page/language.ts';
import { TABLES } from '../../../src/dashboard/page/words.ts';

const [en, ru] = [new Speech('en'), new Speech('ru')];

/** In Russian, and in English where that is not the same. */
const REASONS: readonly (readonly [text: string, inRussian: string, inEnglish?: string])[] = [
  ['strategy careful: next message in 23 s', 'стратегия careful: следующее письмо через 23 с'],
  [`cap day: ${nextMessageIn(78_073_000)}`, 'предел day: следующее письмо через 21 ч 42 мин'],
  ['cap day: next message in 3 s', 'предел day: следующее письмо через 3 с'],
  [
    'warm-up slow, stage 2: 500 a day: next message in 60 s',
    'прогрев slow, этап 2: 500 в сутки: следующее письмо через 60 с',
  ],
  ['slowed down (421 too many): next message in 2 s', 'замедлено (421 too many): следующее письмо через 2 с'],
  [
    'next connection in 5 s, after: connection refused',
    'следующее соединение через 5 с, после: connection refused',
  ],
  [
    'locked by blocked, 1h59m left: 554 go away, 5m left: x',
    'блокировка по blocked, ещё 1 ч 59 мин: 554 go away, 5m left: x',
    'locked by blocked, 1 h 59 min left: 554 go away, 5m left: x',
  ],
  [
    'limit of the campaign: 30 per 60 s; next message in 2 s',
    'предел рассылки: 30 за 60 с; следующее письмо через 2 с',
  ],
  ['looking up where mail for one.test goes', 'выясняется, куда отправлять почту для one.test'],
  ['strategies.default of sender shop', 'strategies.default отправителя shop'],
  ['cap day of sender shop: next message in 3 s', 'предел day отправителя shop: следующее письмо через 3 с'],
  ['attempts_exhausted', 'попытки исчерпаны'],
  ['blocks: its time is over', 'blocks: её время кончилось'],
  ['lifted by hand', 'снята оператором'],
  ['12 % rate_limited: 421 too many', '12 % — слишком часто: 421 too many'],
  [
    'gmail: 40 of 900 attempts were put off (4.4 %, more than 3 %) in 1h; see "postrider report bounces --by isp,reply"',
    'gmail: отложено попыток 40 из 900 (4,4 %, больше 3 %) за 1 ч; см. "postrider report bounces --by isp,reply"',
    'gmail: 40 of 900 attempts were put off (4.4 %, more than 3 %) in 1 h; see "postrider report bounces --by isp,reply"',
  ],
  [
    '5 deliveries to gmail wait, the oldest for 1h, and none was taken for 40m: limit of the campaign: 30 per 60 s; next message in 2 s; 5m ago: 451 too many',
    'к gmail ждут доставок: 5, старейшая — 1 ч, ничего не принято 40 мин: предел рассылки: 30 за 60 с; следующее письмо через 2 с; 5 мин назад: 451 too many',
    '5 deliveries to gmail wait, the oldest for 1 h, and none was taken for 40 min: limit of the campaign: 30 per 60 s; next message in 2 s; 5 min ago: 451 too many',
  ],
  [
    'over: a commit takes 22ms again',
    'прошло: запись снова занимает 22 мс',
    'over: a commit takes 22 ms again',
  ],
  ['purge campaign_id=spring', 'удалить: campaign_id=spring'],
  ['the interval of the retry rule is not over', 'интервал повтора ещё не прошёл'],
  [
    'node n1 is down: 192.0.2.1 is not on this machine',
    'узел n1 недоступен: адреса 192.0.2.1 нет на этой машине',
  ],
  ['550 5.1.1 No such user', '550 5.1.1 No such user'],
];

test('reasons of the server are said in Russian, and what others wrote stays as it is', () => {
  for (const [text, said, inEnglish = text] of REASONS) {
    assert.equal(ru.reason(text), said);
    assert.equal(en.reason(text), inEnglish);
  }
});

test('why a request failed is said in Russian by its code, then in the words of the server', () => {
  for (const [code, message, inRussian, inEnglish = message] of [
    ['not_found', 'there is no node n9', 'не найдено: there is no node n9'],
    ['unavailable', 'the store takes nothing now', 'сейчас невозможно: the store takes nothing now'],
    [
      'no_answer',
      'Failed to fetch',
      'сервер не отвечает: Failed to fetch',
      'no answer from the server: Failed to fetch',
    ],
    ['too_many', 'too many wrong tokens: wait a minute', 'слишком много неверных токенов: подождите минуту'],
    ['', 'Bad Gateway', 'Bad Gateway'],
  ] satisfies [string, string, string, string?][]) {
    assert.equal(ru.problem({ code, message }), inRussian);
    assert.equal(en.problem({ code, message }), inEnglish);
  }
});

const THRESHOLDS = {
  ...{ periodMs: 3_600_000, complaintPeriodMs: 86_400_000, minVolume: 200, minCount: 3 },
  ...{ hardBounces: 1, softBounces: 30, complaints: 0.07, stuckMailMs: 1_800_000, stuckVolume: 10 },
  ...{ nodeDownMs: 60_000, slowCommitMs: 500, clearAfterMs: 60_000 },
};

test('figures and durations of an alert are said as the page says its own', () => {
  const now = 1_000_000_000;
  const measured = {
    ...{ now, since: 0, disk: undefined },
    commits: { count: 9_000, ms: 1_440_000, slowCount: 1_200, slowTotalMs: 1_440_000 },
    shares: [
      {
        isp: '2024',
        bounces: { delivered: 11_410, soft: 0, hard: 590, complaints: 0 },
        complaints: { delivered: 100_000, soft: 0, hard: 0, complaints: 91 },
      },
    ],
    waiting: [
      {
        isp: '2024',
        ...{ count: 12_345, oldest: now - 130_000_000, lastDelivered: now - 1_970_000 },
        why: '2m50s ago: 451 4.7.1 wait 2m50s',
      },
    ],
    down: [
      { node: 'n1', since: now - 330_000, why: '192.0.2.1 is not on this machine; bring the address up' },
    ],
  };
  const texts = judge(measured, THRESHOLDS).map(({ text }) => text);
  const said = texts.flatMap((text) => [ru.reason(text).replaceAll('\u00a0', ' '), en.reason(text)]);
  for (const part of [
    'запись занимает 1,2 с (медленных за минуту: 1 200 из 9 000)',
    'узел n1 недоступен 5 мин 30 с: адреса 192.0.2.1 нет',
    'к 2024 ждут доставок: 12 345, старейшая — 1 д 12 ч, ничего не принято 32 мин 50 с: 2 мин 50 с назад: 451 4.7.1 wait 2m50s',
    '2024: постоянных отказов 590 из 12 000 (4,9 %, больше 1 %) за 1 ч; см. ',
    '2024: жалоб на доставки 91 из 100 000 (0,091 %, больше 0,07 %) за 1 д; см. ',
    'the disk is slow: a commit takes 1.2 s (1200 of 9000 in the last minute were slow)',
    'node n1 is down for 5 min 30 s: 192.0.2.1 is not',
    '12345 deliveries to 2024 wait, the oldest for 1 d 12 h, and none was taken for 32 min 50 s: 2 min 50 s ago: 451 4.7.1 wait 2m50s',
    '2024: 91 of 100000 deliveries were complained about (0.091 %, more than 0.07 %) in 1 d; see ',
  ])
    assert.ok(
      said.some((text) => text.includes(part)),
      `${part}: ${said.join('\n')}`,
    );
  assert.ok(ru.reason('over: a commit takes 0.8ms again').endsWith('0,8 мс'));
  assert.match(
    ru.reason('900 MB are free in /x, injection is refused below 1000 MB (disk_reserve); make room'),
    /^свободно 900 МБ в \/x, ниже 1.?000 МБ /,
  );
});

test('both languages have the same words, with the same places for values', () => {
  const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const [word, text] of Object.entries(TABLES.en)) {
    const other = TABLES.ru[word as keyof typeof TABLES.ru];
    assert.deepEqual(places(other), places(text), word);
    assert.match(other, /[а-яё]/i, word);
  }
});

test('a speed and its limit have their unit once, if it is the same', () => {
  assert.equal(en.speedOf(0.02, 6, 0.2), '1.2 ≤ 12/min');
  assert.equal(en.speedOf(0.5, 9, 2), '30/min ≤ 2/s');
  assert.equal(ru.speedOf(3, 9, 1_000), '3 ≤ 1\u00a0000/с');
});

test('a speed is shown above its limit only when it was', () => {
  // Five attempts, each thirty seconds after the other, in 130 s.
  assert.equal(en.speedOf(5 / 130, 5, 1 / 30), '2 ≤ 2/min');
  assert.equal(en.speedOf(50 / 130, 50, 1 / 30), '23.1 ≤ 2/min', 'the limit was lowered just now');
});

test('where there is little room figures are short', () => {
  assert.deepEqual([en.short(9_999_999), en.short(2_550_015_000)], ['9,999,999', '2.55B']);
  for (const one of [0, 1_234_567, 12_345_678, 9_876_543_210])
    assert.ok(en.short(one).length <= 9 && ru.short(one).length <= 9, ru.short(one));
});
