/**
 * Schema of what decides how mail is sent: routes, nodes, ISPs, strategies, retry rules, senders, virtual senders.
 * Each list is keyed by name; the checks between lists are in the check-*.ts files.
 */
import * as z from 'zod';
import { expectations, leaf, key, oneOrMany, orNull, section, type Spec } from './kind.ts';
import { choice, decimal, duration, filePath, flag, headerName, integer, name } from './kinds.ts';
import { rate, text, weight } from './kinds.ts';
import {
  domain,
  domainPattern,
  email,
  endpoint,
  mxPattern,
  sourceAddress,
  unsubscribeUrl,
} from './kinds-net.ts';
import { adaptiveSchema } from './schema-speed.ts';

const tls = choice(['none', 'may', 'require', 'verify']);
const TLS_TEXT =
  'none: never; may: when offered; require: encrypted or not at all; verify: also a valid certificate.';

/** List of one kind of value. */
const list = <T>(spec: Spec<T>) => z.array(leaf(spec));
const strategyMap = z.record(z.string(), leaf(name));

export const routeSchema = section({
  domain: key(leaf(domainPattern), 'Recipient domain; the first route that matches wins.', {
    example: '*.test',
  }),
  hosts: key(
    list(endpoint('a host such as 127.0.0.1:25', { defaultPort: 25 })),
    'Hosts that take the mail instead of the MX of the domain, in order of preference.',
    { example: ['127.0.0.1:2626'] },
  ),
  tls: key(leaf(tls).optional(), `Goes before the sender and the strategy. ${TLS_TEXT}`, { example: 'none' }),
});

export const nodeSchema = section({
  name: key(leaf(name), 'Name in commands, metrics and events.', { example: 'n1' }),
  address: key(leaf(sourceAddress), 'The one IP address it sends from; the machine must have it.', {
    example: '192.0.2.10',
  }),
  hostname: key(
    leaf(domain),
    'EHLO name; the PTR record of the address must give it and its A record the address.',
    {
      example: 'mx1.s1.example.com',
    },
  ),
  max_sessions: key(leaf(integer({ min: 1, max: 100_000 })).prefault(500), 'Open SMTP sessions in all.'),
  enabled: key(leaf(flag).prefault(true), 'false takes the node out of service; its queue waits.'),
  strategies: key(
    strategyMap.optional(),
    'Speeds of this node (`default` and ISP names), used before those of the sender.',
    { example: { default: '60:60' }, off: true },
  ),
  when_down: key(
    leaf(choice(['wait', 'move'])).prefault('wait'),
    'Its mail while the address is not on the machine: waits until it is, or moves to other nodes of its sender that are up.',
  ),
  warmup: key(leaf(orNull(name)).prefault(null), 'Name of a warm-up plan, while the address is new.', {
    example: 'new-address',
  }),
});

const textEncoding = choice(['quoted-printable', 'base64', '8bit']);

export const ispSchema = section({
  name: key(leaf(name), 'Name used by strategies, rules and events.', { example: 'gmail' }),
  domains: key(list(domain).prefault([]), 'Recipient domains; a domain belongs to one ISP.', {
    example: ['gmail.com', 'googlemail.com'],
  }),
  mx: key(
    list(mxPattern).prefault([]),
    'MX hosts, so that hosted domains share the limits. Domains go first.',
    {
      example: ['*.google.com', '*.googlemail.com'],
    },
  ),
  headers: key(
    section({
      add: key(z.record(z.string(), leaf(text)).prefault({}), 'Header fields to add.', {
        example: { 'X-Example': 'text' },
        off: true,
      }),
      remove: key(list(headerName).prefault([]), 'Header fields to remove.', {
        example: ['X-Internal'],
        off: true,
      }),
    }).prefault({}),
    'Changes to the header before signing.',
  ),
  encoding: key(
    z
      .union([
        leaf(textEncoding),
        section({
          text: key(leaf(textEncoding).optional(), 'Parts of type text/plain.', { example: '8bit' }),
          html: key(leaf(textEncoding).optional(), 'Parts of type text/html.', { example: 'base64' }),
        }),
      ])
      .optional(),
    'Transfer encoding of text parts, set before signing (left out: as they are).',
    { example: 'quoted-printable', off: true },
  ),
  strategy: key(
    leaf(name).optional(),
    'Where an address starts: the speed when neither node nor sender names one for this ISP or a `default`.',
    { example: '60:60', off: true },
  ),
  source: key(leaf(text).optional(), 'Where the values come from, for people.', {
    example: 'postmaster page of the receiver',
    off: true,
  }),
});

