/**
 * The server's terms (states, categories, reasons) in Russian; in English they are as the API, the log and the commands
 * name them. A missing one is a type error, one that is not known here is shown as it is.
 */
import type { RefusedCode } from '../../api/index.ts';
import type { BounceCategory, Phase, UndeliveredReason } from '../../core/index.ts';
import type { DeliveryState } from '../../queue/index.ts';

const STATES: Readonly<Record<DeliveryState | 'soft_bounce', string>> = {
  new: 'новое',
  proc: 'в работе',
  retry: 'ждёт повтора',
  hold: 'удержано',
  delivered: 'доставлено',
  soft_bounce: 'временный отказ',
  hard_bounce: 'постоянный отказ',
  undelivered: 'не доставлено',
};

const CATEGORIES: Readonly<Record<BounceCategory, string>> = {
  bad_mailbox: 'ящика нет',
  bad_domain: 'домена нет',
  inactive_mailbox: 'ящик неактивен',
  moved: 'адрес сменился',
  mailbox_full: 'ящик переполнен',
  rate_limited: 'слишком часто',
  greylisted: 'серый список',
  connection_limit: 'слишком много соединений',
  ip_blocked: 'адрес IP заблокирован',
  spam_content: 'похоже на спам',
  policy: 'правила получателя',
  auth_failed: 'проверка подлинности не пройдена',
  sender_refused: 'отправитель отвергнут',
  too_large: 'слишком большое',
  virus: 'вирус',
  relay_denied: 'пересылка запрещена',
  protocol: 'ошибка протокола',
  system: 'сбой у получателя',
  network: 'сбой сети',
  dns: 'сбой DNS',
  tls: 'сбой TLS',
  expired: 'срок истёк',
  other: 'прочее',
};

/** Why a delivery was given up, and why a report had no effect. */
const REASONS: Readonly<Record<UndeliveredReason | RejectedReport, string>> = {
  attempts_exhausted: 'попытки исчерпаны',
  lifetime: 'срок жизни истёк',
  removed: 'удалено оператором',
  refused: 'отвергнуто получателем',
  dropped: 'отброшено стратегией',
  stop_list: 'стоп-лист',
  policy: 'слишком часто этому адресу',
  report: 'по отчёту',
  history_over: 'доставка уже забыта',
  too_many_early: 'слишком много отчётов до конца доставки',
  ended_otherwise: 'доставка кончилась иначе',
  unverified: 'подлинность не подтверждена',
  unauthenticated: 'подлинность не подтверждена',
  bad_token: 'неверный знак доставки',
  auth_failure_report: 'отчёт о проверке подлинности',
  unreadable: 'не читается',
};

type RejectedReport =
  | 'history_over'
  | 'too_many_early'
  | 'ended_otherwise'
  | 'unverified'
  | 'unauthenticated'
  | 'bad_token'
  | 'auth_failure_report'
  | 'unreadable';

const PHASES: Readonly<Record<Phase, string>> = {
  connect: 'соединение',
  greeting: 'приветствие',
  ehlo: 'EHLO',
  starttls: 'STARTTLS',
  auth: 'вход',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  content: 'содержимое',
  quit: 'QUIT',
};

/** Why a request was refused. */
const PROBLEMS: Readonly<Record<RefusedCode, string>> = {
  invalid_request: 'запрос неверен',
  unauthorized: 'нужно войти',
  forbidden: 'не разрешено',
  too_many: 'слишком много запросов',
  not_found: 'не найдено',
  method_not_allowed: 'так нельзя спросить',
  too_large: 'слишком много данных',
  timeout: 'время вышло',
  unsupported_media_type: 'неизвестный вид данных',
  configuration: 'ошибка в настройках',
  conflict: 'противоречит сделанному раньше',
  unavailable: 'сейчас невозможно',
  internal: 'ошибка сервера',
};

export const RUSSIAN_TERMS = {
  state: STATES,
  category: CATEGORIES,
  reason: REASONS,
  phase: PHASES,
  problem: PROBLEMS,
} as const;

export type TermKind = keyof typeof RUSSIAN_TERMS;

export const termInRussian = (kind: TermKind, term: string): string | undefined => {
  const table: Readonly<Record<string, string>> = RUSSIAN_TERMS[kind];
  return Object.hasOwn(table, term) ? table[term] : undefined;
};
