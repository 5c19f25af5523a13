/** Schema of the inbound side: the listener for reports, and what they lead to. */
import * as z from 'zod';
import { key, leaf, orNull, section } from './kind.ts';
import { choice, filePath, flag, integer, name, rate, size } from './kinds.ts';
import { cidr, domain, email, endpoint } from './kinds-net.ts';

const restart = { reloadable: false } as const;
const listenAddress = endpoint('an address to listen on such as 192.0.2.1:25', { anyPort: true });
const scope = choice(['platform', 'account', 'none']);

const tls = section({
  cert_file: key(leaf(filePath).optional(), 'PEM certificate chain; offers STARTTLS.', {
    example: '/etc/postrider/tls/cert.pem',
    off: true,
  }),
  key_file: key(leaf(filePath).optional(), 'PEM private key of the certificate.', {
    example: '/etc/postrider/tls/key.pem',
    off: true,
  }),
});

const stopList = section({
  hard_bounce: key(
    leaf(scope).prefault('platform'),
    'A report that an address is dead stops mail to it: for all, for the account of the mail, or not at all.',
  ),
  complaint: key(leaf(scope).prefault('account'), 'The same for a complaint. Mail of no account: for all.'),
  unsubscribe: key(leaf(scope).prefault('account'), 'The same for a request to unsubscribe.'),
});

export const mxSchema = section({
  listen: key(z.array(leaf(listenAddress)).prefault([]), 'Addresses that take reports; []: none.', {
    ...restart,
    example: ['192.0.2.1:25'],
  }),
  domains: key(
    z.array(leaf(domain)).prefault([]),
    'Domains whose mail is taken, every box of them: those of return_path_domain, and of feedback addresses.',
    { example: ['bounce.example.com'] },
  ),
  proxy_protocol_from: key(
    z.array(leaf(cidr)).prefault([]),
    'Load balancers: connections from these have to begin with a PROXY protocol header (v1, v2); limits are then those of the client that it names.',
    { example: ['192.0.2.5/32'], off: true },
  ),
  forward_to: key(
    leaf(orNull(email)).prefault(null),
    'Who gets what is neither a report nor a request; null: it is set aside.',
    { example: 'postmaster@example.com', off: true },
  ),
  forward_sender: key(leaf(name).optional(), 'Sender that forwards (default: the first one).', {
    example: 'promo',
    off: true,
  }),
  forward_auto_replies: key(
    leaf(flag).prefault(false),
    'Out-of-office replies and receipts are forwarded too, instead of being counted only.',
  ),
  tls: key(tls.prefault({}), 'STARTTLS of this listener.', restart),
  max_message_size: key(leaf(size).prefault('25MB'), 'Larger mail is refused.', restart),
  max_connections: key(leaf(integer({ min: 1, max: 100_000 })).prefault(500), 'Sessions in all.', restart),
  max_connections_per_peer: key(
    leaf(integer({ min: 1, max: 100_000 })).prefault(50),
    'Sessions of one IP address (IPv6: of one /64).',
  ),
  rate_per_peer: key(leaf(rate).prefault('20000/1m'), 'Messages of one IP address; more wait (450).'),
  max_waiting: key(
    leaf(size).prefault('1GB'),
    'Reports that are stored and not read yet; beyond that new ones have to come again (452).',
  ),
  quarantine_size: key(leaf(size).prefault('50MB'), 'Mail that could not be read is kept up to this size.'),
  check_reporter: key(
    leaf(choice(['off', 'record', 'require'])).prefault('record'),
    'DKIM and SPF of the reporter: not looked at, told in the event, or a condition for any effect.',
  ),
  stop_list: key(stopList.prefault({}), 'What reports put on the stop list.'),
});
