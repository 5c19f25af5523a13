/** The greeting (RFC 5321 §3.1), said at the start of a session and again after XCLIENT. */
import type { Step } from './dialogue.ts';
import { encodeReply } from './replies.ts';

export const greet: Step = (c, answer) => {
  c.mode = 'command';
  if (answer === undefined) c.write(`220 ${c.settings.hostname} ESMTP ${c.settings.banner}\r\n`);
  // RFC 2034 §4: no enhanced status code in the greeting of a session that goes on.
  else if (answer.code < 400) c.write(encodeReply(answer, false));
  else c.answer(answer);
  if (answer !== undefined && answer.code >= 400) c.hangUp();
  else c.flush();
};
