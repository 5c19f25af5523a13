/**
 * What `explain` says of addresses at the providers that come with the program, and of domains they host: a domain that
 * is named goes before its mail hosts, hosted ones count with their provider, and the starting speed is told.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExplainView } from '../../src/api/index.ts';
import type { ZoneEntry } from '../../src/testbed/index.ts';
import { Mta } from '../support/mta.ts';
import { dns } from '../support/mta-world.ts';

/** Domain, its mail host, and what is said: the ISP, by which entry, its strategy. */
const WAYS: readonly (readonly [string, string, string])[] = [
  ['gmail.com', 'gmail-smtp-in.l.google.com', 'gmail by domain gmail.com: start-gmail'],
  ['workspace.test', 'aspmx.l.google.com', 'gmail by mx *.google.com: start-gmail'],
  [
    'hotmail.co.uk',
    'hotmail-co-uk.olc.protection.outlook.com',
    'microsoft by domain hotmail.co.uk: start-microsoft',
  ],
  [
    'tenant.test',
    'tenant-test.mail.protection.outlook.com',
    'microsoft365 by mx *.mail.protection.outlook.com: start-microsoft365',
  ],
  ['tenant2.test', 'tenant2.j-v1.mx.microsoft', 'microsoft365 by mx *.mx.microsoft: start-microsoft365'],
  ['aol.com', 'mx-aol.mail.gm0.yahoodns.net', 'yahoo by domain aol.com: start-yahoo'],
  ['own-icloud.test', 'mx01.mail.icloud.com', 'apple by mx *.mail.icloud.com: start-apple'],
  ['bk.ru', 'mxs.mail.ru', 'mailru by domain bk.ru: start-mailru'],
  ['hosted-mailru.test', 'emx.mail.ru', 'mailru by mx emx.mail.ru: start-mailru'],
  ['hosted-yandex.test', 'mx.yandex.net', 'yandex by mx mx.yandex.net: start-yandex'],
  // Whoever takes its mail.
  ['rambler.ru', 'mx.yandex.ru', 'rambler by domain rambler.ru: start-mailru'],
  ['ukr.net', 'mxs.ukr.net', 'ukrnet by domain ukr.net: start-ukrnet'],
  ['gmx.de', 'mx00.emig.gmx.net', 'gmx by domain gmx.de: start-united'],
  ['t-online.de', 'mx00.t-online.de', 'tonline by domain t-online.de: start-tonline'],
  ['wanadoo.fr', 'smtp-in.orange.fr', 'orange by domain wanadoo.fr: start-orange'],
  ['hosted-seznam.test', 'mx1.seznam.cz', 'seznam by mx mx1.seznam.cz: start-seznam'],
  ['op.pl', 'mx.poczta.onet.pl', 'onet by domain op.pl: start-poland'],
  ['libero.it', 'smtp-in.libero.it', 'libero by domain libero.it: start-italy'],
  ['comcast.net', 'mx2h1.comcast.net', 'comcast by domain comcast.net: start-comcast'],
  ['nobody-knows.test', 'mx.nobody-knows.test', 'none'],
  ['ends-alike.test', 'mx.notgoogle.com', 'none'],
];

test('each by its domain or its mail hosts', async (t) => {
  const zones: Record<string, ZoneEntry> = {};
  for (const [domain, host] of WAYS) {
    zones[domain] = { MX: [[10, host]] };
    zones[host] = { A: ['192.0.2.25'] };
  }
  const { stub } = await dns(t, zones);
  const settings = {
    dns: { servers: [stub.address], timeout: '5s' },
    nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }] }],
  };
  const mta = await Mta.start(t, settings);
  for (const [domain, host, said] of WAYS) {
    const { body } = await mta.api(`/v1/explain?recipient=anna@${domain}`);
    const { isp, hosts, senders } = body as ExplainView;
    const strategy = senders[0]?.nodes[0]?.strategy;
    assert.equal(isp ? `${isp.name} by ${isp.matched_by} ${isp.entry}: ${strategy}` : 'none', said);
    assert.deepEqual(
      hosts.map(({ name }) => name),
      [host],
    );
    if (isp) assert.ok(isp.source && isp.at?.startsWith('config/isps/'), domain);
  }
  await mta.end();
});
