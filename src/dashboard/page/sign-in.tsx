import { useState } from 'preact/hooks';
import { ask } from './ask.ts';
import { Dialog } from './dialog.tsx';
import { useSpeech } from './speech.ts';

export function SignInDialog({ done, cancel }: { readonly done: () => void; readonly cancel: () => void }) {
  const { say, reason } = useSpeech();
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState('');
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const answer = await ask('/session', { method: 'POST', body: { token: token.trim() } });
    if (answer.ok) done();
    else setProblem(answer.message);
  };
  return (
    <Dialog title={say('signIn')} close={cancel}>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          {say('token')} <span class="small muted">{say('tokenHint')}</span>
          <input
            type="password"
            autocomplete="current-password"
            required
            autofocus
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <p class="problem" role="alert">
          {reason(problem)}
        </p>
        <div class="tools end">
          <button class="primary">{say('signIn')}</button>
        </div>
      </form>
    </Dialog>
  );
}
