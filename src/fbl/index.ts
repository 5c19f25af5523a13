export {
  createTokens,
  type TokenError,
  type Tokens,
  type TokenSecret,
  type TokenUse,
  type VerifiedToken,
} from './token.ts';
export {
  parseReport,
  type Dsn,
  type DsnAction,
  type DsnRecipient,
  type FeedbackReport,
  type MailHead,
  type NotAReport,
  type OriginalMail,
  type ParsedMail,
  type ParsedReport,
  type UnsubscribeRequest,
} from './report/index.ts';
