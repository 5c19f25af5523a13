/** The door of the SMTP server protocol. */
export type {
  Answer,
  MailCommand,
  Parameters,
  RcptCommand,
  ReceivedMessage,
  ServerHandler,
  SmtpSession,
} from './handler.ts';
export type { ServerAuth, ServerCapabilities, ServerOptions, ServerTls, ServerTrust } from './options.ts';
export { createSmtpServer, type BoundAddress, type ListenOptions, type SmtpServer } from './server.ts';
