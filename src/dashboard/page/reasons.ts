/**
 * Reasons as the server words them, in Russian. What is not known here (a reply of a receiver, a reason that an operator
 * wrote) stays as it is.
 */
const PHRASES: readonly (readonly [RegExp, string])[] = [
  [/\bnext message in (\d+) s/g, 'следующее письмо через $1 с'],
  [/\bnext message in (\d+) h (\d+) min/g, 'следующее письмо через $1 ч $2 мин'],
  [/\bnext connection in (\d+) s, after: /g, 'следующее соединение через $1 с, после: '],
  [
    /^limit of the campaign: (\d+) per start are used up; .*/,
    'предел рассылки: $1 за запуск исчерпан; остальное ждёт запуска',
  ],
  [/^limit of the campaign: (\d+) per ([\d.]+) s now, growing/, 'предел рассылки: сейчас $1 за $2 с, растёт'],
  [/^limit of the campaign: (\d+) per ([\d.]+) s/, 'предел рассылки: $1 за $2 с'],
  [/^strategy /, 'стратегия '],
  [/^cap /, 'предел '],
  [/^warm-up paused: /, 'прогрев приостановлен: '],
  [/^warm-up (.+), stage (\d+): (\d+) a day/, 'прогрев $1, этап $2: $3 в сутки'],
  [/^slowed down \(/, 'замедлено ('],
  [/\block(?:ed)? by hand/g, 'блокировка оператором'],
  [/\block(?:ed)? by (\S+)/g, 'блокировка по $1'],
  [/, (\d+) s left: /g, ', ещё $1 с: '],
  [/: one delivery goes first to try, after: /g, ': сначала пробная доставка, после: '],
  [/^the interval of the retry rule is not over$/, 'интервал повтора ещё не прошёл'],
  [/^it must not be sent before that time$/, 'раньше этого времени отправлять нельзя'],
  [/^it is due and waits for its turn$/, 'пора отправлять, ждёт своей очереди'],
  [/^the operator of the server holds it$/, 'удержано оператором сервера'],
  [/^an operation of an operator .*/, 'его забирает операция оператора'],
  [
    /^held since (\S+) by (\S+) \(hold (\d+): (.*)\); to let it go: /,
    'удержано с $1, $2 ($3: $4); отпустить: ',
  ],
  [/^held since (\S+) \(hold (\d+): (.*)\); to let it go: /, 'удержано с $1 ($2: $3); отпустить: '],
  [/^node (\S+) is down: (\S+) is not on this machine$/, 'узел $1 недоступен: адреса $2 нет на этой машине'],
  [/^injection is refused: /, 'почта не принимается: '],
  [/^no mail comes in over SMTP: /, 'по SMTP почта не приходит: '],
  [/^stopping$/, 'останавливается'],
  [/^running$/, 'работает'],
  [/^draining$/, 'выводится из работы'],
  [/^locked$/, 'заблокирован'],
  [/^down$/, 'недоступен'],
  [/^stopped$/, 'остановлен'],
  [/^this is not the token of /, 'это не токен из '],
];

export const inRussian = (text: string): string =>
  PHRASES.reduce((said, [phrase, words]) => said.replace(phrase, words), text);
