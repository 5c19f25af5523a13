/** How the page says things in a language: texts, figures, ages and times. */
import type { Failure } from './ask.ts';
import { inEnglish } from './durations.ts';
import { inRussian } from './reasons.ts';
import { type TermKind, termInRussian } from './terms.ts';
import { type Language, TABLES, type Word } from './words.ts';

export class Speech {
  readonly language: Language;
  /** By the most digits behind the point: making one takes longer than using it a hundred times. */
  readonly #numbers: readonly Intl.NumberFormat[];
  readonly #short: Intl.NumberFormat;

  constructor(language: Language) {
    this.language = language;
    this.#numbers = [0, 1, 2].map(
      (maximumFractionDigits) => new Intl.NumberFormat(language, { maximumFractionDigits }),
    );
    this.#short = new Intl.NumberFormat(language, { notation: 'compact', maximumSignificantDigits: 3 });
  }

  /** A text, with the values put in for `{name}`. */
  readonly say = (word: Word, values: Readonly<Record<string, string | number>> = {}): string =>
    TABLES[this.language][word].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));

  /** What the server gives as a reason: a term, or a sentence. */
  readonly reason = (text: string): string =>
    this.language === 'ru' ? (termInRussian('reason', text) ?? inRussian(text)) : inEnglish(text);

  /** Why a request failed: in a language of its own what it is, and then the text of the server. */
  readonly problem = ({ code, message }: Pick<Failure, 'code' | 'message'>): string => {
    const said = this.reason(message);
    if (said !== message) return said;
    const what = code === 'no_answer' ? this.say('noAnswer') : this.term('problem', code);
    return what === code ? message : `${what}: ${message}`;
  };

  /** What the server calls something; it may call it otherwise in a language. */
  readonly term = (kind: TermKind, name: string): string =>
    (this.language === 'ru' ? termInRussian(kind, name) : undefined) ?? name;

  readonly number = (value: number, digits: 0 | 1 | 2 = 0): string => this.#numbers[digits]!.format(value);

  /** No longer than nine characters, where there is no room for more. */
  readonly short = (value: number): string => (value < 1e7 ? this.number(value) : this.#short.format(value));

  /** A speed; seldom things are said by the minute, so that they do not look like none. */
  readonly speed = (perSecond: number): string =>
    perSecond >= 1
      ? `${this.number(perSecond, perSecond < 10 ? 1 : 0)}${this.say('perSecond')}`
      : `${this.number(perSecond * 60, 1)}/${this.say('min')}`;

  /**
   * A speed over so many attempts and what it may be at most; the unit once where it is the same. Of the attempts of a
   * time there may be one more than its intervals, which is not faster than allowed and must not look so.
   */
  readonly speedOf = (perSecond: number, attempts: number, most: number): string => {
    const allowed = attempts > 0 && perSecond * (1 - 1 / attempts) <= most;
    const [now, limit] = [this.speed(allowed ? Math.min(perSecond, most) : perSecond), this.speed(most)];
    const unit = limit.slice(limit.indexOf('/'));
    return `${now.endsWith(unit) ? now.slice(0, -unit.length) : now} ≤ ${limit}`;
  };

  /** How long something has lasted: never more than it has. */
  readonly age = (seconds: number): string => this.#span(seconds, Math.floor);

  /** How long something will still take, to the nearest. */
  readonly timeLeft = (seconds: number): string => this.#span(seconds, Math.round);

  #span(seconds: number, whole: (value: number) => number): string {
    const tenths = (unit: number): string => this.number(whole((seconds / unit) * 10) / 10, 1);
    if (seconds < 90) return `${whole(seconds)} ${this.say('s')}`;
    if (seconds < 90 * 60) return `${whole(seconds / 60)} ${this.say('min')}`;
    if (seconds < 48 * 3600) return `${tenths(3600)} ${this.say('h')}`;
    return `${tenths(86400)} ${this.say('d')}`;
  }

  readonly time = (at: number | string): string =>
    new Date(at).toLocaleTimeString(this.language, { hourCycle: 'h23' });
  /** To the minute, with the date where that is another one than `now` has. */
  readonly minute = (at: number, now: number): string => {
    const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
    const day = sameDay ? {} : ({ day: 'numeric', month: 'short' } as const);
    const options = { ...day, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
    return new Date(at).toLocaleString(this.language, options);
  };
  /** Of all times of the page: the browser's. */
  readonly zone =
    new Intl.DateTimeFormat('en', { timeZoneName: 'short' })
      .formatToParts()
      .find(({ type }) => type === 'timeZoneName')?.value ?? '';
  readonly dateTime = (at: number | string): string =>
    new Date(at).toLocaleString(this.language, {
      dateStyle: 'medium',
      timeStyle: 'medium',
      hourCycle: 'h23',
    });
}
