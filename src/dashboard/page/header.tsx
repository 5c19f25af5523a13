/** Whose page it is, whether the connection stands, and the settings. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './ask.ts';
import type { Picture } from './connection.ts';
import { type Theme, THEMES } from './settings.ts';
import { useSpeech } from './speech.ts';
import { type Language, LANGUAGES } from './words.ts';

const BACK_SHOWN_MS = 4_000;

interface HeaderProps {
  readonly picture: Picture;
  readonly language: Language;
  readonly setLanguage: (language: Language) => void;
  readonly theme: Theme;
  readonly setTheme: (theme: Theme) => void;
  readonly signIn: () => void;
  readonly again: () => void;
}

export function Header({ picture, language, setLanguage, theme, setTheme, signIn, again }: HeaderProps) {
  const { say, dateTime, zone } = useSpeech();
  const { snapshot, session, link } = picture;
  const signOut = async (): Promise<void> => {
    await ask('/session', { method: 'DELETE' });
    again();
  };
  return (
    <header>
      <div class="bar">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <div class="grow">
          <h1>{snapshot?.hostname ?? 'Postrider'}</h1>
          {snapshot && (
            <p class="small muted">
              Postrider {snapshot.version}, {say('upSince')} {dateTime(snapshot.started)},{' '}
              {say('timesIn', { zone })}
            </p>
          )}
        </div>
        <nav>
          <select
            aria-label={say('language')}
            value={language}
            onChange={({ currentTarget }) => setLanguage(currentTarget.value as Language)}
          >
            {Object.entries(LANGUAGES).map(([code, name]) => (
              <option value={code}>{name}</option>
            ))}
          </select>
          <select
            aria-label={say('theme')}
            value={theme}
            onChange={({ currentTarget }) => setTheme(currentTarget.value as Theme)}
          >
            {THEMES.map((one) => (
              <option value={one}>{say(one)}</option>
            ))}
          </select>
          {session?.signedIn && <button onClick={() => void signOut()}>{say('signOut')}</button>}
          {session && !session.signedIn && session.canSignIn && (
            <button class="primary" onClick={signIn}>
              {say('signIn')}
            </button>
          )}
        </nav>
      </div>
      <LinkBanner link={link} at={snapshot?.at} />
    </header>
  );
}

/** Says when the connection is lost, and for a moment when it is back. */
function LinkBanner({ link, at }: { readonly link: Picture['link']; readonly at: number | undefined }) {
  const { say, time } = useSpeech();
  const [back, setBack] = useState(false);
  const before = useRef(link);
  useEffect(() => {
    if (link === 'lost') before.current = link;
    if (link !== 'live' || before.current !== 'lost') return;
    before.current = link;
    setBack(true);
    const timer = setTimeout(() => setBack(false), BACK_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [link]);
  return (
    <div aria-live="assertive">
      {link === 'lost' && (
        <p class="banner lost">
          <strong>{say('lost')}</strong>, {say('trying')} …{' '}
          {at !== undefined && `${say('lostSince')} ${time(at)}.`}
        </p>
      )}
      {link === 'live' && back && <p class="banner back">{say('back')}</p>}
    </div>
  );
}
