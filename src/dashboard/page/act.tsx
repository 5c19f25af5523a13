/** Actions: choose one, see what it touches, confirm. Nothing happens before the confirmation. */
import { useEffect, useState } from 'preact/hooks';
import type { JobView } from '../../api/index.ts';
import { type Action, actionsOn, carryOut, preview, type Target, targetText } from './actions.ts';
import { ask, type Failure } from './ask.ts';
import { Dialog } from './dialog.tsx';
import { useSpeech } from './speech.ts';

const LOOK_MS = 500;
/** As the server reads them, and in seconds. */
const DURATIONS = { '30m': 1_800, '2h': 7_200, '24h': 86_400, '': undefined } as const;
const DANGEROUS: ReadonlySet<Action> = new Set(['purge']);

type Step =
  | { readonly at: 'choose' }
  | { readonly at: 'confirm'; readonly action: Action; readonly job?: JobView }
  | { readonly at: 'done'; readonly action: Action; readonly job?: JobView | undefined }
  | { readonly at: 'failed'; readonly failure: Failure };

export function ActionDialog({ target, close }: { readonly target: Target; readonly close: () => void }) {
  return (
    <Dialog title={targetText(target)} close={close}>
      <Actions target={target} />
    </Dialog>
  );
}

export function Actions({ target }: { readonly target: Target }) {
  const { say, problem } = useSpeech();
  const [step, setStep] = useState<Step>({ at: 'choose' });
  const choose = async (action: Action): Promise<void> => {
    setStep({ at: 'confirm', action });
    const answer = await preview(action, target);
    setStep(answer.ok ? { at: 'confirm', action, job: answer.value } : { at: 'failed', failure: answer });
  };
  const confirm = async (action: Action, duration: string): Promise<void> => {
    const answer = await carryOut(action, target, duration);
    setStep(answer.ok ? { at: 'done', action, job: answer.value } : { at: 'failed', failure: answer });
  };
  return (
    <section class="act" aria-label={say('actions')}>
      <div class="tools" role="group" aria-label={say('actions')}>
        {actionsOn(target).map((action) => (
          <button
            class={DANGEROUS.has(action) ? 'danger' : ''}
            aria-pressed={'action' in step && step.action === action}
            onClick={() => void choose(action)}
          >
            {say(`act_${action}`)}
          </button>
        ))}
      </div>
      <div aria-live="polite">
        {step.at === 'confirm' && (
          <Confirm
            key={step.action}
            {...{ target, confirm, action: step.action, job: step.job }}
            cancel={() => setStep({ at: 'choose' })}
          />
        )}
        {step.at === 'done' && <Done action={step.action} job={step.job} />}
        {step.at === 'failed' && <p class="problem">{`${say('failed')}: ${problem(step.failure)}`}</p>}
      </div>
    </section>
  );
}

interface ConfirmProps {
  readonly target: Target;
  readonly action: Action;
  readonly job: JobView | undefined;
  readonly confirm: (action: Action, duration: string) => Promise<void>;
  readonly cancel: () => void;
}

function Confirm({ target, action, job, confirm, cancel }: ConfirmProps) {
  const { say, number, age } = useSpeech();
  const [duration, setDuration] = useState<string>('2h');
  const [busy, setBusy] = useState(false);
  const touches =
    job && say(job.state === 'counting' ? 'touchesAtLeast' : 'touches', { n: number(job.matched) });
  const run = (): void => {
    setBusy(true);
    void confirm(action, duration);
  };
  return (
    <div class="confirm">
      <p>
        <strong>{say(`act_${action}`)}</strong>: {say(`does_${action}`)}
      </p>
      <p>
        <code>{targetText(target)}</code>: {touches ?? `${say('loading')} …`}
      </p>
      {action === 'lock' && (
        <label>
          {say('duration')}{' '}
          <select value={duration} onChange={({ currentTarget }) => setDuration(currentTarget.value)}>
            {Object.entries(DURATIONS).map(([one, seconds]) => (
              <option value={one}>{seconds === undefined ? say('untilLifted') : age(seconds)}</option>
            ))}
          </select>
        </label>
      )}
      <div class="tools">
        <button
          class={DANGEROUS.has(action) ? 'primary danger' : 'primary'}
          disabled={!job || busy}
          onClick={run}
        >
          {say('confirm')}
        </button>
        <button onClick={cancel}>{say('cancel')}</button>
      </div>
    </div>
  );
}

/** What came of it; a job over much mail goes on and is followed. */
function Done({ action, job: first }: { readonly action: Action; readonly job: JobView | undefined }) {
  const { say, number } = useSpeech();
  const [job, setJob] = useState(first);
  const goesOn = job !== undefined && job.state !== 'done';
  useEffect(() => {
    if (!goesOn) return;
    const look = async (): Promise<void> => {
      const answer = await ask<JobView>(`/v1/jobs/${job.job}`);
      // Also when it could not be asked: it is asked again.
      setJob(answer.ok ? answer.value : { ...job });
    };
    const timer = setTimeout(() => void look(), LOOK_MS);
    return () => clearTimeout(timer);
  }, [job]);
  const of = job && { done: number(job.done), matched: number(job.matched) };
  return (
    <p>
      <span class={`chip ${goesOn ? 'idle' : 'good'}`}>{say(goesOn ? 'underWay' : 'done')}</span>{' '}
      {say(`act_${action}`)}
      {of && `: ${say('doneOf', of)}`}
    </p>
  );
}
