/**
 * The DKIM body hash of a campaign whose body is the same for everybody: worked out once for each form that the body
 * leaves in. A form is what an ISP wants and whether it was made 7-bit; all else that differs between recipients (From,
 * feedback fields, values of variables) stands in the header.
 */
import { bodyHash } from '../dkim/index.ts';
import { bodyVaries, type CampaignContent, scanHeader } from '../message/index.ts';
import type { IspWishes } from './isp.ts';

export interface BodyForm {
  readonly wishes: IspWishes | undefined;
  readonly converted: boolean;
}

const NO_WISHES = {};

export class BodyHashes {
  /** They go with the campaign, and with the configuration that the wishes come from. */
  readonly #known = new WeakMap<CampaignContent, WeakMap<object, Map<boolean, string>>>();

  /** Undefined where the body varies; `content` is the whole message in that form. */
  of(campaign: CampaignContent, { wishes, converted }: BodyForm, content: Buffer): string | undefined {
    let forms = this.#known.get(campaign);
    if (!forms) {
      if (bodyVaries(campaign)) return undefined;
      this.#known.set(campaign, (forms = new WeakMap<object, Map<boolean, string>>()));
    }
    let hashes = forms.get(wishes ?? NO_WISHES);
    if (!hashes) forms.set(wishes ?? NO_WISHES, (hashes = new Map<boolean, string>()));
    let hash = hashes.get(converted);
    if (hash === undefined) hashes.set(converted, (hash = bodyHash(content, scanHeader(content).bodyStart)));
    return hash;
  }
}
