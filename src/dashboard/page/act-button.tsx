import { type Target, targetText } from './actions.ts';
import { useSpeech } from './speech.ts';

interface ActButtonProps {
  readonly target: Target;
  readonly act: (target: Target) => void;
}

/** The last cell of a row: opens what can be done with it. */
export function ActButton({ target, act }: ActButtonProps) {
  const label = useSpeech().say('act', { what: targetText(target) });
  return (
    <td class="row-act">
      <button class="small-button" title={label} aria-label={label} onClick={() => act(target)}>
        ⋯
      </button>
    </td>
  );
}
