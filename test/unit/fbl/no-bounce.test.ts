/** Mail that speaks of absence, tickets, checks of senders, parcels that were not delivered: nobody's address is dead by it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Mail, parse } from './text-mail.ts';

const OTHER_MAIL: readonly Mail[] = [
  {
    from: 'Anna <anna@firma.example>',
    subject: 'Abwesenheitsnotiz: Angebote',
    text: 'Ich bin bis 10. Februar nicht im Büro. Ihre Nachricht wird nicht weitergeleitet. In dringenden Fällen wenden Sie sich an bert@firma.example.',
  },
  {
    from: 'Anna <anna@firma.example>',
    subject: 'Re: Angebote der Woche',
    text: 'Vielen Dank für Ihre E-Mail. Ich bin im Urlaub; Ihre Mail konnte nicht gelesen werden.',
    more: 'Auto-Submitted: auto-replied',
  },
  {
    from: 'Jean <jean@societe.example>',
    subject: 'Réponse automatique : Offres',
    text: "Je suis absent jusqu'au 10 février. Votre message n'a pas été remis à un collègue.",
  },
  {
    from: 'Jean <jean@societe.example>',
    subject: 'Absence du bureau',
    text: "Je suis en congé. En cas d'urgence écrivez à marie@societe.example.",
    more: 'X-Autoreply: yes',
  },
  {
    from: 'Juan <juan@empresa.example>',
    subject: 'Respuesta automática: Ofertas',
    text: 'Estoy fuera de la oficina. Su mensaje no será entregado hasta mi regreso.',
  },
  {
    from: 'Luca <luca@ditta.example>',
    subject: 'Risposta automatica: Offerte',
    text: 'Sono in ferie fino al 10 febbraio. Il messaggio non verrà letto.',
  },
  {
    from: 'Luca <luca@ditta.example>',
    subject: 'Fuori ufficio: Offerte',
    text: 'Sono fuori ufficio. Per urgenze scrivere a sara@ditta.example',
  },
  {
    from: 'Jan <jan@firma.pl>',
    subject: 'Odpowiedź automatyczna: oferty',
    text: 'Jestem na urlopie do 10 lutego. Wiadomość nie zostanie przekazana.',
  },
  {
    from: 'Иван <ivan@kompaniya.ru>',
    subject: 'Автоответ: предложения',
    text: 'Я в отпуске до 10 февраля. Ваше письмо доставлено, но будет прочитано позже.',
  },
  {
    from: 'Иван <ivan@kompaniya.ru>',
    subject: 'Re: предложения',
    text: 'Меня нет на месте. Сообщение не доставлено моим коллегам: пишите olga@kompaniya.ru.',
    more: 'Auto-Submitted: auto-replied',
  },
  { from: 'Тарас <taras@firma.ua>', subject: 'Автовідповідь: пропозиції', text: 'Я у відпустці.' },
  {
    from: 'Jana <jana@firma.cz>',
    subject: 'Automatická odpověď: nabídka',
    text: 'Jsem mimo kancelář do 10. února.',
  },
  {
    from: 'Joao <joao@empresa.com.br>',
    subject: 'Resposta automática: ofertas',
    text: 'Estou de férias. A sua mensagem não foi entregue a outra pessoa.',
  },
  {
    from: '太郎 <taro@kaisha.example>',
    subject: '自動応答: お知らせ',
    text: '休暇中のため、メールを確認できません。急ぎの場合は hana@kaisha.example までご連絡ください。',
  },
  {
    from: 'Piet <piet@bedrijf.example>',
    subject: 'Automatisch antwoord: aanbieding',
    text: 'Ik ben afwezig. Uw bericht wordt niet doorgestuurd.',
  },
  {
    from: 'Ann <ann@corp.example>',
    subject: 'Out of Office',
    text: 'I am away and your message could not be read. Contact bob@corp.example',
  },
  {
    from: 'Ann <ann@corp.example>',
    subject: 'I am out of the office until 10 Feb',
    text: 'I no longer work in this department; the mailbox is not monitored. Delivery to bob@corp.example works.',
  },
  {
    from: 'Ann <ann@corp.example>',
    subject: 'Automatic reply: offers',
    text: 'I have left the company. This mailbox is no longer in use. Please write to bob@corp.example instead.',
  },
  {
    from: 'Support <support@corp.example>',
    subject: '[Ticket #12345] We have received your request',
    text: 'Your message to support@corp.example has been received. If it could not be delivered to the right team we will return to you.',
  },
  {
    from: 'Helpdesk <no-reply@desk.example>',
    subject: 'Your request was rejected: closed address',
    text: 'This address does not accept new tickets. Your message was not delivered to an agent. Please use the portal.',
    more: 'Auto-Submitted: auto-generated',
  },
  {
    from: 'Kundenservice <service@firma.example>',
    subject: 'Eingangsbestätigung Ihrer Anfrage [#4711]',
    text: 'Wir haben Ihre Nachricht erhalten.',
  },
  {
    from: 'Ann <ann@corp.example>',
    subject: 'Please confirm your message to ann@corp.example',
    text: 'Your message has not been delivered yet. Click the link to prove that you are human and it will be delivered.',
  },
  {
    from: 'SpamWall <verify@spamwall.example>',
    subject: 'Verify your email address to deliver your message',
    text: 'The message that you sent to ann@corp.example is held. Click to verify.',
  },
  {
    from: 'Spamschutz <bestaetigung@firma.example>',
    subject: 'Bitte bestätigen Sie Ihre Nachricht',
    text: 'Ihre Nachricht an anna@firma.example wurde noch nicht zugestellt. Bitte bestätigen Sie.',
    more: 'Auto-Submitted: auto-replied',
  },
  {
    from: 'Bob <bob@corp.example>',
    subject: 'Re: Offers',
    text: 'Please do not deliver mail to bob@corp.example any more; the last one was rejected by my filter.',
  },
  {
    from: 'Bob <bob@corp.example>',
    subject: 'Undelivered parcel 1234',
    text: 'My parcel could not be delivered. The recipient address was wrong: bob@corp.example.',
  },
  {
    from: 'Bob <bob@corp.example>',
    subject: 'Fwd: Undelivered Mail Returned to Sender',
    text: 'Why do I get this? See below.\n\n<x@corp.example>: 550 5.1.1 user unknown',
  },
  {
    from: 'Shop <orders@shop2.example>',
    subject: 'Delivery failed: your order 77',
    text: 'The courier could not deliver your parcel to the address. Contact support@shop2.example',
  },
  {
    from: 'DHL <noreply@dhl.example>',
    subject: 'Zustellung fehlgeschlagen: Ihr Paket',
    text: 'Ihr Paket konnte nicht zugestellt werden. Der Empfänger war nicht anzutreffen. Kontakt: hilfe@dhl.example',
  },
  {
    from: 'Mail News <news@weekly.example>',
    subject: 'Delivery status of the postal service: undeliverable letters',
    text: 'Letters returned to sender grow; recipients were not found. Write to editor@weekly.example',
  },
  {
    from: 'Ann <ann@corp.example>',
    subject: 'Read: Offers',
    text: 'Your message to ann@corp.example was read on Monday.',
  },
  {
    from: 'Filter <quarantine@corp.example>',
    subject: 'Quarantine summary',
    text: '2 messages to ann@corp.example were not delivered to your mailbox.',
  },
];

describe('what is no bounce', () => {
  for (const mail of OTHER_MAIL)
    test(mail.subject, () => assert.match(parse(mail).kind, /^(?:auto_reply|challenge|other)$/));
});
