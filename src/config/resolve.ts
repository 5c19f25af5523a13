/** From draft to snapshot: names and units of the program, absolute paths, nothing left to default, deeply frozen. */
import { join } from 'node:path';
import type { Path } from './problem.ts';
import type { Draft } from './draft.ts';
import { ispsOf, resolveIsp } from './resolve-isps.ts';
import { bouncePatternOf } from './resolve-bounces.ts';
import { resolvePlaces } from './resolve-places.ts';
import { resolveSending } from './resolve-sending.ts';
import type { ControlConfig } from './snapshot-control.ts';
import type { Config, EgressConfig, MxConfig, SmtpConfig, StatusConfig } from './snapshot.ts';
import type { AlertsConfig } from './snapshot-alerts.ts';
import type { LogConfig } from './snapshot-log.ts';
import type { Sources } from './source.ts';

/** Only for a draft without errors. */
export function resolveConfig(draft: Draft, sources: Sources): Config {
  const { settings, lists } = draft;
  const dataDir = sources.absolute(['data_dir'], settings.data_dir);
  return freeze({
    hostname: settings.hostname,
    dataDir,
    workers: settings.workers,
    durability: settings.durability,
    secretFile: secretFileOf(draft, sources),
    egress: resolveEgress(settings.egress),
    control: resolveControl(settings.control, sources),
    status: resolveStatus(settings.status, sources),
    smtp: resolveSmtp(settings.smtp, sources),
    mx: resolveMx(settings.mx, sources),
    dns: {
      servers: settings.dns.servers,
      timeoutMs: settings.dns.timeout,
      cacheSize: settings.dns.cache_size,
      allowLoopbackMx: settings.dns.allow_loopback_mx,
    },
    timezone: settings.timezone,
    historyRetentionMs: settings.history_retention,
    diskReserveBytes: settings.disk_reserve,
    idempotencyWindowMs: settings.idempotency_window,
    journal: {
      maxAgeMs: settings.journal.max_age,
      maxBytes: settings.journal.max_size,
      onFull: settings.journal.on_full,
    },
    include: settings.include.map((name, i) => sources.absolute(['include', i], name)),
    alerts: resolveAlerts(settings.alerts),
    log: resolveLog(settings.log, sources),
    routes: lists.routes.map((route) => ({ ...route, tls: route.tls ?? null })),
    isps: ispsOf(draft).map(resolveIsp),
    shippedIsps: settings.shipped_isps,
    bouncePatterns: lists.bounce_patterns.map(bouncePatternOf),
    ...resolveSending(draft, sources),
    places: resolvePlaces(draft, sources),
  });
}

/** Where the key of return paths is, given or by default. */
export function secretFileOf({ settings }: Draft, sources: Sources): string {
  if (settings.secret_file !== undefined) return sources.absolute(['secret_file'], settings.secret_file);
  return join(sources.absolute(['data_dir'], settings.data_dir), 'secret');
}

type Settings = Draft['settings'];

function resolveEgress({ port, max_sessions: maxSessions, timeouts }: Settings['egress']): EgressConfig {
  return {
    port,
    maxSessions,
    timeouts: {
      connectMs: timeouts.connect,
      greetingMs: timeouts.greeting,
      ehloMs: timeouts.ehlo,
      mailMs: timeouts.mail,
      rcptMs: timeouts.rcpt,
      dataInitMs: timeouts.data_init,
      dataBlockMs: timeouts.data_block,
      dataDoneMs: timeouts.data_done,
      sharedMs: timeouts.shared,
      idleMs: timeouts.idle,
    },
  };
}

const orNull = (path: Path, name: string | null | undefined, sources: Sources): string | null =>
  name === null || name === undefined ? null : sources.absolute(path, name);

