/** In place of the rows of a table that are not in view. */
export const Space = ({ rows, rowPx }: { readonly rows: number; readonly rowPx: number }) =>
  rows > 0 ? <tr class="space" aria-hidden="true" style={{ height: `${rows * rowPx}px` }} /> : null;
