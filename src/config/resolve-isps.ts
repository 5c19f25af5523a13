/** The ISPs: those of the configuration, then the shipped ones without what the first have taken. */
import type { Draft, IspDraft } from './draft.ts';
import { shippedIsps, withShipped } from './shipped.ts';
import type { IspConfig } from './snapshot.ts';

/** The ISPs of a draft that count, the shipped ones last. A domain or mail host belongs to the first that names it. */
export function ispsOf({ lists, settings }: Draft): readonly IspDraft[] {
  const own = lists.isps;
  if (!settings.shipped_isps) return own;
  const domains = new Set(own.flatMap((isp) => isp.domains));
  const hosts = new Set(own.flatMap((isp) => isp.mx));
  return withShipped(own, shippedIsps().isps).map((isp) =>
    own.includes(isp)
      ? isp
      : {
          ...isp,
          domains: isp.domains.filter((domain) => !domains.has(domain)),
          mx: isp.mx.filter((host) => !hosts.has(host)),
        },
  );
}

export function resolveIsp({ encoding, ...isp }: IspDraft): IspConfig {
  const both = typeof encoding === 'string' ? { text: encoding, html: encoding } : encoding;
  return {
    name: isp.name,
    domains: isp.domains,
    mx: isp.mx,
    headers: isp.headers,
    encoding: both ? { text: both.text ?? null, html: both.html ?? null } : null,
    strategy: isp.strategy ?? null,
    source: isp.source ?? null,
  };
}

/** Where an address starts, by ISP name. */
export function startingStrategies(draft: Draft): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ispsOf(draft).flatMap(({ name, strategy }) => (strategy === undefined ? [] : [[name, strategy]])),
  );
}
