/** Durations that the server writes (`2m50s`), as the page writes its own (`2 min 50 s`). */
import { type Language, TABLES } from './words.ts';

const PARTS = /([\d.]+)(ms|[dhms])(?=(\d?))/g;

/** `figure`: how the language writes one. */
export function spelled(text: string, language: Language, figure: (amount: string) => string): string {
  const { d, h, min: m, s, ms } = TABLES[language];
  const units: Readonly<Record<string, string>> = { d, h, m, s, ms };
  return text.replace(
    PARTS,
    (_, amount: string, unit: string, more: string) =>
      `${figure(amount)} ${units[unit]}${more === '' ? '' : ' '}`,
  );
}

const DURATION = /(?:[\d.]+(?:ms|[dhms]))+/.source;
/** What is before one in the server's sentences; a name or reply that looks like one stays as it is. */
const BEFORE: readonly RegExp[] = [
  /^(?:over: )?\d+ deliveries to \S+ wait, the oldest for /,
  /^(?:over: )?\d+ deliveries to \S+ wait, the oldest for [^,]+, and none was taken for /,
  /^(?:over: )?node \S+ is down for /,
  /^(?:over: )?\S+: \d+ of \d+ [^%]+ \([^)]+\) in /,
  /^(?:over: )?(?:the disk is slow: )?a commit takes /,
];
const PLACES = [
  ...BEFORE.map(({ source }) => new RegExp(`(?<=${source})${DURATION}`)),
  new RegExp(`(?<=, and none was taken for .*[:;] )${DURATION}(?= ago: )`),
  new RegExp(`(?<=\\blocked by [^,]+, )${DURATION}(?= left: )`, 'g'),
];

/** What the server says in English, with its durations spelled. */
export const inEnglish = (text: string): string =>
  PLACES.reduce((said, place) => said.replace(place, (found) => spelled(found, 'en', String)), text);
