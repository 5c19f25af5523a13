/**
 * The families of words by which mail systems say, in their languages, that mail came back. Expressions here run on
 * text from strangers, line by line or over a bounded notice; none has nested repetition.
 */

/** Subjects of bounces. */
export const FAILED_SUBJECT = new RegExp(
  [
    String.raw`undeliver|non[- ]?deliver|not delivered|returned (?:to sender|mail|message)|return(?:ed)? to sender`,
    String.raw`(?:mail|message|e-?mail)?\s*(?:delivery|deliver|transmission|sending) ?(?:\w+ )?(?:fail|error|problem|delay|warning|status|report|notification|notice|impossible|incomplete)`,
    String.raw`fail(?:ure|ed)?[ :-]+(?:notice|delivery|to deliver|mail|transmission)|failure notice|delivery has failed`,
    String.raw`mail (?:system )?(?:error|failed|failure|bounced?|could not)|mail not delivered|bounced? (?:mail|message|notif)|bounce notification`,
    String.raw`(?:could|can) ?not (?:be )?deliver|unable to deliver|problem delivering|error (?:sending|in|delivering) (?:your )?(?:mail|message|e-?mail)|rejected (?:mail|message)|mail rejected|message (?:rejected|refused|undeliver\w*)|user unknown|unknown user|mailbox (?:is )?(?:full|unavailable)|(?:quota|mailbox) (?:exceeded|full)|\bNDN\b|\bNDR\b`,
    String.raw`unzustellbar|nicht zugestellt|zustell(?:ung|fehler|bericht)|non remis|[ée]chec (?:de )?(?:la )?(?:remise|livraison|distribution|d.envoi)|no (?:se ha podido )?entregad|no entregado|error de entrega|n[ãa]o (?:foi )?entregue|falha na entrega|devolvid|mancat[ao] (?:recapito|consegna)|non recapitabil|impossibile recapitare`,
    String.raw`недоставлен|не доставлен|невозможно доставить|сообщение не доставлено|ошибка доставки|возвращ|niedostarcz|nie dostarcz|zwrot|onbestelbaar|niet (?:be|af)geleverd|kunde inte levereras|leveringsfeil|doru[čc]en|nedoru[čc]|не вдалося доставити|помилка доставки|kézbesít|nelivrat|iletilemed|teslim edilemedi`,
    String.raw`配信(?:不能|できません|エラー|失敗)|メールエラー|送信(?:エラー|失敗|できません)|配達(?:不能|エラー)|退信|投递失败|未送达|無法傳遞|无法投递|系统退信|반송|전송 실패`,
  ].join('|'),
  'iu',
);

/** Who writes bounces, as the whole From field. */
export const DAEMON =
  /mailer-?daemon|mail-?daemon|mdaemon|postmaster|mail delivery|delivery (?:sub)?system|delivery notification|mail (?:system|administrator|admin|router|gateway)|system administrator|microsoft ?exchange|mailadm|virusmaster|bounce(?:s|d)?[@ ]|symantec|no-?reply@(?:sns|amazonses)/i;

/** Lines that announce the recipients that a mail did not reach. */
export const ANNOUNCES = new RegExp(
  [
    String.raw`(?:following|these|this|below|intended|failed|one or more|some|all) (?:\w+ )?(?:recipient|address|addressee|user|mail ?box|destination|person|e-?mail)`,
    String.raw`(?:recipient|address|addressee)(?:e?s|\(e?s\))? (?:\w+ )?(?:failed|had|did not|was not|were not|could not|cannot|that|returned|which|has|have|below)`,
    String.raw`(?:could ?n[o']t|cannot|can ?not|unable to|not able to|was not|were not|failed to|not be|wasn't|couldn't|been|impossible to|was unable to) (?:be )?(?:\w+ )?(?:deliver|sen[dt]|reach|forward|relay|process)\w*`,
    String.raw`did(?: not|n't) (?:reach|receive)|delivery (?:\w+ )?(?:to|of|for|failed|error|status|attempt|problem)|(?:error|problem|trouble|difficult\w+) (?:\w+ )?(?:deliver|send|transmi)\w+|undeliver\w+|not delivered|bounced|rejected|returned|permanent (?:fatal )?error|transcript of session`,
    String.raw`empf(?:ä|ae)nger|zugestellt|zustellung|destinataires?|remis|destinatarios?|entreg|destinat[áa]rios?|destinatari[oa]?|consegn|recapit|получател|доставлен|адресат|odbiorc|dostarcz|одержувач|доставити|ontvanger|geadresseerde|mottagare|p[řr][íi]jemc|doru[čc]|c[íi]mzett|destinatar|al[ıi]c[ıi]|宛先|受信者|送信先|配信|收件人|投递|收件者|傳遞|수신자`,
  ].join('|'),
  'iu',
);

