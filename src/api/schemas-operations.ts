/**
 * Operations on the queue: `{selector: {...}, dry_run, target}`. The fields of the selector may also stand beside
 * `dry_run`. It is never empty by accident: all of the queue is meant only by `all: true`.
 */
import * as z from 'zod';
import { parseAddress, parseDuration, toAsciiDomain } from '../core/index.ts';
import { label } from './fields.ts';

const domain = z.string().refine((text) => toAsciiDomain(text) !== undefined, 'is not a domain name');
const recipient = z
  .string()
  .refine((text) => parseAddress(text).ok, 'is not an address of the form local@domain');
const duration = z
  .string()
  .refine((text) => (parseDuration(text) ?? -1) >= 0, 'is not a duration such as 90m, 2h or 7d');

const fields = {
  sender: label.optional(),
  node: label.optional(),
  account_id: label.optional(),
  campaign_id: label.optional(),
  isp: label.optional(),
  domain: domain.optional(),
  recipient: recipient.optional(),
  older_than: duration.optional(),
  all: z.literal(true, { error: 'may only be true: leave it out otherwise' }).optional(),
};
export const SELECTOR_FIELDS = Object.keys(fields).filter((name) => name !== 'all');

const selector = z.strictObject(fields);
export type SelectorBody = z.infer<typeof selector>;

const common = { ...fields, selector: selector.optional(), dry_run: z.boolean().optional() };

interface Body extends SelectorBody {
  readonly selector?: SelectorBody | undefined;
}

/** The selector, wherever it stands. */
export function selectorOf({ selector: inner, ...beside }: Body): SelectorBody {
  return inner ?? beside;
}

function hasSelector(body: Body, context: z.core.$RefinementCtx): void {
  const issue = (path: string, message: string): void =>
    void context.addIssue({ code: 'custom', path: [path], message });
  const given = (body_: SelectorBody): string[] =>
    SELECTOR_FIELDS.filter((name) => body_[name as keyof SelectorBody] !== undefined);
  if (body.selector && given(body).length > 0)
    issue('selector', 'give its fields either in selector or beside it, not both');
  const { all } = selectorOf(body);
  const names = given(selectorOf(body));
  if (names.length === 0 && !all)
    issue(
      'selector',
      `selects nothing: give one of ${SELECTOR_FIELDS.join(', ')}, or all: true for the whole queue`,
    );
  if (names.length > 0 && all) issue('all', `contradicts ${names.join(', ')}: give one or the other`);
}

const oneOf = (names: readonly string[]) => (target: object, context: z.core.$RefinementCtx) => {
  const given = names.filter((name) => (target as Record<string, unknown>)[name] !== undefined);
  if (given.length !== 1)
    context.addIssue({ code: 'custom', path: [], message: `needs exactly one of ${names.join(' and ')}` });
};

export const simpleBody = z.strictObject(common).superRefine(hasSelector);
export const moveBody = z
  .strictObject({
    ...common,
    target: z
      .strictObject({ node: label.optional(), sender: label.optional() })
      .superRefine(oneOf(['node', 'sender'])),
  })
  .superRefine(hasSelector);
export const changeBody = z
  .strictObject({
    ...common,
    target: z
      .strictObject({ band: z.enum(['priority', 'geo', 'standard']).optional(), sender: label.optional() })
      .superRefine(oneOf(['band', 'sender'])),
  })
  .superRefine(hasSelector);

export const jobPath = z.strictObject({
  id: z.string().regex(/^[1-9]\d{0,14}$/, 'is not the number of a job'),
});
