export { createTokens, type TokenError, type Tokens, type TokenSecret } from './token.ts';
