/**
 * The variables of a batch line against those of the content: one that is a list or an object can not be written into a
 * message, and one that is missing is refused where the batch says so. Checked at acceptance, where the line can still
 * be named. A single message is like a line without variables.
 */
import { type CampaignContent, neededNames, variableNames } from '../message/index.ts';
import type { VariableRules } from './contract.ts';

export type Vars = Readonly<Record<string, unknown>>;
/** What is wrong with the variables of a line, if anything. */
export type VariableCheck = (vars: Vars | undefined) => { field: string; message: string } | undefined;

const NONE: Vars = {};

export function variableCheck(
  campaign: CampaignContent,
  { missing, defaults = {} }: VariableRules,
  field: 'vars' | 'defaults' = 'vars',
): VariableCheck {
  const names = [...variableNames(campaign)];
  const required = new Set(
    missing === 'refuse' ? [...neededNames(campaign)].filter((name) => !Object.hasOwn(defaults, name)) : [],
  );
  return (vars = NONE) => {
    for (const name of names) {
      const value = Object.hasOwn(vars, name) ? vars[name] : undefined;
      if (typeof value === 'object' && value !== null)
        return {
          field: `${field}.${name}`,
          message: 'is a list or an object, and stands in the content: give a text',
        };
      if ((value === undefined || value === null) && required.has(name))
        return { field: `${field}.${name}`, message: 'is missing, and there is no default for it' };
    }
    return undefined;
  };
}
