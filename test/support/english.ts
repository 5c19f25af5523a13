/** English that is left on a page in another language. */
import type { Page } from 'playwright-core';

/** What stays as it is in every language: names from the configuration, of products and protocols, and quotations. */
const NAMES = [
  // Commands, as an alert names them, and its durations.
  /"postrider [^"]+"/g,
  /\b([\d.]+(ms|[dhms])){1,3}\b/g,
  /\bdata_dir\b|\(iostat -x 1, dmesg\)/g,
  /\b(strategies\.\w+|retry|warmup)(?= отправителя | узла )/g,
  /\S+@\S+|\b[\w-]+\.test\b|\/\S+:\d+/g,
  /\b[\w.]+=\S+/g,
  /\b0[\da-z]{9,}(\.\d+)?\b/g,
  /\b(greymail|slowbox|openpost|strictpost|shop|acme|fast|careful|default|spring-sale|newsletter-48|n[123])\b/g,
  /\b(Postrider|English|IP|SMTP|DNS|TLS|EHLO|STARTTLS|MAIL|RCPT|DATA|QUIT|UTC|B)\b/g,
  /Greylisted, try again later|No such user here|2\.0\.0 Ok|status\.token_file/g,
];

/** Texts, labels and hints of the page that are in English; the keys and values of settings are those of the file. */
export async function english(page: Page): Promise<string[]> {
  const texts = await page.evaluate<string[]>(`(() => {
    const texts = [];
    for (const element of document.querySelectorAll('body *')) {
      if (element.closest('noscript, script, .settings tbody') || !element.checkVisibility()) continue;
      for (const name of ['title', 'aria-label', 'placeholder']) texts.push(element.getAttribute(name) ?? '');
      for (const node of element.childNodes) if (node.nodeType === 3) texts.push(node.textContent);
    }
    return texts;
  })()`);
  return [...new Set(texts)].filter((text) =>
    /[A-Za-z]{2}/.test(NAMES.reduce((left, name) => left.replace(name, ''), text)),
  );
}
