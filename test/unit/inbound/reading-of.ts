/** A mail of which nothing is known but its kind. */
import type { Reading } from '../../../src/mta/inbound/reading.ts';

export const readingOf = (kind: Reading['kind']): Reading => ({
  kind,
  from: undefined,
  subject: '',
  tokenCandidates: [],
  originalId: undefined,
  feedbackId: undefined,
  about: [],
  recipients: [],
  notice: '',
  reportingMta: undefined,
  feedbackType: undefined,
  reporter: undefined,
});
