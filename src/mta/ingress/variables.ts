/**
 * The variables of a batch line against those of the content: one that is a list or an object can not be written into a
 * message, and one that is missing is refused where the batch says so. Checked at acceptance, where the line can still
 * be named.
 */
import { type CampaignContent, neededNames, variableNames } from '../message/index.ts';
import type { BatchHeader } from './contract.ts';

export type Vars = Readonly<Record<string, unknown>>;
/** What is wrong with the variables of a line, if anything. */
export type VariableCheck = (vars: Vars | undefined) => { field: string; message: string } | undefined;

const NONE: Vars = {};

export function variableCheck(
  campaign: CampaignContent,
  { missing, defaults = {} }: Pick<BatchHeader, 'missing' | 'defaults'>,
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
          field: `vars.${name}`,
          message: 'is a list or an object, and stands in the content: give a text',
        };
      if ((value === undefined || value === null) && required.has(name))
        return { field: `vars.${name}`, message: 'is missing, and the batch has no default for it' };
    }
    return undefined;
  };
}
