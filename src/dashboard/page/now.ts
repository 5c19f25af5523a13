/** The time of the server at the last picture: what the clock of the browser says is not what its times are measured by. */
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';

export const NowContext = createContext(0);
export const useNow = (): number => useContext(NowContext);
