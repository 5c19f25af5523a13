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
`,
  other: `
552 5.3.4 Message size exceeds fixed limit
552 message too large
554 5.6.0 Message is malformed
503 5.5.1 Bad sequence of commands
500 5.5.1 Command unrecognized
554 5.5.2 Syntax error
`,
  inactive: `
550 5.2.1 The email account that you tried to reach is disabled.
550 5.2.1 <x@y.z>... Mailbox disabled
554 account is suspended
550 mailbox is inactive
550 5.2.1 User is inactive
550 Account has been disabled
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
