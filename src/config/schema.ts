/**
 * The one schema of the configuration: type, default, unit, text, since and reloadable of every key. Validation, the
 * JSON Schema for editors, the annotated example, the reference and the reload rules are all made from it.
 * Lists at the root are read entry by entry, so that one broken entry does not hide the others.
 */
import * as z from 'zod';
import { alertsSchema } from './schema-alerts.ts';
import { key, leaf, orNull, section } from './kind.ts';
import {
  choice,
  duration,
  filePath,
  flag,
  integer,
  name,
  rate,
  size,
  text,
  timezone,
  wordOr,
} from './kinds.ts';
import { cidr, domain, endpoint, resolvers } from './kinds-net.ts';
import { mxSchema } from './schema-mx.ts';
import * as reactions from './schema-rules.ts';
import { bouncePatternSchema } from './schema-bounces.ts';
import * as sending from './schema-sending.ts';
import * as speed from './schema-speed.ts';

const listenAddress = endpoint('an address to listen on such as 127.0.0.1:8025', { anyPort: true });
const restart = { reloadable: false } as const;

const wait = (fallback: string, description: string) =>
  key(leaf(duration(fallback)).prefault(fallback), description);

const timeouts = section({
  connect: wait('30s', 'TCP connection, per address.'),
  greeting: wait('5m', 'Greeting of the server (RFC 5321 §4.5.3.2.1).'),
  ehlo: wait('5m', 'Reply to EHLO and STARTTLS.'),
  mail: wait('5m', 'Reply to MAIL (RFC 5321 §4.5.3.2.2).'),
  rcpt: wait('5m', 'Reply to RCPT (RFC 5321 §4.5.3.2.3).'),
  data_init: wait('2m', 'Reply to DATA (RFC 5321 §4.5.3.2.4).'),
  data_block: wait('3m', 'Sending of one block of the message (RFC 5321 §4.5.3.2.5).'),
  data_done: wait('10m', 'Reply to the end of the message; shorter makes duplicates (RFC 5321 §4.5.3.2.6).'),
  shared: wait(
    '30s',
    'The most of connect, greeting and ehlo while a quarter of all sessions are being opened to hosts that have not answered yet, and where several sets of hosts of an ISP share fewer than four sessions: one that is silent does not keep them from the others.',
  ),
  idle: wait('10s', 'How long an unused session is kept for the next message.'),
});

const egress = section({
  port: key(leaf(integer({ min: 1, max: 65535 })).prefault(25), 'Remote port of MX delivery.'),
  max_sessions: key(
    leaf(integer({ min: 1, max: 100_000 })).prefault(2_000),
    'Open SMTP sessions of all nodes together. Each takes about 25 KB of memory and a file descriptor.',
  ),
  timeouts: key(timeouts.prefault({}), 'Waiting times of a session by phase.'),
});

const tls = {
  cert_file: key(leaf(filePath).optional(), 'PEM certificate chain.', {
    example: '/etc/postrider/tls/cert.pem',
    off: true,
  }),
  key_file: key(leaf(filePath).optional(), 'PEM private key of the certificate.', {
    example: '/etc/postrider/tls/key.pem',
    off: true,
  }),
};

const token = section({
  name: key(leaf(name), 'Name in the log of operators.', { ...restart, example: 'platform' }),
  secret_file: key(leaf(filePath), 'File with the bearer token.', {
    ...restart,
    example: '/etc/postrider/platform.token',
  }),
  scopes: key(
    z.array(leaf(choice(['inject', 'read', 'operate', 'admin']))).prefault(['read']),
    'inject gives mail, read looks, operate steers queue and nodes, admin does everything.',
    { ...restart, example: ['inject', 'read'] },
  ),
  accounts: key(
    z.array(leaf(text)).prefault([]),
    'It gives, sees and touches only mail of these accounts; empty: it may name any, whose policies and limits then count its mail.',
    { ...restart, example: ['acme'] },
  ),
  senders: key(
    z.array(leaf(name)).prefault([]),
    'And only mail of these senders and virtual senders; empty: of all.',
    { ...restart, example: ['main'] },
  ),
  rate: key(leaf(orNull(rate)).prefault(null), 'Requests it may make; more get 429. null: any number.', {
    ...restart,
    example: '1000/1s',
  }),
});

