/**
 * What many mail systems say, one line each, and the class it must have. No labelled samples are needed for it: the
 * wordings are those of the standards, of mail servers and of providers' pages, with addresses of our own.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Classifier } from '../../../src/bounce/index.ts';
import { refused } from './refused.ts';

/** `inactive` is class other, category inactive_mailbox. */
const SAID: Readonly<Record<string, string>> = {
  hard: `
550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking
550 5.1.1 <x@y.z>: Recipient address rejected: User unknown in virtual mailbox table
550 No such user here
550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [x.prod.protection.outlook.com]
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup
550 Requested action not taken: mailbox unavailable (S2017062302).
550 5.1.0 <x@y.z> recipient rejected
550 sorry, no mailbox here by that name. (#5.1.1)
554 5.1.1 user doesn't exist
550-5.1.1 invalid mailbox. Local mailbox x@mail.ru is unavailable: user not found
550 5.7.1 No such user!
511 sorry, no mailbox here by that name
550 Unrouteable address
550 Invalid recipient x@y.z (#5.1.1)
550 5.1.1 RCP-P1 https://example.com/errors - User unknown
550 5.1.2 Host unknown (Name server: x.y: host not found)
550 #5.1.0 Address rejected.
550 RCPT TO:<x@y.z> User unknown
553 5.3.0 <x@y.z>... Addressee unknown, relay=[1.2.3.4]
550 <x@y.z> No such user here
550 Address does not exist
550 Not a valid recipient
550 x@y.z is not a valid mailbox
550 User not known
550 5.1.1 Mailbox does not exist!
550 Account not found
550 5.1.1 unknown or illegal alias: x@y.z
550 cuda_nsu <x@y.z>
550 No such recipient
550 <x@y.z>, Recipient unknown
554 Recipient not found
550 5.1.1 Address unknown
550 5.4.4 Host or domain name not found. Name service error for name=foo.test type=A: Host not found
550 5.1.2 Domain not found
556 5.1.10 Domain does not accept mail (nullMX)
551 5.1.6 User has moved; please try <a@b>
550 5.1.6 Recipient no longer on server
550 5.1.1 User Unknown -- see mail admin
550-Mailbox unknown. Either there is no mailbox associated with this 550 name or you do not have authorization to see it.
550 5.0.0 no such recipient exists
550 Unknown local part x in <x@y.z>
550 Mailbox not found
550 That account does not exist here
501 5.1.3 Bad recipient address syntax
550 5.1.1 Adresse inconnue
550 Empfänger unbekannt
550 utilizador desconhecido
550 Message was not accepted -- invalid mailbox. Local mailbox someone@mail.ru is unavailable: user not found
550 5.1.1 Такого пользователя нет
550 5.1.1 Пользователь с таким адресом не найден
550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]
550 5.1.2 Nom de domaine du destinataire inconnu. Host unknown
550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [abcDEF-1]
550 permanent failure for one or more recipients (someone@corp.example:550 5.1.1 User unknown)
550 #5.1.0 Address rejected someone@corp.example
550 5.1.1 unknown user, not found in LDAP
550 sorry, no mailbox here by that name (#5.1.1 - chkuser)
511 sorry, no mailbox here by that name (#5.1.1)
550 5.1.1 <someone@corp.example>... User unknown
550 5.1.2 <someone@nowhere.example>... Host unknown (Name server: nowhere.example: host not found)
550 Unknown user
550 <someone@corp.example>, Recipient unknown
550 5.1.1 someone@corp.example, no such user
550 5.1.1 someone@corp.example unknown user account
550 5.1.1 User does not exist: someone@corp.example
550 5.1.1 Empfaenger existiert nicht
550 5.1.1 Diese E-Mail-Adresse ist uns nicht bekannt
550 5.1.1 L'utilisateur n'existe pas
550 5.1.1 El usuario no existe
550 Usuario desconocido
550 5.1.1 Utente sconosciuto
550 Indirizzo inesistente
550 5.1.1 Użytkownik nie istnieje
550 Nie ma takiego użytkownika
550 5.1.1 Usuário inexistente
550 5.1.1 Користувача не знайдено
550 5.1.1 Uživatel neexistuje
550 5.1.1 宛先メールアドレスが存在しません
550 Mailbox not found or access denied
`,
  soft: `
452 4.2.2 The email account that you tried to reach is over quota
552 5.2.2 Over quota
550 Mailbox quota exceeded
552 5.2.2 <x@y.z> Mailbox size limit exceeded
452 4.1.1 <x@y.z> 4.2.2 mailbox full
550 5.2.2 User quota exceeded
450 4.2.0 <x@y.z>: Recipient address rejected: Greylisted, see http://postgrey
451 4.7.1 Greylisting in action, please come back later
421 4.7.0 Too many connections
421 Too many concurrent SMTP connections; please try again later.
451 4.3.0 Mail server temporarily rejected message.
421 4.3.2 Service not active
450 4.1.1 Recipient address rejected: unverified address: connection timed out
421 4.4.5 Server busy, try again later.
451 4.3.2 Please try again later
452 4.5.3 Too many recipients
450 4.7.1 Error: too much mail from 1.2.3.4
421 4.2.1 Connection rate limit exceeded
451 Resources temporarily unavailable. Please try again later
552 5.2.2 Message would exceed mailbox quota
451 4.4.1 Connection timed out
450 4.4.2 conversation timed out while sending message body
421 4.4.2 Connection dropped due to socket error
550 5.4.6 Too many hops
554 5.4.6 Hop count exceeded - possible mail loop
550 4.4.7 QUEUE.Expired; message expired
530 5.7.0 Must issue a STARTTLS command first
450 Requested mail action not taken: mailbox busy
451 Requested action aborted: local error in processing
452 Requested action not taken: insufficient system storage
421 Service not available, closing transmission channel
451 4.7.1 Service unavailable - try again later
450 4.2.1 The user you are trying to contact is receiving mail too quickly
421-4.7.28 Gmail has detected an unusual rate of mail
451 4.4.3 Temporary server error. Please try again later ATTR17
454 4.7.0 TLS not available due to local problem
552 5.2.2 Message was not accepted -- Mailbox quota exceeded for someone@bk.ru
451 4.7.1 Ratelimit exceeded for mailbox someone@list.ru. Try again later
552 5.2.2 Почтовый ящик получателя переполнен
552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]
421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104
451 Internal resources are temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451
451 Account service is temporarily unavailable
421 4.7.0 Error: too many errors
421 #4.4.5 Too many connections from your host.
552 sorry, the recipient's mailbox is full (#5.2.2 - chkuser)
451 4.4.1 deferred: Connection timed out with mx.corp.example.
452 4.4.5 <someone@corp.example>... Insufficient disk space; try again later
550 Inbox is full
552 Message for <someone@corp.example> would exceed mailbox quota
552 5.2.2 someone@corp.example account is full (quota exceeded)
452 4.2.2 Over quota
552 5.2.2 Das Postfach des Empfängers ist voll
451 4.7.1 Bitte versuchen Sie es später erneut
452 4.2.2 Boîte aux lettres pleine
552 5.2.2 Quota de la boite du destinataire depasse
552 5.2.2 El buzón del destinatario está lleno
452 4.2.2 Se ha excedido la cuota del buzón
552 5.2.2 La casella del destinatario è piena
552 Casella di posta piena
552 5.2.2 Skrzynka odbiorcy jest przepełniona
552 5.2.2 Caixa postal cheia
552 Cota excedida
552 5.2.2 Поштова скринька переповнена
552 5.2.2 Schránka příjemce je plná
552 5.2.2 メールボックスの容量を超えています
552 邮箱已满
452 Too many recipients, user unknown limit reached
451 4.3.0 recipient lookup failed: user database temporarily unavailable
550 mailbox unavailable: quota exceeded
450 Requested mail action not taken: mailbox unavailable, try again later
450 4.2.0 mailbox locked by another process
`,
  block: `
550 5.7.1 Service unavailable, Client host [1.2.3.4] blocked using Spamhaus. To request removal from this list see
554 5.7.1 Service unavailable; Client host [1.2.3.4] blocked using bl.spamcop.net; Blocked
550 5.7.26 This mail has been blocked because the sender is unauthenticated.
550 5.7.1 [1.2.3.4] Our system has detected that this message is likely unsolicited mail.
554 5.7.1 Message rejected as spam by Content Filtering
550 5.7.509 Access denied, sending domain [x] does not pass DMARC verification
550 5.7.23 The message was rejected because of Sender Policy Framework violation
554 5.7.1 <x>: Relay access denied
550 High probability of spam
550 5.7.1 Email rejected per DMARC policy for example.com
554 refused: your IP has a bad reputation
550 JunkMail rejected - host [1.2.3.4] is in an RBL
571 Email from 1.2.3.4 is currently blocked by Verizon Online's anti-spam system
550 rejected because 1.2.3.4 is in a black list at zen.spamhaus.org
554 The message was rejected because it contains prohibited virus or spam content
550 5.7.1 Recipient not authorized, your IP has been found on a block list
550 Blocked by policy: No spam please
553 sorry, your domain has been blacklisted (#5.7.1)
550 Administrative prohibition
554 5.7.1 The message from (<a@b>) with the subject of (x) matches a profile the Internet community may consider spam
550 5.7.1 Your email was rejected by an anti-spam content filter on gateway
550 Sender verify failed
550 5.1.8 Sender address rejected: Domain not found
451 4.1.8 Domain of sender address does not resolve
554 5.7.1 You are not allowed to connect.
550 SPF check failed
550 5.7.1 DKIM signature verification failed
554-mx.example ESMTP not accepting connections 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.
550 Denied by policy
550 Message was blocked by server
554 Denied (Mode: normal)
554 rejected due to spam content
550 permanent failure for one or more recipients (x@y.z:blocked)
550 Our system has detected that your message is suspicious
554 5.7.1 Spam Detected
554 Transaction failed : Mail content rejected
550 Verification failed for <a@b> 550 Sender verify failed
553 5.1.8 Domain of sender address does not exist
550 5.7.1 Sender not authorized to send to this group
550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required
550 5.7.124 sender not in allowed-senders list
550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy
554 5.7.0 Reject, id=01234-05 - spam
550 5.7.0 Local policy violation
554 5.7.5 Permanent error evaluating DMARC policy
550 5.7.25 The IP address sending this message does not have a PTR record setup
450 4.7.25 Client host rejected: cannot find your hostname, [1.2.3.4]
504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname
550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)
450 4.7.1 <x>: Helo command rejected: Host not found
550 Your message was rejected by this user and was not delivered.
550 5.7.1 Recipient does not accept mail from you
550 The sender is not in the recipient's whitelist
550 Remote host is banned
554 Email rejected due to security policies - MCSpamSignature.x
554 Email rejected due to security policies
550 5.7.350 Remote server returned message detected as spam
550 5.7.1 Your message looks like SPAM or has been reported as SPAM please read http://x
550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=abc or report details to abuse@corp.mail.ru. Error code: 1234
550 Access from ip address 192.0.2.1 blocked. Visit http://help.mail.ru/notspam-support/id?c=x
550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]
554 Email rejected due to security policies - MCSpamSignature.sa.10.1 - https://community.mimecast.com/docs/DOC-1369#554
550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550
550 csi.mimecast.org Poor Reputation Sender. - https://community.mimecast.com/docs/DOC-1369#550
550 Rejected by header based manually Blocked Senders - https://community.mimecast.com/docs/DOC-1369#550
550 Rejected by relay: Open relay not allowed
554 Service unavailable; Client host [192.0.2.1] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1
550 permanent failure for one or more recipients (someone@corp.example:blocked)
554-esa.corp.example 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means.
500 #5.5.2 Message rejected by mail policy: Message filter
553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
553 sorry, your IP address does not have a PTR record (#5.7.1 - chkuser)
550 5.7.1 sorry, your envelope sender is in my badmailfrom list (#5.7.1)
553 5.1.8 <news@shop.example>... Domain of sender address news@shop.example does not exist
550 someone@corp.example the recipient does not accept mail from your network
554 5.7.1 Nachricht wurde als Spam eingestuft
554 5.7.1 Ihre IP-Adresse steht auf einer Sperrliste
550 5.7.1 Message rejected due to recipient's security settings
550 5.7.1 Your email was rejected: the recipient has blocked you
550 5.1.1 <news@shop.example> sender address rejected: user unknown
550 Sender not known to recipient, message rejected
550 Invalid sender address: user unknown in sender table
550 5.7.1 Blocked URL: domain does not exist in allow list
550 5.7.1 Host not found in reverse DNS
550 Your host name does not exist
550 5.7.1 SPF record not found for unknown domain
550 5.1.7 Invalid sender address: mailbox does not exist
550 Too many unknown users from your address, blocked
550 5.1.8 Sender domain does not exist
554 No such host: your PTR is missing
550 5.7.1 Mail from unknown senders is not accepted by this user
550 Message contains address not found in our allow list
550 5.7.1 user not authenticated, relaying denied
553 5.7.1 Sender address rejected: not owned by user news@shop.example
550 5.7.1 From address does not exist in DMARC aligned domain
550 host unknown, add PTR for 192.0.2.1
554 5.1.8 Bad sender's system address
550 No user here accepts mail from your country
550 The recipient's mailbox does not accept messages from unregistered senders
`,
  other: `
552 5.3.4 Message size exceeds fixed limit
552 message too large
554 5.6.0 Message is malformed
503 5.5.1 Bad sequence of commands
500 5.5.1 Command unrecognized
554 5.5.2 Syntax error
550 invalid address syntax in From: header
`,
  inactive: `
550 5.2.1 The email account that you tried to reach is disabled.
550 5.2.1 <x@y.z>... Mailbox disabled
554 account is suspended
550 mailbox is inactive
550 5.2.1 User is inactive
550 Account has been disabled
550 Message was not accepted -- invalid mailbox. Local mailbox someone@mail.ru is unavailable: account is disabled
550 Почтовый ящик заблокирован
550 5.7.1 someone@corp.example account is disabled
550 5.2.1 Ce compte est désactivé
550 Konto zostało zablokowane
550 5.2.1 mailbox disabled, not accepting messages
`,
};

const classifier = new Classifier();

describe('replies of many systems', () => {
  for (const [wanted, lines] of Object.entries(SAID))
    for (const line of lines.trim().split('\n'))
      test(`${wanted}: ${line}`, () => {
        const { class: bounceClass, category } = classifier.classify(refused(line));
        assert.equal(category === 'inactive_mailbox' ? 'inactive' : bounceClass, wanted);
      });
});
