/** An SMTP reply (RFC 5321 §4.2, RFC 2034). `text` is the lines joined by a space, without code and enhanced code. */
export type Phase =
  'connect' | 'greeting' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'content' | 'quit';

export interface Reply {
  readonly code: number;
  /** `5.1.1`, or undefined when the peer sent none. */
  readonly enhanced: string | undefined;
  readonly text: string;
}

export const isPositive = (reply: Reply): boolean => reply.code >= 200 && reply.code < 400;
export const isTransient = (reply: Reply): boolean => reply.code >= 400 && reply.code < 500;
export const isPermanent = (reply: Reply): boolean => reply.code >= 500 && reply.code < 600;

const ENHANCED = /^([245]\.\d{1,3}\.\d{1,3})(?:\s|$)/;

/** Splits the enhanced status code (RFC 2034 §4) off a reply's text. */
export function splitEnhanced(text: string): { enhanced: string | undefined; text: string } {
  const match = ENHANCED.exec(text);
  return match ? { enhanced: match[1]!, text: text.slice(match[0].length) } : { enhanced: undefined, text };
}

export function formatReply(reply: Reply): string {
  return [reply.code, reply.enhanced, reply.text]
    .filter((part) => part !== undefined && part !== '')
    .join(' ');
}
