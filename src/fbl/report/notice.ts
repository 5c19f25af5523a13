/**
 * What a report says to people: the text of its parts, up to where it quotes the mail it speaks of. Most bounces
 * that have no machine-readable part can only be read from here.
 */
import { type Part } from './part.ts';

export interface Notice {
  /** Lines of the notice, each trimmed at its end. */
  readonly text: string;
  /** What follows the mark that announces the quoted mail; empty when there is none. */
  readonly quoted: string;
}

const MAX_NOTICE = 64 * 1024;

/** Lines that announce a copy of the mail, in the words of many mail systems. */
const COPY = new RegExp(
  [
    String.raw`^[ \t*>]{0,40}-{2,}.{0,20}\b(?:below this line|below the next line|copy of (?:the|your)|original (?:message|mail)|(?:un(?:sent|delivered)|returned|bounced) message|header of the original|message (?:header|text|follows|body)|headers? follow|mail header|included is|start of returned|original mail info).*$`,
    String.raw`^[ \t*>-]{0,20}(?:the )?(?:original|unsent|undelivered|returned) (?:message|mail)(?: (?:headers?|text))?(?: (?:is )?(?:attached|below|follows?|is following|returned))?[ \t]{0,20}[:.-]{0,80}[ \t]{0,80}$`,
    String.raw`^[ \t*>-]{0,10}(?:this is a copy of|below is a copy of|here is a copy of|included is a copy of|bounced e-?mail:|original mail (?:info|as follows)|a copy of (?:your|the) (?:original )?(?:message|mail)|(?:the )?(?:header|body|text) of (?:the|your) (?:original )?(?:message|mail)).*$`,
    String.raw`^[ \t]{0,40}-{3,}[ \t]{0,40}(?:ursprüngliche nachricht|message d'origine|mensaje original|messaggio originale|исходное (?:сообщение|письмо)|元のメッセージ|原始邮件).*$`,
  ].join('|'),
  'imu',
);

export function noticeOf(root: Part): Notice {
  const texts: string[] = [];
  collect(root, texts);
  const text = texts.join('\n').slice(0, MAX_NOTICE).replaceAll('\r', '');
  const copy = COPY.exec(text);
  if (!copy) return cutAtHeader(text);
  return { text: text.slice(0, copy.index), quoted: text.slice(copy.index + copy[0].length) };
}

/** A quoted mail that nobody announced: a line of a Received or Return-Path field behind a blank one. */
function cutAtHeader(text: string): Notice {
  const header =
    /\n[ \t]{0,80}\n[> \t]{0,40}(?:Received: (?:from|by|\(|id)|Return-Path: ?<|Message-ID: ?<)/i.exec(text);
  if (!header) return { text, quoted: '' };
  return { text: text.slice(0, header.index), quoted: text.slice(header.index + 1).trimStart() };
}

/** Plain text where there is some, else what HTML says. Mails inside the mail are not what it says itself. */
function collect(part: Part, texts: string[]): void {
  if (part.type.startsWith('message/') || /rfc822-header/.test(part.type)) return;
  if (part.type.startsWith('multipart/')) {
    const plain = part.children.some(({ type }) => type === 'text/plain');
    for (const child of part.children)
      if (!(part.type === 'multipart/alternative' && plain && child.type === 'text/html'))
        collect(child, texts);
    if (part.children.length === 0) texts.push(part.text());
    return;
  }
  if (part.type === 'text/html') texts.push(htmlText(part.text()));
  else if (part.type.startsWith('text/')) texts.push(part.text());
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  nbsp: ' ',
  apos: "'",
};

/** Text of HTML: tags out, blocks as lines. No element is understood, so none can hurt. */
export function htmlText(html: string): string {
  return html
    .replace(/<(script|style|head)\b[^>]{0,1000}>[\s\S]{0,50000}?<\/\1\s*>/gi, ' ')
    .replace(/\s+/g, ' ')
    .replace(/<(?:br|\/?p|\/?div|\/?tr|\/?li|\/?h\d|\/?table|\/?ul|\/?pre)\b[^<>]{0,1000}>/gi, '\n')
    .replace(/<\/?[a-z!][^<>@]{0,2000}>/gi, ' ')
    .replace(
      /&(?:#(\d{1,6})|#x([0-9a-f]{1,5})|([a-z]{2,6}));/gi,
      (all, decimal?: string, hex?: string, name?: string) => {
        if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? all;
        const code = decimal === undefined ? parseInt(hex!, 16) : Number(decimal);
        return code > 31 && code < 0x110000 ? String.fromCodePoint(code) : ' ';
      },
    );
}
