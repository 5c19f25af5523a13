/** Addresses, listeners, access, routes and headers. */
import { isWritten, Unique, type Checked } from './checked.ts';
import { headerName } from './kinds.ts';
import { formatPath, type Path } from './problem.ts';
import { type Cidr, domainMatches, type Endpoint } from './snapshot.ts';

export function checkAddresses(checked: Checked): void {
  const { draft, report } = checked;
  const addresses = new Unique(report);
  for (const node of draft.lists.nodes)
    addresses.add(node.address, draft.at(node, 'address'), (place) => {
      return `${node.address} is already the address of a node at ${place}: a node is one IP address`;
    });
  const { hostname, workers } = draft.settings;
  if (typeof workers === 'number' && workers > 2)
    report.warn(
      ['workers'],
      `mail is carried by 2 threads in this version (one receives, one sends), ${workers} are not used: write auto`,
    );
  if (hostname !== '' && !hostname.includes('.'))
    report.warn(['hostname'], `"${hostname}" has no domain: write the full name (RFC 5321 §2.3.5)`);
  checkListeners(checked);
  checkAccess(checked);
  checkInjection(checked);
  checkBalancers(checked);
  checkRoutes(checked);
  checkHeaders(checked);
}

const show = ({ host, port }: Endpoint): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function checkListeners({ draft, report }: Checked): void {
  const { smtp, mx, control, status } = draft.settings;
  const listeners: (readonly [Endpoint | null, Path])[] = [
    ...smtp.listen.map((one, i) => [one, ['smtp', 'listen', i]] as const),
    ...mx.listen.map((one, i) => [one, ['mx', 'listen', i]] as const),
    [control.listen, ['control', 'listen']],
    [status.listen, ['status', 'listen']],
  ];
  const unique = new Unique(report);
  for (const [one, path] of listeners)
    if (one && one.port !== 0)
      unique.add(show(one), path, (_place, first) => {
        return `${show(one)} is already used by ${formatPath(first)}: write another port`;
      });
}

const isLoopback = ({ host }: Endpoint): boolean =>
  host === '::1' || host === 'localhost' || /^127\.\d+\.\d+\.\d+$/.test(host);

/** What others can reach needs a token: it names recipients and steers the queue. */
function checkAccess({ draft, report }: Checked): void {
  const { control, status } = draft.settings;
  if (control.listen && control.token_file === null && control.tokens.length === 0)
    report.error(['control', 'listen'], 'needs a token: write token_file: /etc/postrider/control.token');
  if (control.listen && !isLoopback(control.listen) && control.tls.cert_file === undefined)
    report.warn(['control', 'listen'], 'tokens and mail cross the network in clear text: set control.tls');
  checkPair(report, ['control', 'tls'], control.tls);
  if (status.listen && !isLoopback(status.listen) && status.token_file === null)
    report.error(
      ['status', 'listen'],
      `${show(status.listen)} can be reached from outside: write token_file: /etc/postrider/status.token, or listen on ` +
        `127.0.0.1:${status.listen.port}`,
    );
}

function checkPair(
  report: Checked['report'],
  path: Path,
  {
    cert_file,
    key_file,
  }: { readonly cert_file?: string | undefined; readonly key_file?: string | undefined },
): void {
  if (cert_file !== undefined && key_file === undefined)
    report.error([...path, 'cert_file'], 'a certificate needs its key: write key_file too');
  if (key_file !== undefined && cert_file === undefined)
    report.error([...path, 'key_file'], 'a key needs its certificate: write cert_file too');
}

/** What balancers may do: their header names the client. */
const CLAIM_ADDRESS = 'claim any address, by a PROXY protocol header';

function checkInjection({ draft, report }: Checked): void {
  const { tls, listen, auth, ...networks } = draft.settings.smtp;
  const outside = listen.some((one) => !isLoopback(one));
  checkPair(report, ['smtp', 'tls'], tls);
  if (tls.required && tls.cert_file === undefined && tls.key_file === undefined)
    report.error(['smtp', 'tls', 'required'], 'TLS cannot be required without cert_file and key_file');
  if (auth.length > 0 && outside && !tls.required)
    report.warn(
      ['smtp', 'auth'],
      'passwords may cross the network in clear text: set smtp.tls with required: true',
    );
  if (!outside) return;
  const effects = {
    relay_from: 'send mail through this host',
    proxy_protocol_from: CLAIM_ADDRESS,
    xclient_from: 'claim any address and user, by XCLIENT',
  } as const;
  for (const key of Object.keys(effects) as (keyof typeof effects)[])
    warnOfEverybody(report, ['smtp', key], { networks: networks[key], may: effects[key] });
}

function checkBalancers({ draft, report }: Checked): void {
  const { listen, proxy_protocol_from: networks } = draft.settings.mx;
  if (listen.some((one) => !isLoopback(one)))
    warnOfEverybody(report, ['mx', 'proxy_protocol_from'], { networks, may: CLAIM_ADDRESS });
}

function warnOfEverybody(
  report: Checked['report'],
  path: Path,
  { networks, may }: { readonly networks: readonly Cidr[]; readonly may: string },
): void {
  for (const [i, { prefix, address }] of networks.entries())
    if (prefix === 0) report.warn([...path, i], `${address}/0 lets the whole world ${may}`);
}

function checkRoutes({ draft, report }: Checked): void {
  const { routes } = draft.lists;
  for (const [i, route] of routes.entries()) {
    if (!isWritten(report, draft.at(route, 'hosts')))
      report.error(draft.at(route, 'hosts'), 'a route needs a host: write hosts: [127.0.0.1:25]');
    const earlier = routes.slice(0, i).find((one) => domainMatches(one.domain, route.domain));
    if (!earlier) continue;
    const place = report.sources.placeOf(draft.at(earlier));
    report.warn(draft.at(route), `is never used, because "${earlier.domain}" at ${place} matches first`);
  }
}

function checkHeaders({ draft, report }: Checked): void {
  for (const isp of draft.lists.isps)
    for (const header of Object.keys(isp.headers.add))
      if (!headerName.read(header).ok)
        report.error(
          draft.at(isp, 'headers', 'add', header),
          `"${header}" is no header name: write it without colon and spaces`,
          'key',
        );
}
