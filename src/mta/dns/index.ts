export {
  dnsFailure,
  type DnsAnswer,
  type DnsFailure,
  type DnsFailureReason,
  type MxRecord,
  type QueryType,
  type RecordOf,
  type Resolver,
  type ResolverStats,
  type TlsaRecord,
} from './answer.ts';
export { orderHosts, type DnsRefusal, type MxHost, type MxPlan } from './mx-plan.ts';
export { createMxPlanner, type MxPlanner, type MxPlannerOptions } from './mx-planner.ts';

export { createResolver, type ResolverOptions } from './resolver.ts';
export { formatServer, parseServer, systemServers, type DnsServer } from './servers.ts';
