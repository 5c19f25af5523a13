export { startDnsStub, type DnsStub, type DnsStubOptions } from './dns-stub.ts';
export type { ZoneBehaviour, ZoneEntry, Zones } from './dns-zones.ts';
export { DEFAULT_HEADERS, recipientOf, type MessagePlan } from './source-messages.ts';
export { runSource, type SourceOptions, type SourceReport, type SourceTarget } from './source.ts';
export { makeCertificate, type CertificateOptions, type CertificatePair } from './sink-certificate.ts';
export type { SinkMessage, SinkOptions, SinkRateLimit, SinkTls } from './sink-options.ts';
export type { SinkStats } from './sink-record.ts';
export { parseReply, parseSinkRule, type SinkAction, type SinkPhase, type SinkRule } from './sink-rules.ts';
export { startSink, type Sink } from './sink.ts';
