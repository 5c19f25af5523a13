/**
 * The variables of a batch line against those of the content: one that is a list or an object can not be written into a
 * message, one that is missing is refused where the batch says so, and values that stand in the content many times may
 * not make the message larger than a message may be. Checked at acceptance, where the line can still be named. A single
 * message is like a line without variables.
 */
import { type CampaignContent, neededNames, variableCounts } from '../message/index.ts';
import type { VariableRules } from './contract.ts';

export type Vars = Readonly<Record<string, unknown>>;
/** What is wrong with the variables of a line, if anything. */
export type VariableCheck = (vars: Vars | undefined) => { field: string; message: string } | undefined;

const NONE: Vars = {};
/** Bytes of a character in quoted-printable, as most texts have it. */
const ENCODED = 3;

export interface VariableOptions {
  readonly maxMessageBytes: number;
  readonly field?: 'vars' | 'defaults';
}

export function variableCheck(
  campaign: CampaignContent,
  { missing, defaults = {} }: VariableRules,
  { maxMessageBytes, field = 'vars' }: VariableOptions,
): VariableCheck {
  const counts = [...variableCounts(campaign)];
  const room = (maxMessageBytes - campaign.fixedBytes) / ENCODED;
  const ofDefault = (name: string): unknown => (Object.hasOwn(defaults, name) ? defaults[name] : undefined);
  const required = new Set(
    missing === 'refuse' ? [...neededNames(campaign)].filter((name) => !Object.hasOwn(defaults, name)) : [],
  );
  return (vars = NONE) => {
    let characters = 0;
    for (const [name, count] of counts) {
      const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
      if (typeof value === 'object' && value !== null)
        return {
          field: `${field}.${name}`,
          message: 'is a list or an object, and stands in the content: give a text',
        };
      if ((value === undefined || value === null) && required.has(name))
        return { field: `${field}.${name}`, message: 'is missing, and there is no default for it' };
      const text = value ?? ofDefault(name);
      if (typeof text === 'string') characters += text.length * count;
    }
    return characters > room
      ? { field, message: `make the message larger than ${maxMessageBytes} bytes (smtp.max_message_size)` }
      : undefined;
  };
}
