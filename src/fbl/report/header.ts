/**
 * Header fields of mail that nobody promises to be well-formed (RFC 5322 §2.2), read in one pass without regular
 * expressions over more than one line. Text is latin1 (one character per byte) with LF line ends.
 */
export interface Field {
  /** Lower case. */
  readonly name: string;
  /** Unfolded, as written. */
  readonly value: string;
}

const MAX_FIELDS = 500;
const MAX_VALUE = 8_192;
const NAME = /^([!-9;-~]{1,100})[ \t]*:/;

export interface Header {
  readonly fields: readonly Field[];
  /** Where the body begins. */
  readonly end: number;
}

/** Reads the header that begins at `start`; a line that is no field ends it. */
export function readHeader(text: string, start: number, limit: number): Header {
  const fields: Field[] = [];
  let at = start;
  while (at < limit) {
    let next = text.indexOf('\n', at);
    if (next < 0 || next > limit) next = limit;
    if (next === at) return { fields, end: Math.min(at + 1, limit) };
    const line = text.slice(at, Math.min(next, at + MAX_VALUE));
    const last = fields.at(-1);
    if (line.startsWith(' ') || line.startsWith('\t')) {
      // INTEROP(several): a line of blanks only ends the header as an empty one does.
      if (line.trim() === '') return { fields, end: Math.min(next + 1, limit) };
      if (last && last.value.length < MAX_VALUE)
        fields[fields.length - 1] = { name: last.name, value: `${last.value} ${line.trim()}` };
    } else {
      const name = NAME.exec(line);
      if (name && fields.length < MAX_FIELDS)
        fields.push({ name: name[1]!.toLowerCase(), value: line.slice(name[0].length).trim() });
      // INTEROP(mbox): a separator line in front is no field, and no end either.
      else if (!name && !/^>?From /.test(line)) return { fields, end: at };
    }
    at = next + 1;
  }
  return { fields, end: limit };
}

/** The first field of a name. */
export const fieldOf = (fields: readonly Field[], name: string): string | undefined =>
  fields.find((field) => field.name === name)?.value;

export const allOf = (fields: readonly Field[], name: string): string[] =>
  fields.filter((field) => field.name === name).map(({ value }) => value);
