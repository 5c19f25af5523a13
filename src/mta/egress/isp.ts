/**
 * The ISP of a recipient domain: by its name, else by its MX hosts. A domain that an ISP names wins; among MX hosts the
 * first ISP in the configuration that matches one of them. A look-up takes the labels of the hosts, not the number of
 * ISPs.
 */
import type { IspConfig } from '../../config/index.ts';

/** What an ISP wants changed in a message; absent means nothing. */
export interface IspWishes {
  readonly headers?: IspConfig['headers'];
  readonly encoding?: NonNullable<IspConfig['encoding']>;
}

/** The ISP and the entry of it that matched. */
export interface IspMatch {
  readonly isp: IspConfig;
  readonly by: 'domain' | 'mx';
  /** The domain, or the MX pattern. */
  readonly entry: string;
}

interface MxEntry {
  readonly isp: IspConfig;
  readonly entry: string;
  readonly order: number;
}

export class IspIndex {
  readonly #byDomain = new Map<string, IspConfig>();
  readonly #byHost = new Map<string, MxEntry>();
  /** Keys are `.google.com` for the pattern `*.google.com`. */
  readonly #bySuffix = new Map<string, MxEntry>();
  readonly #wishes = new Map<string, IspWishes>();

  constructor(isps: readonly IspConfig[]) {
    for (const [order, isp] of isps.entries()) {
      for (const domain of isp.domains) if (!this.#byDomain.has(domain)) this.#byDomain.set(domain, isp);
      for (const entry of isp.mx) {
        const suffix = entry.startsWith('*.');
        const [map, key] = suffix ? [this.#bySuffix, entry.slice(1)] : [this.#byHost, entry];
        if (!map.has(key)) map.set(key, { isp, entry, order });
      }
      const wishes = wishesOf(isp);
      if (wishes) this.#wishes.set(isp.name, wishes);
    }
  }

  /** By the domain alone, without a look at its MX. */
  byDomain(domain: string): string | undefined {
    return this.#byDomain.get(domain)?.name;
  }

  find(domain: string, hostNames: readonly string[]): string | undefined {
    return this.byDomain(domain) ?? this.#byMx(hostNames)?.isp.name;
  }

  /** The same with the reason. */
  match(domain: string, hostNames: readonly string[]): IspMatch | undefined {
    const isp = this.#byDomain.get(domain);
    if (isp) return { isp, by: 'domain', entry: domain };
    const found = this.#byMx(hostNames);
    return found && { isp: found.isp, by: 'mx', entry: found.entry };
  }

  /** Undefined when the ISP wants no change. */
  wishesOf(isp: string): IspWishes | undefined {
    return this.#wishes.get(isp);
  }

  #byMx(hostNames: readonly string[]): MxEntry | undefined {
    let first: MxEntry | undefined;
    const consider = (entry: MxEntry | undefined): void => {
      if (entry && (!first || entry.order < first.order)) first = entry;
    };
    for (const host of hostNames) {
      consider(this.#byHost.get(host));
      for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1))
        consider(this.#bySuffix.get(host.slice(dot)));
    }
    return first;
  }
}

function wishesOf({ headers, encoding }: IspConfig): IspWishes | undefined {
  const edits = headers.remove.length > 0 || Object.keys(headers.add).length > 0;
  if (!edits && !encoding) return undefined;
  return { ...(edits && { headers }), ...(encoding && { encoding }) };
}
