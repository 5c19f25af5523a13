/** Lines of words on a terminal: broken between words, so that nothing of a reason or a remedy is cut off. */

const HANGING = 2;

/**
 * A line in pieces no longer than the window; what goes on is set in a little further than the line itself. A word that
 * is longer than the window is broken. What sets colours takes no room.
 */
export function fold(line: string, columns: number): string[] {
  const indent = ' '.repeat(Math.min((/^ */.exec(line)?.[0].length ?? 0) + HANGING, columns >> 1));
  const pieces: string[] = [];
  // What sets colours waits with the blanks before it for its word.
  let [text, length, gap, colours] = ['', 0, '', ''];
  const next = (): void => {
    pieces.push(text);
    [text, length, gap] = [indent, indent.length, ''];
  };
  for (const [token] of line.matchAll(/\x1b\[\d+m| +|[^ \x1b]+|\x1b/g)) {
    if (token.startsWith('\x1b')) colours += token;
    else if (token.startsWith(' ')) gap = token;
    else {
      if (length + gap.length + token.length > columns && length > indent.length) next();
      text += gap + colours;
      length += gap.length;
      [gap, colours] = ['', ''];
      let word = token;
      while (length + word.length > columns) {
        const room = columns - length;
        text += word.slice(0, room);
        word = word.slice(room);
        next();
      }
      text += word;
      length += word.length;
    }
  }
  return [...pieces, text + colours];
}

/** All lines of a text, where it is for a terminal. */
export const folded = (text: string, columns: number | undefined): string =>
  columns === undefined
    ? text
    : text
        .split('\n')
        .flatMap((line) => fold(line, columns))
        .join('\n');