const control = section({
  socket: key(
    leaf(filePath).prefault('/run/postrider/control.sock'),
    'Unix socket of the control API (mode 0660).',
    restart,
  ),
  listen: key(
    leaf(orNull(listenAddress)).prefault(null),
    'The control API over TCP too; needs tokens, and tls where others can listen in.',
    {
      ...restart,
      example: '127.0.0.1:8026',
      off: true,
    },
  ),
  token_file: key(
    leaf(orNull(filePath)).prefault(null),
    'File with a bearer token that may do everything (scope admin).',
    {
      ...restart,
      example: '/etc/postrider/control.token',
      off: true,
    },
  ),
  tokens: key(
    z.array(token).prefault([]),
    'Callers with their rights: needed over TCP, known on the socket too, where a caller without one may do everything.',
    { ...restart, off: true },
  ),
  tls: key(section(tls).prefault({}), 'TLS of the TCP listener.', restart),
});

const status = section({
  listen: key(
    leaf(orNull(listenAddress)).prefault('127.0.0.1:8025'),
    'Dashboard, /metrics, /healthz, /readyz; null: none. An address that others reach needs token_file.',
    restart,
  ),
  token_file: key(leaf(orNull(filePath)).prefault(null), 'File with the bearer token of the status page.', {
    ...restart,
    example: '/etc/postrider/status.token',
    off: true,
  }),
});

const smtpUser = section({
  user: key(leaf(text), 'User name.', { example: 'platform' }),
  password_file: key(leaf(filePath), 'File with the password.', {
    example: '/etc/postrider/platform.password',
  }),
  senders: key(z.array(leaf(name)).prefault([]), 'Senders and virtual senders it may use; empty: all.', {
    example: ['main'],
  }),
  accounts: key(
    z.array(leaf(text)).prefault([]),
    'Accounts its mail may name; empty: any. Where there is one, mail that names none is of it.',
    { example: ['acme'] },
  ),
});

const smtpTls = section({
  cert_file: key(leaf(filePath).optional(), 'PEM certificate chain; offers STARTTLS.', {
    example: '/etc/postrider/tls/cert.pem',
    off: true,
  }),
  key_file: key(leaf(filePath).optional(), 'PEM private key of the certificate.', {
    example: '/etc/postrider/tls/key.pem',
    off: true,
  }),
  required: key(leaf(flag).prefault(false), 'true takes no mail before STARTTLS.'),
});

const smtp = section({
  listen: key(
    z.array(leaf(listenAddress)).prefault(['127.0.0.1:2525']),
    'Addresses of injection; []: none.',
    restart,
  ),
  relay_from: key(
    z.array(leaf(cidr)).prefault(['127.0.0.1/32']),
    'Networks that may inject without a password.',
  ),
  proxy_protocol_from: key(
    z.array(leaf(cidr)).prefault([]),
    'Load balancers: connections from these have to begin with a PROXY protocol header (v1, v2), which names the client.',
    { example: ['192.0.2.5/32'], off: true },
  ),
  xclient_from: key(
    z.array(leaf(cidr)).prefault([]),
    'Proxies whose XCLIENT names the client, its user included.',
    { example: ['192.0.2.6/32'], off: true },
  ),
  auth: key(z.array(smtpUser).prefault([]), 'Users that may inject from anywhere.', { off: true }),
  tls: key(smtpTls.prefault({}), 'STARTTLS of injection.'),
  max_message_size: key(leaf(size).prefault('25MB'), 'Larger messages are refused.'),
  max_recipients: key(
    leaf(integer({ min: 1, max: 100_000 })).prefault(1000),
    'Recipients of one transaction.',
  ),
});

