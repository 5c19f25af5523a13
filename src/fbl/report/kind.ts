/**
 * Mail that comes to the boxes for reports and is none: replies of machines (RFC 3834), disposition notifications
 * (RFC 8098), challenges, and requests to be taken off the list.
 */
import { fieldOf } from './header.ts';
import { type Part, walk } from './part.ts';
import type { MailHead } from './types.ts';

export const isMdn = (root: Part): boolean =>
  /disposition-notification/i.test(root.parameters.get('report-type') ?? '') ||
  [...walk(root)].some(({ type }) => type === 'message/disposition-notification');

/** The sender says so in a header field, or the subject does. */
export function isAutoReply(root: Part, subject: string): boolean {
  const value = (name: string): string => (fieldOf(root.fields, name) ?? '').toLowerCase();
  return (
    /^auto-(?:replied|generated|notified)/.test(value('auto-submitted')) ||
    ['x-autoreply', 'x-autorespond', 'x-autoreply-from', 'x-autoresponder', 'x-mail-autoreply'].some(
      (name) => fieldOf(root.fields, name) !== undefined,
    ) ||
    /auto_?reply/.test(value('precedence')) ||
    AUTO_SUBJECT.test(subject)
  );
}

const AUTO_SUBJECT =
  /^\W*(?:(?:re|aw|sv|antw)\W+)?(?:out of (?:the )?office|auto(?:matic|mated)?[ -]?(?:reply|response|answer|antwort)|automatische antwort|abwesenheit|r[ée]ponse automatique|respuesta autom[áa]tica|risposta automatica|автоответ|vacation|on (?:holiday|leave)|away from)/iu;

export const isChallenge = (root: Part, subject: string): boolean =>
  CHALLENGE.test(subject) || /boxbe|spamarrest|tmda/i.test(fieldOf(root.fields, 'from') ?? '');

const CHALLENGE =
  /(?:please )?(?:confirm|verify|authenticate) (?:that you|your (?:message|mail|e-mail|email))|(?:verification|confirmation) (?:required|requested)|action required/i;

export function isUnsubscribe(head: MailHead): boolean {
  return (
    /^\W*(?:re\W+)?(?:unsubscribe|opt[- ]?out|remove me|abmelden|d[ée]sabonner|отписаться)\b/iu.test(
      head.subject,
    ) || head.to.some((address) => /^(?:u\+|unsub|opt-?out|list-unsub|leave-)/i.test(address))
  );
}
