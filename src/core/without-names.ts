const LONGEST_TEXT = 200;

/** A reply without addresses and with its ids and numbers made alike: it names no recipient. */
export const withoutNames = (text: string): string =>
  text
    .slice(0, LONGEST_TEXT)
    .replace(/[^\s<>()[\]"',;:]*@[^\s<>()[\]"',;]*/g, '…@…')
    .replace(/\b(?=[\w-]*\d)[\w-]{8,}\b/g, '…');
