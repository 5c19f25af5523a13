/** Contrast of what a page shows, as WCAG 2.2 §1.4.3 (AA) measures it, from the colours that the browser has computed. */
import type { Page } from 'playwright-core';

/** Runs in the page: texts whose contrast with what is behind them is too low, each with its ratio. */
const FAULTS = `(() => {
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return rgba('white');
  };
  const opacity = (element) => {
    let all = 1;
    for (let at = element; at; at = at.parentElement) all *= Number(getComputedStyle(at).opacity);
    return all;
  };
  const mix = (a, b, share) => ({ r: a.r * share + b.r * (1 - share), g: a.g * share + b.g * (1 - share), b: a.b * share + b.b * (1 - share) });
  const faults = [];
  let looked = 0;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
    if (!own || !element.checkVisibility() || element.closest('[aria-hidden=true], :disabled, noscript')) continue;
    const style = getComputedStyle(element);
    const back = behind(element);
    const front = rgba(style.color);
    const [a, b] = [light(mix(front, back, front.a * opacity(element))), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    looked++;
    if (ratio < (large ? 3 : 4.5)) faults.push(ratio.toFixed(2) + ': ' + element.textContent.trim().slice(0, 40));
  }
  return { looked, faults };
})()`;

export const contrastOf = (page: Page): Promise<{ looked: number; faults: string[] }> =>
  page.evaluate(FAULTS);
