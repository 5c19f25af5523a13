/** The inbound side: what it takes, who gets the rest, and return paths whose bounces nobody would read. */
import { domainOf } from '../core/index.ts';
import { isWritten, type Checked } from './checked.ts';

export function checkMx({ draft, report }: Checked): void {
  const { mx } = draft.settings;
  const { domains, forward_to: to, forward_sender: by, tls } = mx;
  if (mx.listen.length > 0 && domains.length === 0)
    report.error(['mx', 'listen'], 'takes mail of no domain: write domains: [bounce.example.com] under mx');
  if (to !== null && domains.includes(domainOf(to)))
    report.error(
      ['mx', 'forward_to'],
      `${domainOf(to)} is one of mx.domains, so the mail would come back here: write an address elsewhere`,
    );
  if (by !== undefined && !draft.lists.senders.some(({ name }) => name === by))
    report.error(['mx', 'forward_sender'], `there is no sender "${by}": write the name of one`);
  if ((tls.cert_file === undefined) !== (tls.key_file === undefined))
    report.error(['mx', 'tls'], 'cert_file and key_file belong together: write both or none');
  for (const sender of draft.lists.senders) {
    const { return_path_domain: domain, list_unsubscribe: list } = sender;
    if (list?.mailto && domain === undefined)
      report.error(
        draft.at(sender, 'list_unsubscribe'),
        'mailto needs return_path_domain, the domain of the address: write it, or mailto: false',
      );
    if (list && !list.mailto && !isWritten(report, draft.at(sender, 'list_unsubscribe', 'url')))
      report.error(draft.at(sender, 'list_unsubscribe'), 'adds nothing: write mailto: true, or a url');
    if (mx.listen.length > 0 && domain !== undefined && !domains.includes(domain))
      report.warn(
        draft.at(sender, 'return_path_domain'),
        `bounces go to ${domain}, which is not in mx.domains, so they are refused here: add it there`,
      );
  }
}
