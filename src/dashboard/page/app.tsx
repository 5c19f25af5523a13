/** The page: what answers the first questions stands first. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CellView, Look } from '../view.ts';
import { ActionDialog } from './act.tsx';
import type { Target } from './actions.ts';
import { CampaignTable, SenderTable } from './campaigns.tsx';
import { CellDialog } from './cell.tsx';
import { Chart } from './chart.tsx';
import { Connection, NOTHING } from './connection.ts';
import { Events } from './events.tsx';
import { Grid } from './grid.tsx';
import { Header } from './header.tsx';
import { Lookup } from './lookup.tsx';
import { NodeTable } from './nodes.tsx';
import { NowContext } from './now.ts';
import { Refusals } from './refusals.tsx';
import { savedLanguage, savedTheme, useLanguage, useTheme } from './settings.ts';
import { SignInDialog } from './sign-in.tsx';
import { SpeechContext } from './speech.ts';
import { Summary } from './summary.tsx';
import { Speech } from './language.ts';

export function App() {
  const [picture, setPicture] = useState(NOTHING);
  const connection = useRef<Connection | undefined>(undefined);
  const [language, setLanguage] = useState(savedLanguage);
  const [theme, setTheme] = useState(savedTheme);
  const [signingIn, setSigningIn] = useState(false);
  const [open, setOpen] = useState<{ readonly node: string; readonly isp: string }>();
  const [wanted, setWanted] = useState<{ readonly text: string }>();
  const [target, setTarget] = useState<Target>();
  const speech = useMemo(() => new Speech(language), [language]);
  useEffect(() => {
    connection.current = new Connection(setPicture);
  }, []);
  useEffect(() => useLanguage(language), [language]);
  // Before the effects of what is inside: the chart takes its colours from it.
  useLayoutEffect(() => useTheme(theme), [theme]);

  const { snapshot, session, link, found } = picture;
  const signedIn = session?.signedIn === true;
  const act = signedIn ? setTarget : undefined;
  const cellOf = (one: { node: string; isp: string }): CellView | undefined =>
    [...(snapshot?.worst ?? []), ...(snapshot?.grid.cells ?? []), ...(found?.grid.cells ?? [])].find(
      ({ node, isp }) => node === one.node && isp === one.isp,
    );
  const look = (change: Partial<Look>): void => connection.current?.look(change);
  const again = (): void => {
    setSigningIn(false);
    void connection.current?.open();
  };
  return (
    <SpeechContext.Provider value={speech}>
      <NowContext.Provider value={snapshot?.at ?? 0}>
        <a class="skip" href="#figures">
          {speech.say('skip')}
        </a>
        <Header
          {...{ picture, language, setLanguage, theme, setTheme, again }}
          signIn={() => setSigningIn(true)}
        />
        <main id="figures" class={link === 'lost' ? 'stale' : ''}>
          {link === 'refused' && (
            <section class="panel center">
              <p>{speech.say('mustSignIn')}</p>
              <button class="primary" onClick={() => setSigningIn(true)}>
                {speech.say('signIn')}
              </button>
            </section>
          )}
          {!snapshot && link !== 'refused' && <p class="center muted">{speech.say('connecting')} …</p>}
          {snapshot && (
            <>
              <Summary snapshot={snapshot} lost={link === 'lost'} open={setOpen} />
              <Chart hour={snapshot.hour} started={snapshot.started} theme={theme} />
              <Grid snapshot={snapshot} found={found} look={look} open={setOpen} />
              <div class="columns">
                <NodeTable nodes={snapshot.nodes} act={act} />
                <SenderTable senders={snapshot.senders} act={act} />
              </div>
              <Refusals
                refusals={snapshot.refusals}
                find={signedIn ? (text) => setWanted({ text }) : undefined}
              />
              <CampaignTable snapshot={snapshot} found={found} look={look} act={act} />
              {signedIn ? (
                <>
                  <Lookup wanted={wanted} />
                  <Events events={picture.events} />
                </>
              ) : (
                <section class="panel center muted">
                  <p>{speech.say(session?.canSignIn ? 'signInFor' : 'noToken')}</p>
                </section>
              )}
            </>
          )}
        </main>
        {signingIn && <SignInDialog done={again} cancel={() => setSigningIn(false)} />}
        {target && <ActionDialog target={target} close={() => setTarget(undefined)} />}
        {open && (
          <CellDialog {...open} cell={cellOf(open)} signedIn={signedIn} close={() => setOpen(undefined)} />
        )}
      </NowContext.Provider>
    </SpeechContext.Provider>
  );
}
