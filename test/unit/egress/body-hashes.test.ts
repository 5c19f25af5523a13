/** The body of a campaign is hashed once for each form it leaves in, unless it varies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyHash } from '../../../src/mta/dkim/index.ts';
import { BodyHashes } from '../../../src/mta/egress/body-hashes.ts';
import { type CampaignContent, composeContent, scanHeader } from '../../../src/mta/message/index.ts';

function campaignOf(text: string): CampaignContent {
  const parts = { from: 'a@example.com', subject: 'For {{name}}', text };
  const campaign = composeContent(parts, { hostname: 'mta.test', now: 0, unique: 'x' });
  assert.ok(campaign.ok);
  return campaign.value;
}

const mail = (body: string): Buffer => Buffer.from(`Subject: s\r\n\r\n${body}\r\n`);
const hashOf = (content: Buffer): string => bodyHash(content, scanHeader(content).bodyStart);
const PLAIN = { wishes: undefined, converted: false };
const [one, other] = [mail('one'), mail('other')];

test('a body that is the same for all is looked at once for each form', () => {
  const hashes = new BodyHashes();
  const campaign = campaignOf('Hello');
  const wishes = { headers: undefined, encoding: undefined } as never;
  for (const form of [PLAIN, { ...PLAIN, converted: true }, { ...PLAIN, wishes }]) {
    assert.equal(hashes.of(campaign, form, one), hashOf(one));
    // What comes now cannot differ, so it is not read.
    assert.equal(hashes.of(campaign, form, other), hashOf(one));
  }
  assert.equal(hashes.of(campaignOf('Hello'), PLAIN, other), hashOf(other), 'another campaign');
});

test('a body with variables has none', () =>
  assert.equal(new BodyHashes().of(campaignOf('Hello {{name}}'), PLAIN, one), undefined));
