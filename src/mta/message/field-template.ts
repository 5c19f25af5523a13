/** Header fields with variables: from text to a step, fixed bytes where nothing varies. */
import { err, formatAddress, ok, parseAddress, type Result } from '../../core/index.ts';
import type { MailboxTemplate, Step } from './campaign.ts';
import { formatAddressField, formatField } from './header-text.ts';
import { parseMailboxes } from './mailbox.ts';
import { isStructured, structuredStep } from './structured-field.ts';
import { compileTemplate, describe, isConstant, renderTemplate } from './template.ts';
import { fixed } from './text-part.ts';

/** A field of the caller's input and what is wrong with it. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

/** A field of text, `Subject` for example, or one with a syntax of its own. */
export function fieldStep(name: string, text: string): Result<Step, string> {
  if (isStructured(name.toLowerCase())) return structuredStep(name, text);
  const template = compileTemplate(text, { escape: 'header' });
  if (!template.ok) return err(describe(template.error));
  if (!isConstant(template.value)) return ok({ kind: 'field', name, template: template.value });
  return ok(fixed(formatField(name, text)));
}

/** A field of mailboxes. Fixed addresses are checked now, variable ones when they are rendered. */
export function addressStep(name: string, text: string): Result<Step, string> {
  const mailboxes = mailboxTemplates(text);
  if (!mailboxes.ok) return mailboxes;
  const varies = mailboxes.value.some((each) => !isConstant(each.name) || !isConstant(each.address));
  if (varies) return ok({ kind: 'addresses', name, mailboxes: mailboxes.value });
  const constant = mailboxes.value.map((mailbox) => ({
    name: renderTemplate(mailbox.name, {}),
    address: renderTemplate(mailbox.address, {}),
  }));
  return ok(fixed(formatAddressField(name, constant)));
}

/** The mailboxes of a text, templates in names and addresses; domains of fixed addresses become A-labels. */
export function mailboxTemplates(text: string): Result<readonly MailboxTemplate[], string> {
  // `{{ name }}` as one word: braces are atext, the blanks would split it.
  const tight = text.replaceAll(/\{\{\s*([^{}\s]+)\s*\}\}/g, '{{$1}}');
  const parsed = parseMailboxes(tight);
  if (!parsed.ok) return parsed;
  const templates: MailboxTemplate[] = [];
  for (const mailbox of parsed.value) {
    const name = compileTemplate(mailbox.name, { escape: 'header' });
    const address = compileTemplate(mailbox.address, { escape: 'header' });
    if (!name.ok) return err(name.error.message);
    if (!address.ok) return err(address.error.message);
    if (!isConstant(address.value)) {
      templates.push({ name: name.value, address: address.value });
      continue;
    }
    const checked = parseAddress(mailbox.address);
    if (!checked.ok) return checked;
    const texts = [formatAddress(checked.value)];
    templates.push({ name: name.value, address: { ...address.value, texts } });
  }
  return ok(templates);
}
