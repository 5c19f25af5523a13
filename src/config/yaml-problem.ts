/** What a syntax error of YAML means in the words of someone who edits a configuration. */
import type { ErrorCode, YAMLError } from 'yaml';

const HINTS: Partial<Record<ErrorCode, string>> = {
  TAB_AS_INDENT: 'a tab is used for indentation: write spaces',
  BAD_INDENT: 'a bracket opened here or above is not closed, or a line is indented too little',
  BLOCK_AS_IMPLICIT_KEY:
    'a value is followed by a second key: put the value in quotes if it contains ": ", or align the next line with the key above',
  MULTILINE_IMPLICIT_KEY: 'a key runs over several lines: check the indentation',
  BAD_SCALAR_START: 'a value starts with a character that YAML reserves: put the value in quotes',
  MULTIPLE_DOCS:
    'a line "---" starts a second document: remove it, or put the rest in a file named by include',
  BAD_ALIAS: 'an alias (*name) has no anchor (&name) before it',
  BAD_DQ_ESCAPE: 'an unknown escape in double quotes: use single quotes to keep backslashes as they are',
  RESOURCE_EXHAUSTION: 'brackets are nested too deeply',
};

/** One sentence: what is wrong, and what the parser itself said. */
export function explainYaml(error: YAMLError): string {
  const said = error.message.replace(/\s+/g, ' ').trim();
  if (error.code === 'RESOURCE_EXHAUSTION') return `not valid YAML: ${HINTS.RESOURCE_EXHAUSTION}`;
  if (error.code === 'MISSING_CHAR') return `not valid YAML: ${explainMissing(said)}`;
  const hint = HINTS[error.code];
  if (hint !== undefined) return `not valid YAML: ${hint}`;
  if (said.includes('on same line with key'))
    return 'not valid YAML: a list starts behind its key: put "- ..." on the next line';
  return `not valid YAML: ${said}: check quotes, colons and indentation of this line and the one above`;
}

function explainMissing(said: string): string {
  if (said.includes('quote')) return 'a quote opened here or above is not closed';
  if (said.includes('followed by map values')) return 'a key without ": " and a value: write key: value';
  return `${said}: a character is missing here or just before`;
}
