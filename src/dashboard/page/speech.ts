import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { Speech } from './language.ts';

export const SpeechContext = createContext(new Speech('en'));
export const useSpeech = (): Speech => useContext(SpeechContext);
