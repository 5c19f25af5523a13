/** A refusal out of one line as a receiver sends it: `550 5.1.1 no such user`. */
import { type Refusal, splitEnhanced } from '../../../src/core/index.ts';

export function refused(line: string): Refusal {
  const code = Number(line.slice(0, 3));
  const reply = { code, ...splitEnhanced(line.slice(4)) };
  return { scope: 'recipient', permanent: code >= 500, phase: 'rcpt', reply, cause: undefined, text: line };
}