export const strategySchema = section({
  name: key(leaf(name), 'Name used by senders and nodes. "60:60" and "unlimited" are built in.', {
    example: 'gmail-warm',
  }),
  rate: key(leaf(rate).optional(), 'Messages of one node towards one ISP per window.', {
    example: '500/1m',
  }),
  concurrent_connections: key(leaf(integer({ min: 1, max: 10_000 })).prefault(1), 'Sessions at once.', {
    example: 10,
  }),
  messages_per_connection: key(
    leaf(integer({ min: 1, max: 1_000_000 })).prefault(60),
    'Messages of a session.',
    {
      example: 100,
    },
  ),
  connection_attempts: key(
    leaf(integer({ min: 1, max: 10_000 })).prefault(1),
    'Times the sessions are opened per interval.',
  ),
  interval: key(
    leaf(duration('60s')).optional(),
    'Without `rate`: sessions x messages x attempts may be sent per interval. Neither: no limit.',
    { example: '60s', off: true },
  ),
  burst: key(
    leaf(integer({ min: 1 })).prefault(1),
    'Messages that may go at once; the rest is spread evenly.',
  ),
  daily_limit: key(leaf(integer({ min: 1 })).optional(), 'Messages of a calendar day in `timezone`.', {
    example: 200_000,
  }),
  max_recipients_per_transaction: key(
    leaf(integer({ min: 1, max: 1000 })).prefault(100),
    'Recipients of one transaction, where return path and bytes are the same: messages of several recipients, from a sender with `return_path: shared` and without `list_unsubscribe`. Where the speed is limited, no more than have their turn at the same moment (`burst`).',
  ),
  helo: key(
    leaf(choice(['hostname', 'from_domain', 'address'])).prefault('hostname'),
    'EHLO with the host name of the node, the From domain of the mail that a session is opened for, or the address literal.',
  ),
  tls: key(leaf(tls).optional(), `Used when neither route nor sender says (then: may). ${TLS_TEXT}`, {
    example: 'may',
  }),
  drop: key(leaf(flag).prefault(false), 'true discards the mail instead of delivering it.'),
  adaptive: key(
    z
      .union([leaf(flag), adaptiveSchema])
      .register(expectations, { text: 'true, false or settings such as {threshold: 5}' })
      .prefault(false),
    'true lowers the speed when the receiver limits or blocks, and raises it again; a map sets how.',
    { example: true },
  ),
});

export const retryRuleSchema = section({
  name: key(leaf(name), 'Name used by senders. "default" is built in.', { example: 'patient' }),
  attempts: key(leaf(integer({ min: 1, max: 1000 })).prefault(8), 'Attempts in all, the first one included.'),
  interval: key(leaf(duration('10m')).prefault('10m'), 'First wait.'),
  type: key(
    leaf(choice(['fixed', 'geometric', 'random', 'list'])).prefault('geometric'),
    'fixed: always the interval; geometric: times exponent each time; random: up to modifier more; list: intervals.',
  ),
  exponent: key(leaf(decimal({ min: 1, max: 100 })).prefault(2), 'Factor of type geometric.'),
  modifier: key(
    leaf(decimal({ min: 0, max: 100 })).prefault(0.5),
    'Type random: interval to interval x (1 + modifier).',
  ),
  intervals: key(list(duration('30m')).prefault([]), 'Waits of type list, in order; the last one repeats.', {
    example: ['5m', '30m', '2h'],
    off: true,
  }),
  max_interval: key(
    leaf(duration('4h')).optional(),
    'Longest wait (default: 4h, or the interval if that is longer).',
    {
      example: '4h',
    },
  ),
  mode: key(
    leaf(choice(['same_node', 'sender_nodes', 'any_node'])).prefault('same_node'),
    'Node of the next attempt: the same one, another one of the sender, or any other (which leaves its SPF record).',
  ),
});

const senderNodeSchema = section({
  node: key(leaf(name), 'Name of a node.', { example: 'n1' }),
  weight: key(leaf(weight).prefault(1), 'Share of the mail, relative to the other nodes.'),
});

const dkimKeySchema = section({
  domain: key(leaf(domain), 'From domain that the key signs for.', { example: 'example.com' }),
  selector: key(leaf(domain), 'Selector of the DNS record.', { example: 's1' }),
  key_file: key(leaf(filePath), 'PEM private key: RSA of at least 1024 bits (2048 is better) or Ed25519.', {
    example: 'keys/example.com.s1.pem',
  }),
});