function resolveControl(
  { socket, listen, token_file, tokens, tls }: Settings['control'],
  sources: Sources,
): ControlConfig {
  return {
    socket: sources.absolute(['control', 'socket'], socket),
    listen,
    tokenFile: orNull(['control', 'token_file'], token_file, sources),
    tokens: tokens.map(({ secret_file, ...one }, i) => ({
      ...one,
      secretFile: sources.absolute(['control', 'tokens', i, 'secret_file'], secret_file),
    })),
    tls: {
      certFile: orNull(['control', 'tls', 'cert_file'], tls.cert_file, sources),
      keyFile: orNull(['control', 'tls', 'key_file'], tls.key_file, sources),
    },
  };
}

function resolveStatus({ listen, token_file }: Settings['status'], sources: Sources): StatusConfig {
  return { listen, tokenFile: orNull(['status', 'token_file'], token_file, sources) };
}

function resolveSmtp(smtp: Settings['smtp'], sources: Sources): SmtpConfig {
  const { cert_file, key_file, required } = smtp.tls;
  return {
    listen: smtp.listen,
    relayFrom: smtp.relay_from,
    proxyProtocolFrom: smtp.proxy_protocol_from,
    xclientFrom: smtp.xclient_from,
    auth: smtp.auth.map(({ user, password_file, senders, accounts }, i) => ({
      user,
      passwordFile: sources.absolute(['smtp', 'auth', i, 'password_file'], password_file),
      senders,
      accounts,
    })),
    tls: {
      certFile: orNull(['smtp', 'tls', 'cert_file'], cert_file, sources),
      keyFile: orNull(['smtp', 'tls', 'key_file'], key_file, sources),
      required,
    },
    maxMessageBytes: smtp.max_message_size,
    maxRecipients: smtp.max_recipients,
  };
}

function resolveLog({ deliveries, ...log }: Settings['log'], sources: Sources): LogConfig {
  return {
    ...log,
    deliveries: {
      file: orNull(['log', 'deliveries', 'file'], deliveries.file, sources),
      rotateBytes: deliveries.rotate,
      rotateAgeMs: deliveries.rotate_age,
      keepAgeMs: deliveries.keep_age,
      keepBytes: deliveries.keep,
    },
  };
}

function resolveAlerts(alerts: Settings['alerts']): AlertsConfig {
  return {
    periodMs: alerts.period,
    complaintPeriodMs: alerts.complaint_period,
    minVolume: alerts.min_volume,
    minCount: alerts.min_count,
    hardBounces: alerts.hard_bounces,
    softBounces: alerts.soft_bounces,
    complaints: alerts.complaints,
    stuckMailMs: alerts.stuck_mail,
    stuckVolume: alerts.stuck_volume,
    nodeDownMs: alerts.node_down,
    slowCommitMs: alerts.slow_commit,
    clearAfterMs: alerts.clear_after,
  };
}

function resolveMx(mx: Settings['mx'], sources: Sources): MxConfig {
  return {
    listen: mx.listen,
    domains: mx.domains,
    proxyProtocolFrom: mx.proxy_protocol_from,
    forwardTo: mx.forward_to,
    forwardSender: mx.forward_sender ?? null,
    forwardAutoReplies: mx.forward_auto_replies,
    tls: {
      certFile: orNull(['mx', 'tls', 'cert_file'], mx.tls.cert_file, sources),
      keyFile: orNull(['mx', 'tls', 'key_file'], mx.tls.key_file, sources),
    },
    maxMessageBytes: mx.max_message_size,
    maxConnections: mx.max_connections,
    maxConnectionsPerPeer: mx.max_connections_per_peer,
    ratePerPeer: mx.rate_per_peer,
    maxWaitingBytes: mx.max_waiting,
    quarantineBytes: mx.quarantine_size,
    checkReporter: mx.check_reporter,
    stopList: {
      hardBounce: mx.stop_list.hard_bounce,
      complaint: mx.stop_list.complaint,
      unsubscribe: mx.stop_list.unsubscribe,
    },
  };
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}