const dns = section({
  servers: key(
    leaf(wordOr('system', resolvers, 'a list such as ["127.0.0.1:53"]')).prefault('system'),
    'Resolvers: those of the system, or a list of IP:port.',
  ),
  timeout: key(leaf(duration('5s')).prefault('5s'), 'Wait for one answer.'),
  cache_size: key(leaf(integer({ min: 0, max: 10_000_000 })).prefault(100_000), 'Answers kept.'),
  allow_loopback_mx: key(
    leaf(flag).prefault(false),
    'Send to MX hosts on 127.0.0.0/8 and ::1 instead of refusing them: test networks only.',
  ),
});

const journal = section({
  max_age: key(leaf(duration('14d')).prefault('14d'), 'Events are kept this long.'),
  max_size: key(leaf(size).prefault('20GB'), 'And up to this size.'),
  on_full: key(
    leaf(choice(['gap', 'stop'])).prefault('gap'),
    'When who follows it is behind at the bound: gap forgets the events and says so, stop keeps them and refuses new mail. At half of the bound there is an alert.',
  ),
});

const deliveryLog = section({
  file: key(
    leaf(orNull(filePath)).prefault(null),
    'JSON lines of all that happens to deliveries, those of the journal. With log.recipients: false no address is in it.',
    { ...restart, example: '/var/log/postrider/deliveries.log', off: true },
  ),
  rotate: key(leaf(size).prefault('100MB'), 'A new file is begun at this size.', restart),
  rotate_age: key(leaf(duration('24h')).prefault('24h'), 'And at this age.', restart),
  keep_age: key(leaf(duration('30d')).prefault('30d'), 'Old files are kept this long.', restart),
  keep: key(leaf(size).prefault('10GB'), 'And up to this size together.', restart),
});

const log = section({
  level: key(
    leaf(choice(['debug', 'info', 'warn', 'error'])).prefault('info'),
    'Least important level written.',
  ),
  format: key(
    leaf(choice(['json', 'pretty', 'auto'])).prefault('auto'),
    'auto: pretty on a terminal, else json.',
  ),
  recipients: key(leaf(flag).prefault(false), 'true lets log lines name recipients.'),
  deliveries: key(deliveryLog.prefault({}), 'Log of the deliveries.', restart),
});

/** Everything at the root that is not a list of entries. */
export const settings = {
  hostname: key(leaf(domain), 'Name of the host in EHLO of injection and in Received.', {
    example: 'mta1.example.com',
  }),
  data_dir: key(leaf(filePath).prefault('/var/lib/postrider'), 'Queue, journal and keys.', restart),
  workers: key(
    leaf(wordOr('auto', integer({ min: 1, max: 256 }), 'a number from 1 to 256')).prefault('auto'),
    'Threads that carry mail. 1: one does everything; 2: injection over SMTP is received in one of its own; auto: 2 where there are more than two cores.',
    restart,
  ),
  durability: key(
    leaf(choice(['sync', 'process'])).prefault('sync'),
    'sync: accepted mail survives a power cut; process: only a crash of the program.',
    restart,
  ),
  secret_file: key(
    leaf(filePath).optional(),
    'Key of the signed return paths (default: `secret` in data_dir, created at the first start).',
    { ...restart, example: '/etc/postrider/secret', off: true },
  ),
  egress: key(egress.prefault({}), 'Delivery.'),
  control: key(control.prefault({}), 'Control API.', restart),
  status: key(status.prefault({}), 'Status page.', restart),
  smtp: key(smtp.prefault({}), 'Injection over SMTP.'),
  mx: key(mxSchema.prefault({}), 'Inbound reports: bounces, complaints, requests to unsubscribe.'),
  dns: key(dns.prefault({}), 'Name resolution.'),
  timezone: key(leaf(timezone).prefault('UTC'), 'Calendar of daily limits.'),
  history_retention: key(leaf(duration('7d')).prefault('7d'), 'Finished deliveries are kept this long.'),
  disk_reserve: key(
    leaf(size).prefault('256MB'),
    'Free space in data_dir below which new mail is refused (452, 503); below twice of it injection slows.',
    restart,
  ),
  idempotency_window: key(
    leaf(duration('3d')).prefault('3d'),
    'A request that is repeated with its idempotency key gets the same answer for this long.',
  ),
  journal: key(journal.prefault({}), 'Events waiting for sinks.'),
  include: key(
    z.array(leaf(filePath)).prefault([]),
    'More files, or directories of .yaml files, relative to this one. Lists add up; a value is set in one file only.',
    { example: ['conf.d'], off: true },
  ),
  alerts: key(
    alertsSchema.prefault({}),
    'What is told as an event and in the log; see also prometheus/alerts.yml.',
  ),
  log: key(log.prefault({}), 'Log.'),
  shipped_isps: key(leaf(flag).prefault(true), 'false leaves out the ISPs of config/isps.'),
  shipped_rules: key(leaf(flag).prefault(true), 'false leaves out the rules of config/rules.yaml.'),
};