const listUnsubscribe = section({
  mailto: key(leaf(flag).prefault(false), 'A signed address at return_path_domain.', { example: true }),
  url: key(
    leaf(unsubscribeUrl).optional(),
    'Page of yours that takes one-click requests (RFC 8058); {token} names the delivery.',
    { example: 'https://u.example.com/{token}' },
  ),
});

export const senderSchema = section(
  {
    name: key(leaf(name), 'Name used by virtual senders, commands and events.', { example: 'promo' }),
    nodes: key(z.array(senderNodeSchema).prefault([]), 'Nodes that send its mail; at least one.'),
    strategies: key(
      strategyMap.prefault({}),
      'Speed by ISP name, and `default` for the rest. Without a default: what the ISP starts with, else "60:60".',
      { example: { default: '60:60', gmail: 'gmail-warm' } },
    ),
    retry: key(
      leaf(name).optional(),
      'Name of the retry rule. Left out: `default`; while that is the built-in one, shipped rules choose a better one by the refusal.',
      { example: 'default', off: true },
    ),
    return_path_domain: key(
      leaf(domain).optional(),
      'MAIL FROM becomes a signed token address there; without it the given reverse-path is kept.',
      { example: 'bounce.example.com' },
    ),
    return_path: key(
      leaf(choice(['per_delivery', 'shared'])).prefault('per_delivery'),
      'per_delivery: each recipient has a transaction, and a return path of its own at return_path_domain. shared: the given reverse-path is kept, and recipients of one message at one domain share a transaction; reports then name no delivery.',
    ),
    list_unsubscribe: key(
      listUnsubscribe.optional(),
      'List-Unsubscribe for mail that has none, signed with the rest of the header.',
      { off: true },
    ),
    dkim: key(z.array(dkimKeySchema).prefault([]), 'Signing keys; several of one domain sign side by side.', {
      off: true,
    }),
    dkim_missing: key(
      leaf(choice(['send', 'refuse'])).prefault('send'),
      'Mail from a domain without a key: send it unsigned, or refuse it.',
    ),
    lifetime: key(leaf(duration('24h')).prefault('24h'), 'Mail that is older ends as undelivered.'),
    tls: key(leaf(tls).optional(), `Goes before the strategy. ${TLS_TEXT}`, { example: 'may', off: true }),
  },
  ['rules', 'headers', 'bands', 'accounts'],
);

export const conditionSchema = section({
  group: key(leaf(oneOrMany(text)).optional(), 'Group label of the message.', { example: 'vip' }),
  from_domain: key(leaf(oneOrMany(domain)).optional(), 'Domain of From.', { example: 'example.com' }),
  to_domain: key(leaf(oneOrMany(domain)).optional(), 'Domain of the recipient.', { example: ['gmail.com'] }),
  from_email: key(leaf(oneOrMany(email)).optional(), 'Address of From.', { example: 'news@example.com' }),
  isp: key(leaf(oneOrMany(name)).optional(), 'Name of the ISP of the recipient.', { example: ['gmail'] }),
});

const shareSchema = section({
  sender: key(leaf(name), 'Name of a sender.', { example: 'promo' }),
  percent: key(leaf(decimal({ min: 0, max: 100 })), 'Its share; the shares of a rule sum to 100.', {
    example: 100,
  }),
  from_email: key(leaf(email).optional(), 'Replaces the address of From.', {
    example: 'news@example.com',
    off: true,
  }),
  from_name: key(leaf(text).optional(), 'Replaces the display name of From.', {
    example: 'Example',
    off: true,
  }),
  reply_to: key(leaf(email).optional(), 'Replaces Reply-To.', { example: 'help@example.com', off: true }),
});

export const virtualSenderSchema = section({
  name: key(leaf(name), 'Name that messages ask for.', { example: 'main' }),
  rules: key(
    z
      .array(
        section({
          when: key(
            z.union([leaf(choice(['default'])), conditionSchema]),
            '`default` (the last rule, required) or conditions that must all hold; each one value or a list.',
            { example: 'default' },
          ),
          senders: key(z.array(shareSchema).prefault([]), 'Who sends, by percentage.'),
          sticky: key(
            leaf(flag).prefault(false),
            'true: a recipient always gets the same sender; the percentages then hold on average only.',
          ),
          fallback: key(
            leaf(flag).prefault(false),
            'true: while a sender is locked towards the ISP of the recipient, or all its nodes are down or locked, its share goes to the others; else the mail waits for it.',
          ),
        }),
      )
      .prefault([]),
    'Rules in order; the first match wins.',
  ),
});
