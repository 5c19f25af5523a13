/**
 * Reasons as the server words them, in Russian. What is not known here (a reply of a receiver, a reason that an operator
 * wrote) stays as it is.
 */
import { spelled } from './durations.ts';
import { termInRussian } from './terms.ts';

/** In a text `$1` is what was found, `#1` the same as a figure and `~1` as a duration. */
type Phrase = readonly [RegExp, string | ((found: string, ...parts: string[]) => string)];

const NUMBERS = new Intl.NumberFormat('ru', { maximumSignificantDigits: 15 });
const figure = (text: string): string => NUMBERS.format(Number(text));

/** `2m50s`: `2 мин 50 с` */
const duration = (text: string): string => spelled(text, 'ru', figure);

const FORMS: Readonly<Record<string, (text: string) => string>> = {
  $: (text) => text,
  '#': figure,
  '~': duration,
};

const PHRASES: readonly Phrase[] = [
  [/\bnext message in (\d+) s/g, 'следующее письмо через $1 с'],
  [/\bnext message in (\d+) h (\d+) min/g, 'следующее письмо через $1 ч $2 мин'],
  [/\bnext connection in (\d+) s, after: /g, 'следующее соединение через $1 с, после: '],
  [
    /^limit of the campaign: (\d+) per start are used up; .*/,
    'предел рассылки: #1 за запуск исчерпан; остальное ждёт запуска',
  ],
  [/^limit of the campaign: (\d+) per ([\d.]+) s now, growing/, 'предел рассылки: сейчас #1 за #2 с, растёт'],
  [/^limit of the campaign: (\d+) per ([\d.]+) s/, 'предел рассылки: #1 за #2 с'],
  [/^looking up where mail for (\S+) goes$/, 'выясняется, куда отправлять почту для $1'],
  [
    /^node (\S+) is not configured; the mail moves to another node of its sender$/,
    'узла $1 нет в настройках; почта уходит на другой узел своего отправителя',
  ],
  [/^strategy /, 'стратегия '],
  [/^cap /, 'предел '],
  [/^предел (\S+) of sender (\S+): /, 'предел $1 отправителя $2: '],
  // Why a cell has these settings.
  [/^(\S+) of sender (\S+)$/, '$1 отправителя $2'],
  [/^(\S+) of node (\S+)$/, '$1 узла $2'],
  [/^the strategy that ISP (\S+) starts with$/, 'с неё начинает провайдер $1'],
  [/^no sender uses the node$/, 'узел не нужен ни одному отправителю'],
  [/^warm-up paused: /, 'прогрев приостановлен: '],
  [/^warm-up (.+), stage (\d+): (\d+) a day/, 'прогрев $1, этап $2: #3 в сутки'],
  [/^slowed down \(/, 'замедлено ('],
  [/\block(?:ed)? by hand/g, 'блокировка оператором'],
  [/\block(?:ed)? by (\S+)/g, 'блокировка по $1'],
  [/(?<=блокировка (?:оператором|по \S+), )((?:\d+[dhms])+) left: /g, 'ещё ~1: '],
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
  [/^too many wrong tokens: wait a minute$/, 'слишком много неверных токенов: подождите минуту'],
  // Locks and speeds, as their events say it; behind the name of a rule or not.
  [/^by an operator$/, 'оператором'],
  [/^(\S+: )?lifted by hand$/, '$1снята оператором'],
  [/^(\S+: )?its time is over$/, '$1её время кончилось'],
  [/^(\S+: )?no mail came to try$/, '$1не нашлось почты для пробы'],
  [/^(\S+: )?a probe was delivered$/, '$1пробная доставка удалась'],
  [
    /^(\S+: )?a probe was refused for another reason$/,
    '$1пробная доставка отвергнута по другой причине: получатель отвечает',
  ],
  [/^no trouble$/, 'отказов нет'],
  [/^no trouble up to the speed of the strategy$/, 'отказов нет до скорости стратегии'],
  [/^a little trouble at the known speed$/, 'немного отказов на известной скорости'],
  [/^nothing was sent for a day$/, 'сутки ничего не отправлялось'],
  [/^the strategy is not faster than this any more$/, 'стратегия больше не быстрее этого'],
  [/^(\d+) % ([a-z_]+): /, (_, share, category) => `${share} % — ${categoryOf(category)}: `],
  [/^rule (\S+): /, 'правило $1: '],
  // Nodes and warm-ups.
  [/^node (\S+) is (running|draining|locked|stopped)$/, (_, node, state) => `узел ${node}: ${STATES[state]}`],
  [/^the address (\S+) is not on this machine$/, 'адреса $1 нет на этой машине'],
  [/^warm-up (?:resumed by hand|goes on after a pause)$/, 'прогрев продолжается'],
  [/^warm-up done$/, 'прогрев завершён'],
  [/^warm-up stage (\d+) of (\d+): (\d+) a day$/, 'прогрев: этап $1 из $2, #3 в сутки'],
  [
    /^прогрев приостановлен: ([\d.]+) % (hard bounces|blocks) of (\d+), the last one: /,
    (_, share, what, all) =>
      `прогрев приостановлен: ${figure(share)} % ${what === 'blocks' ? 'блокировок' : 'постоянных отказов'} из ${figure(all)}, последний: `,
  ],
  // Alerts; `over: ` when they are.
  [/^over: /, 'прошло: '],
  [
    /^(прошло: )?(\d+) deliveries to (\S+) wait, the oldest for (\S+), and none was taken for ([^\s:]+)/,
    '$1к $3 ждут доставок: #2, старейшая — ~4, ничего не принято ~5',
  ],
  // Its end is why: what the first of them waits for, and the last thing that went wrong.
  [/(?<=ничего не принято .*[:;] )(\S+) ago: /, '~1 назад: '],
  [/(?<=ничего не принято .*: )limit of the campaign: (\d+) per ([\d.]+) s/, 'предел рассылки: #1 за #2 с'],
  [
    /^(прошло: )?node (\S+) is down for (\S+): (\S+) is not on this machine; bring the address up$/,
    '$1узел $2 недоступен ~3: адреса $4 нет на этой машине; поднимите адрес',
  ],
  [
    /^(прошло: )?(\S+): (\d+) of (\d+) (attempts bounced for good|attempts were put off|deliveries were complained about) \(([\d.e+]+) %, more than ([\d.]+) %\) in ([^\s;]+); see /,
    (_, ...[over, isp, part, all, what, share, most, period]) =>
      `${over ?? ''}${isp}: ${SHARES[what!]} ${figure(part!)} из ${figure(all!)} (${figure(share!)} %, больше ${figure(most!)} %) за ${duration(period!)}; см. `,
  ],
  [
    /^(прошло: )?(\S+) is (\d+) events behind, at (\d+) % of what the journal keeps; let it catch up, or raise /,
    '$1$2 отстаёт на событий: #3, это $4 % того, что хранит журнал; дайте догнать или увеличьте ',
  ],
  [/\bthe store cannot write: /, 'хранилище не пишется: '],
  [
    /(\d+) MB are free in (\S+), injection is refused below (\d+) MB \(disk_reserve\)/,
    'свободно #1 МБ в $2, ниже #3 МБ (disk_reserve) почта не принимается',
  ],
  [/(\d+) MB of mail wait for the disk/, '#1 МБ почты ждут диска'],
  [/; make room( in \S+)?$/, (_, place = '') => `; освободите место${place.replace(' in ', ' в ')}`],
  [
    /the disk is slow: a commit takes (\S+) \((\d+) of (\d+) in the last minute were slow\)\. Mail is acknowledged and sent no faster than that, none is lost; see what keeps the disk of data_dir busy, or whether it fails /,
    'диск медленный: запись занимает ~1 (медленных за минуту: #2 из #3). Почта принимается и отправляется не быстрее, ничего не теряется; посмотрите, чем занят диск data_dir и исправен ли он ',
  ],
  [/^прошло: a commit takes (\S+) again$/, 'прошло: запись снова занимает ~1'],
  // What operators and reloads did.
  [/^reloaded without a change$/, 'перечитана без изменений'],
  [/^changed: /, 'изменено: '],
  [/^campaign (.+) was started$/, 'рассылка $1 запущена'],
  [/^limits of campaign (.+): none$/, 'пределы рассылки $1: нет'],
  [/^limits of campaign /, 'пределы рассылки '],
  [
    /^(hold|release|purge|retry|move|change|redate) (?=\S+=|all)/,
    (_, operation) => `${OPERATIONS[operation]}: `,
  ],
];

const STATES: Readonly<Record<string, string>> = {
  running: 'работает',
  draining: 'выводится из работы',
  locked: 'заблокирован',
  stopped: 'остановлен',
};
const SHARES: Readonly<Record<string, string>> = {
  'attempts bounced for good': 'постоянных отказов',
  'attempts were put off': 'отложено попыток',
  'deliveries were complained about': 'жалоб на доставки',
};
const OPERATIONS: Readonly<Record<string, string>> = {
  hold: 'удержать',
  release: 'отпустить',
  purge: 'удалить',
  retry: 'повторить сейчас',
  move: 'перенести',
  change: 'изменить',
  redate: 'перенести по времени',
};
const categoryOf = (category: string): string => termInRussian('category', category) ?? category;

const filledIn = (words: string, found: readonly string[]): string =>
  words.replace(/([$#~])(\d)/g, (_, form: string, place: string) => FORMS[form]!(found[Number(place)] ?? ''));

export const inRussian = (text: string): string =>
  PHRASES.reduce(
    (said, [phrase, words]) =>
      typeof words === 'string'
        ? said.replace(phrase, (...found: string[]) => filledIn(words, found))
        : said.replace(phrase, words),
    text,
  );
