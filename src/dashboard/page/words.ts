/** All texts of the page, in both languages. A missing one is a type error. */
import { en, type Words } from './words-en.ts';
import { ru } from './words-ru.ts';

export type { Word } from './words-en.ts';

export type Language = 'en' | 'ru';
export const LANGUAGES: Readonly<Record<Language, string>> = { en: 'English', ru: 'Русский' };
export const TABLES: Readonly<Record<Language, Words>> = { en, ru };