/** Lists of entries at the root. */
export const lists = {
  routes: key(z.array(sending.routeSchema).prefault([]), 'Smart hosts by recipient domain, instead of MX.'),
  nodes: key(z.array(sending.nodeSchema).prefault([]), 'Sending IP addresses.'),
  isps: key(
    z.array(sending.ispSchema).prefault([]),
    'Groups of recipient domains treated alike. An entry with the name of a shipped one (config/isps) replaces it.',
  ),
  strategies: key(
    z.array(sending.strategySchema).prefault([]),
    'Speeds of one node towards one ISP. An entry with the name of a built-in one replaces it.',
  ),
  retry_rules: key(
    z.array(sending.retryRuleSchema).prefault([]),
    'When to try again after a temporary refusal.',
  ),
  lock_rules: key(
    z.array(reactions.lockRuleSchema).prefault([]),
    'What stops after refusals, and for how long.',
  ),
  rules: key(
    z.array(reactions.ruleSchema).prefault([]),
    'What follows from a refusal; the first rule that matches decides. The shipped ones come after these.',
    { off: true },
  ),
  bounce_patterns: key(
    z.array(bouncePatternSchema).prefault([]),
    'What replies mean, before the shipped patterns (config/bounce-patterns.yaml); the first that matches decides.',
  ),
  warmup_plans: key(
    z.array(speed.warmupPlanSchema).prefault([]),
    'How much a new address may send a day. A node names its plan.',
  ),
  caps: key(
    z.array(speed.capSchema).prefault([]),
    'Limits that all nodes share, towards an ISP or of a sender towards it.',
  ),
  policies: key(
    z.array(speed.policySchema).prefault([]),
    'How many messages one address may get; what is beyond ends as undelivered (policy) when it is accepted.',
    { off: true },
  ),
  senders: key(z.array(sending.senderSchema).prefault([]), 'Sending identities.'),
  virtual_senders: key(
    z.array(sending.virtualSenderSchema).prefault([]),
    'Rules that share mail out to senders.',
  ),
};

export const schema = section({ ...settings, ...lists }, ['sinks']);

/** Names that the program brings along; an entry of the same name replaces it. */
export const builtins = {
  strategies: [
    {
      name: '60:60',
      concurrent_connections: 1,
      messages_per_connection: 60,
      connection_attempts: 1,
      interval: '60s',
    },
    { name: 'unlimited', concurrent_connections: 50, messages_per_connection: 1000 },
  ].map((entry) => sending.strategySchema.parse(entry)),
  retryRules: [
    { name: 'default', attempts: 8, interval: '10m', type: 'geometric', exponent: 2, max_interval: '4h' },
  ].map((entry) => sending.retryRuleSchema.parse(entry)),
};
