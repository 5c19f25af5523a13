/** What this browser remembers: language and theme. */
import { type Language, LANGUAGES } from './words.ts';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const read = (name: string): string | null => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is forbidden here
  }
};

function write(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It will be asked again next time.
  }
}

export function savedLanguage(): Language {
  const saved = read('language') ?? navigator.language.slice(0, 2);
  return saved in LANGUAGES ? (saved as Language) : 'en';
}

export function savedTheme(): Theme {
  const saved = read('theme');
  return THEMES.find((theme) => theme === saved) ?? 'auto';
}

export function useLanguage(language: Language): void {
  document.documentElement.lang = language;
  write('language', language);
}

export function useTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
  write('theme', theme);
}
