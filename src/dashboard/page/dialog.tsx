/** A modal dialog: the browser keeps the focus in it and closes it with Escape. Its head stays when it is scrolled. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useSpeech } from './speech.ts';

interface DialogProps {
  readonly title: string;
  readonly close: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, close, children }: DialogProps) {
  const { say } = useSpeech();
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog ref={element} aria-label={title} onClose={close} onCancel={close}>
      <div class="head">
        <h2 class="grow">{title}</h2>
        <button type="button" onClick={close}>
          {say('close')}
        </button>
      </div>
      {children}
    </dialog>
  );
}
