import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextMessageIn } from '../../../src/mta/egress/wait-text.ts';
import { Speech } from '../../../src/dashboard/page/language.ts';
import { TABLES } from '../../../src/dashboard/page/words.ts';

const [en, ru] = [new Speech('en'), new Speech('ru')];

test('reasons of the server are said in Russian, and what others wrote stays as it is', () => {
  for (const [text, said] of [
    ['strategy careful: next message in 23 s', 'стратегия careful: следующее письмо через 23 с'],
    [`cap day: ${nextMessageIn(78_073_000)}`, 'предел day: следующее письмо через 21 ч 42 мин'],
    ['cap day: next message in 3 s', 'предел day: следующее письмо через 3 с'],
    [
      'warm-up slow, stage 2: 500 a day: next message in 60 s',
      'прогрев slow, этап 2: 500 в сутки: следующее письмо через 60 с',
    ],
    [
      'slowed down (421 too many): next message in 2 s',
      'замедлено (421 too many): следующее письмо через 2 с',
    ],
    [
      'next connection in 5 s, after: connection refused',
      'следующее соединение через 5 с, после: connection refused',
    ],
    ['locked by blocked, 30 s left: 554 go away', 'блокировка по blocked, ещё 30 с: 554 go away'],
    [
      'limit of the campaign: 30 per 60 s; next message in 2 s',
      'предел рассылки: 30 за 60 с; следующее письмо через 2 с',
    ],
    ['strategies.default of sender shop', 'strategies.default отправителя shop'],
    [
      'cap day of sender shop: next message in 3 s',
      'предел day отправителя shop: следующее письмо через 3 с',
    ],
    ['attempts_exhausted', 'попытки исчерпаны'],
    ['blocks: its time is over', 'blocks: её время кончилось'],
    ['lifted by hand', 'снята оператором'],
    ['12 % rate_limited: 421 too many', '12 % — слишком часто: 421 too many'],
    [
      'gmail: 40 of 900 attempts were put off (4.4 %, more than 3 %) in 1h; see "postrider report bounces --by isp,reply"',
      'gmail: отложено попыток 40 из 900 (4.4 %, больше 3 %) за 1h; см. "postrider report bounces --by isp,reply"',
    ],
    [
      '5 deliveries to gmail wait, the oldest for 1h, and none was taken for 40m: limit of the campaign: 30 per 60 s; next message in 2 s; 5m ago: 451 too many',
      'к gmail ждут доставок: 5, старейшая — 1h, ничего не принято 40m: предел рассылки: 30 за 60 с; следующее письмо через 2 с; 5m назад: 451 too many',
    ],
    ['over: a commit takes 22ms again', 'прошло: запись снова занимает 22ms'],
    ['purge campaign_id=spring', 'удалить: campaign_id=spring'],
    ['the interval of the retry rule is not over', 'интервал повтора ещё не прошёл'],
    [
      'node n1 is down: 192.0.2.1 is not on this machine',
      'узел n1 недоступен: адреса 192.0.2.1 нет на этой машине',
    ],
    ['550 5.1.1 No such user', '550 5.1.1 No such user'],
  ] as const) {
    assert.equal(ru.reason(text), said);
    assert.equal(en.reason(text), text);
  }
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
