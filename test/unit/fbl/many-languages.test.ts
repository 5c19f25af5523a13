/**
 * Bounces in words, in many languages, written by hand in the manner of mail systems. Some rules were widened until these
 * passed, so they keep what is understood and measure nothing: how well unseen reports are read, the corpus says.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Classifier, classifyReported } from '../../../src/bounce/index.ts';
import { type Mail, parse } from './text-mail.ts';

const classifier = new Classifier();

/** Recipient, class, category, action of each recipient; what is delayed needs no cause. */
function said(mail: Mail): readonly string[] {
  const report = parse(mail);
  if (report.kind !== 'dsn') return [report.kind];
  return report.recipients.map((one) => {
    if (one.action !== 'failed') return `${one.address} ${one.action}`;
    const { class: bounceClass, category } = classifyReported(classifier, one, { notice: report.notice });
    return `${one.address} ${bounceClass} ${category}`;
  });
}

type Bounce = readonly [what: string, mail: Mail];

const BOUNCES: Readonly<Record<string, readonly Bounce[]>> = {
  German: [
    [
      'anna@firma.example hard bad_mailbox',
      {
        from: 'Mail Delivery System <MAILER-DAEMON@mx.firma.example>',
        subject: 'Unzustellbare Nachricht',
        text: 'Ihre Nachricht konnte nicht zugestellt werden.\n\nDie folgenden Empfänger wurden nicht erreicht:\n\n  anna@firma.example\n    Fehler: Benutzer unbekannt',
      },
    ],
    [
      'bert@firma.example soft mailbox_full',
      {
        from: 'postmaster@firma.example',
        subject: 'Zustellung fehlgeschlagen: Angebote der Woche',
        text: 'Sehr geehrter Absender,\n\nIhre E-Mail an bert@firma.example konnte leider nicht zugestellt werden, da das Postfach des Empfängers voll ist.\n\nBitte versuchen Sie es zu einem späteren Zeitpunkt erneut.',
      },
    ],
    [
      'carla@firma.example delayed',
      {
        from: 'MAILER-DAEMON@mx.firma.example',
        subject: 'Verzögerte Zustellung (Warnung)',
        text: 'Dies ist nur eine Warnung. Sie müssen Ihre Nachricht nicht erneut senden.\n\nIhre Nachricht an\n\n    <carla@firma.example>\n\nkonnte seit 4 Stunden nicht zugestellt werden. Es wird weiter versucht, sie zuzustellen.',
      },
    ],
  ],
  French: [
    [
      'jean@societe.example hard bad_mailbox',
      {
        from: 'Postmaster <postmaster@societe.example>',
        subject: 'Échec de la remise : Offres',
        text: "Votre message n'a pas pu être remis au destinataire suivant :\n\n   jean@societe.example : utilisateur inconnu\n\nLe message d'origine est joint.",
      },
    ],
    [
      'marie@societe.example soft mailbox_full',
      {
        from: 'MAILER-DAEMON@societe.example',
        subject: 'Message non remis',
        text: "Bonjour,\n\nle message que vous avez envoyé à <marie@societe.example> n'a pas été distribué : la boîte aux lettres du destinataire est pleine.",
      },
    ],
  ],
  Spanish: [
    [
      'juan@empresa.example hard bad_mailbox',
      {
        from: 'Mail Delivery Subsystem <mailer-daemon@empresa.example>',
        subject: 'Mensaje no entregado',
        text: 'No se ha podido entregar su mensaje a los siguientes destinatarios:\n\njuan@empresa.example\nEl usuario no existe.',
      },
    ],
    [
      'maria@empresa.example soft mailbox_full',
      {
        from: 'postmaster@empresa.example',
        subject: 'Error de entrega',
        text: 'Su mensaje para maria@empresa.example no pudo ser entregado.\nMotivo: el buzón está lleno.',
      },
    ],
  ],
  Italian: [
    [
      'luca@ditta.example hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@ditta.example',
        subject: 'Mancata consegna del messaggio',
        text: 'Il messaggio inviato non è stato consegnato ai seguenti destinatari:\n\n    <luca@ditta.example>: utente sconosciuto',
      },
    ],
    [
      'sara@ditta.example soft mailbox_full',
      {
        from: 'postmaster@ditta.example',
        subject: 'Impossibile recapitare il messaggio',
        text: 'Impossibile recapitare il messaggio a sara@ditta.example perché la casella di posta è piena.',
      },
    ],
  ],
  Polish: [
    [
      'jan@firma.pl hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@firma.pl',
        subject: 'Nie dostarczono wiadomości',
        text: 'Twoja wiadomość nie została dostarczona do następujących odbiorców:\n\n  jan@firma.pl - użytkownik nie istnieje',
      },
    ],
    [
      'ewa@firma.pl soft mailbox_full',
      {
        from: 'postmaster@firma.pl',
        subject: 'Zwrot: wiadomość niedostarczona',
        text: 'Nie można dostarczyć wiadomości na adres ewa@firma.pl.\nPowód: skrzynka odbiorcy jest pełna.',
      },
    ],
  ],
  Russian: [
    [
      'ivan@kompaniya.ru hard bad_mailbox',
      {
        from: 'Mail Delivery System <MAILER-DAEMON@kompaniya.ru>',
        subject: 'Недоставленное сообщение',
        text: 'Ваше сообщение не было доставлено следующим получателям:\n\nivan@kompaniya.ru: пользователь не найден',
      },
    ],
    [
      'olga@kompaniya.ru soft mailbox_full',
      {
        from: 'postmaster@kompaniya.ru',
        subject: 'Сообщение не доставлено',
        text: 'К сожалению, Ваше письмо для olga@kompaniya.ru не может быть доставлено, так как почтовый ящик получателя переполнен.',
      },
    ],
    [
      'petr@kompaniya.ru delayed',
      {
        from: 'MAILER-DAEMON@kompaniya.ru',
        subject: 'Задержка доставки сообщения',
        text: 'Ваше сообщение для petr@kompaniya.ru пока не доставлено. Попытки доставки будут продолжены. Повторно отправлять письмо не нужно.',
      },
    ],
  ],
  Ukrainian: [
    [
      'taras@firma.ua hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@firma.ua',
        subject: 'Повідомлення не доставлено',
        text: 'Ваше повідомлення не вдалося доставити таким одержувачам:\n\ntaras@firma.ua: користувача не знайдено',
      },
    ],
    [
      'oksana@firma.ua soft mailbox_full',
      {
        from: 'postmaster@firma.ua',
        subject: 'Помилка доставки пошти',
        text: 'Лист для oksana@firma.ua не може бути доставлений: поштова скринька переповнена.',
      },
    ],
  ],
  Czech: [
    [
      'jana@firma.cz hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@firma.cz',
        subject: 'Nedoručitelná zpráva',
        text: 'Vaši zprávu se nepodařilo doručit těmto příjemcům:\n\njana@firma.cz: uživatel neexistuje',
      },
    ],
    [
      'petr@firma.cz soft mailbox_full',
      {
        from: 'postmaster@firma.cz',
        subject: 'Zpráva nebyla doručena',
        text: 'Zpráva pro petr@firma.cz nebyla doručena, schránka příjemce je plná.',
      },
    ],
  ],
  Portuguese: [
    [
      'joao@empresa.com.br hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@empresa.com.br',
        subject: 'Falha na entrega da mensagem',
        text: 'A sua mensagem não foi entregue aos seguintes destinatários:\n\n<joao@empresa.com.br>: usuário desconhecido',
      },
    ],
    [
      'ana@empresa.com.br soft mailbox_full',
      {
        from: 'postmaster@empresa.com.br',
        subject: 'Mensagem devolvida ao remetente',
        text: 'Não foi possível entregar a mensagem para ana@empresa.com.br: a caixa postal do destinatário está cheia.',
      },
    ],
  ],
  Japanese: [
    [
      'taro@kaisha.example hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@kaisha.example',
        subject: '配信できませんでした',
        text: '次の宛先にメールを配信できませんでした。\n\ntaro@kaisha.example\n理由: 宛先のユーザーが存在しません。',
      },
    ],
    [
      'hana@kaisha.example soft mailbox_full',
      {
        from: 'postmaster@kaisha.example',
        subject: 'メール配信エラー',
        text: 'hana@kaisha.example 宛のメールは、メールボックスの容量が一杯のため配送できませんでした。',
      },
    ],
  ],
  Dutch: [
    [
      'piet@bedrijf.example hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@bedrijf.example',
        subject: 'Onbestelbaar: aanbieding',
        text: 'Uw bericht kon niet worden afgeleverd bij de volgende ontvangers:\n\npiet@bedrijf.example - onbekende gebruiker',
      },
    ],
  ],
  Chinese: [
    [
      'li@gongsi.example hard bad_mailbox',
      {
        from: 'postmaster@gongsi.example',
        subject: '系统退信',
        text: '抱歉，您的邮件被退回来了……\n收件人地址：li@gongsi.example\n退信原因：收件人邮箱不存在',
      },
    ],
  ],
  Turkish: [
    [
      'ali@sirket.example hard bad_mailbox',
      {
        from: 'MAILER-DAEMON@sirket.example',
        subject: 'İletilemedi: haber',
        text: 'İletiniz aşağıdaki alıcılara teslim edilemedi:\n\nali@sirket.example: kullanıcı bulunamadı',
      },
    ],
  ],
};