/** Lines whose addresses are for questions, not of the recipient. */
export const CONTACT =
  /\b(?:contact|assistance|questions?|support|help|reply to|replying|write to|visit|inform|report (?:this|the)|send (?:a )?(?:mail|message|email|e-mail)s? to|forward(?:ed)? (?:this|it)|administrator|postmaster@|abuse@|webmaster@|hostmaster@|helpdesk|if you|please (?:send|direct|refer|call|see)|wenden sie|contactez|kontakt|supporto|обра[тщ]|お問い?合わせ|連絡)/iu;

/** Fields of a quoted header, and other lines whose addresses are of the sender or are no addresses. */
export const NOT_OF_RECIPIENT =
  /^[\s>|*]*(?:from|to|cc|bcc|sender|reply-?to|message-?id|return-?path|references|in-reply-to|errors-to|list-[\w-]+|received|x-[\w-]+|date|subject|dkim-signature|mime-version|content-[\w-]+|absender|von|de|da|от|van|envelope-?from|envelope-sender|mail from|original sender|resent-from|user-agent|sent by|posted by|feedback-id|the mts-id)\s{0,5}[:=]|\b(?:mail from|accept\w* mail from|message from|sent from|from sender|envelope-from|from:|sender is|sender:)\s*[<"(]?\S*@|<<< MAIL|>>> MAIL|message-?id|queue-?id/iu;

/** Fields that name the recipient. */
export const NAMES_RECIPIENT =
  /^[\s>|*-]*(?:(?:final|original|failed|intended|actual)[- ](?:recipients?|address)|recipients?(?: address)?|rcpt(?: to)?|addressees?|(?:e-?mail )?address(?: in error)?|target (?:mail )?address|destination(?: address)?|user|mailbox|forward-?path|delivered to|delivery to|envelope-?to|empf(?:ä|ae)nger|adresse|destinataire|destinatario|destinat[áa]rio|получатель|адресат|адрес|odbiorca|ontvanger|宛先|収件人|收件人)\s{0,5}(?:\(s\))?\s{0,5}[:=：]/iu;

/** The other side goes on trying. */
export const DELAYED =
  /wird weiter(?:hin)? versucht|verz[öo]gert|nur eine warnung|nicht erneut (?:zu )?senden|remise (?:\w+ )?(?:retard|diff[ée]r)|retard[ée]e?\b.{0,40}tentative|(?:nouvelles? tentatives?|continuera)|(?:se seguir[áa]|seguiremos) intentando|entrega (?:demorada|retrasada|atrasada)|(?:verranno|saranno) effettuati (?:altri|ulteriori) tentativi|consegna ritardata|ponawian|op[óo][źz]nion|попытки .{0,40}(?:будут )?продолж|задерж(?:ка|ано|ивает)|пока не доставлен|спроби .{0,40}продовж|затримк|tentativas? .{0,20}continuar|bude .{0,20}opakov|zpo[žz]d[ěe]n|vertraagd|再送を?(?:試み|続け)|遅延|\b(?:delayed|postponed|(?:will|shall|is going to) (?:be )?(?:continue|keep|retr|try|re-?tried|attempt|re-?attempt)|still (?:being|trying|in)|not yet (?:been )?(?:deliver|sent)|no action is required|warning message only|do not need to resend|advisory-only|delivery attempts will continue|temporary (?:failure|problem|error)s?, (?:will|trying))/iu;

/** Subjects of reports that all went well, and not those that say it did not: `could not be successfully delivered`. */
export const SUCCEEDED =
  /^(?!.*(?:\bunsuccess|\bunable\b|\bcannot\b|\bnot\b|n['’]t\b|\bfail|\berror))(?:\W*(?:delivered|relayed|expanded)\b|.*(?:\((?:success|relayed?)\)|\bsuccess(?:ful|fully)\b.{0,20}(?:deliver|sent)))/i;

/** It has stopped trying, whatever else it says. */
export const GAVE_UP =
  /\b(?:permanent(?:ly)? (?:fail|error|fatal)|given up|giving up|failed permanently|failed:|gave up|will not (?:be )?(?:retr|try)|not (?:going to )?try again|no further|(?:has|have) been returned|returned to (?:you|sender)|retry time(?:out)? exceeded|undeliverable)/iu;
