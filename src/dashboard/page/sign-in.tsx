import { useState } from 'preact/hooks';
import { ask, type Failure } from './ask.ts';
import { Dialog } from './dialog.tsx';
import { useSpeech } from './speech.ts';

export function SignInDialog({ done, cancel }: { readonly done: () => void; readonly cancel: () => void }) {
  const { say, problem } = useSpeech();
  const [token, setToken] = useState('');
  const [failure, setFailure] = useState<Failure>();
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const answer = await ask('/session', { method: 'POST', body: { token: token.trim() } });
    if (answer.ok) done();
    else setFailure(answer);
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
          {failure && problem(failure)}
        </p>
        <div class="tools end">
          <button class="primary">{say('signIn')}</button>
        </div>
      </form>
    </Dialog>
  );
}
