/** A box for a part of a name, which the server looks for in all that it has. */
import { useState } from 'preact/hooks';

const LONGEST = 100;

interface FilterProps {
  readonly label: string;
  readonly change: (text: string) => void;
}

export function Filter({ label, change }: FilterProps) {
  const [text, setText] = useState('');
  return (
    <input
      type="search"
      class="filter"
      placeholder={label}
      aria-label={label}
      maxLength={LONGEST}
      value={text}
      onInput={({ currentTarget: { value } }) => {
        setText(value);
        change(value.trim());
      }}
    />
  );
}
