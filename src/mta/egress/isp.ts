/** The ISP of a recipient domain: by its name, else by its MX hosts. A domain named in the configuration wins. */
import type { IspConfig } from '../../config/index.ts';
import { matchesMxSuffix } from '../dns/index.ts';

export class IspIndex {
  readonly #byDomain = new Map<string, string>();
  readonly #byMx: readonly { readonly name: string; readonly mx: string[] }[];

  constructor(isps: readonly IspConfig[]) {
    for (const { name, domains } of isps) for (const domain of domains) this.#byDomain.set(domain, name);
    this.#byMx = isps.filter(({ mx }) => mx.length > 0).map(({ name, mx }) => ({ name, mx: [...mx] }));
  }

  /** By the domain alone, without a look at its MX. */
  byDomain(domain: string): string | undefined {
    return this.#byDomain.get(domain);
  }

  find(domain: string, hostNames: readonly string[]): string | undefined {
    return this.byDomain(domain) ?? this.#byMx.find(({ mx }) => matchesMxSuffix([...hostNames], mx))?.name;
  }
}