const WELL: readonly Mail[] = [
  {
    from: 'MAILER-DAEMON@corp.example',
    subject: 'Delivery Status Notification (Success)',
    text: 'Your message was successfully delivered to a@corp.example.',
  },
  {
    from: 'postmaster@corp.example',
    subject: 'Relayed: Offers',
    text: 'Delivery to these recipients is complete, but no delivery notification was sent by the destination server:\n\na@corp.example',
  },
];

describe('bounces in words', () => {
  for (const [language, bounces] of Object.entries(BOUNCES))
    for (const [what, mail] of bounces)
      test(`${language}: ${what}`, () => assert.deepEqual(said(mail), [what]));

  for (const mail of WELL)
    test(`${mail.subject}: told of success`, () =>
      assert.deepEqual(said(mail), ['a@corp.example delivered']));

  for (const subject of [
    'Unsuccessful delivery',
    'Mail could not be successfully delivered',
    'Delivered: not possible',
  ])
    test(`${subject}: told of no success`, () => {
      const from = 'MAILER-DAEMON@corp.example';
      const text =
        'Your message could not be delivered to the following recipient:\n\n<a@corp.example>: 550 5.1.1 user unknown';
      assert.deepEqual(said({ from, subject, text }), ['a@corp.example hard bad_mailbox']);
    });
});
