/** The audit as the tests use it: the violations, one sentence each. */
export { auditStore } from '../../src/queue/index.ts';
