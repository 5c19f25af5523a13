export {
  checkBytes,
  checkedLines,
  normaliseLineEnds,
  MAX_LINE_OCTETS,
  type ByteCheck,
  type LineFacts,
} from './bytes.ts';
export {
  bodyVaries,
  decodeCampaign,
  encodeCampaign,
  neededNames,
  variableCounts,
  type CampaignContent,
} from './campaign.ts';
export { composeContent, type Attachment, type ComposeOptions, type ContentParts } from './compose.ts';
export { stuffDots } from './dots.ts';
export { downgrade } from './downgrade.ts';
export type { FieldError } from './field-template.ts';
export { editHeader, type HeaderEdit } from './header-edit.ts';
export { formatAddressField, formatDate, formatField } from './header-text.ts';
export { fieldValue, firstField, scanHeader, type HeaderField, type HeaderScan } from './header.ts';
export { parseMailboxes, type Mailbox } from './mailbox.ts';
export {
  prepareContent,
  type ContentRefusal,
  type PreparedContent,
  type PrepareOptions,
  type ReceivedFrom,
} from './prepare.ts';
export { compileRaw } from './raw-template.ts';
export { recode, type TextEncodings } from './recode.ts';
export { RENDER_ROOM, renderContent, type Recipient } from './render.ts';
export {
  compileTemplate,
  renderTemplate,
  type Escape,
  type Template,
  type TemplateError,
  type Variables,
} from './template.ts';
