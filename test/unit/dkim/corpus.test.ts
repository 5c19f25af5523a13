/** Messages that other implementations verify their DKIM code with: our hashes agree, our signatures on top verify. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { bodyHash, signMessageSync } from '../../../src/mta/dkim/index.ts';
import { normaliseLineEnds, scanHeader } from '../../../src/mta/message/index.ts';
import { makeKeys } from './odd-messages.ts';

const corpus = new URL('../../../../shared/corpus/dkim/chasquid/', import.meta.url);
const keys = makeKeys();

const read = (file: string): Buffer => normaliseLineEnds(readFileSync(new URL(file, corpus)));

describe('chasquid corpus', { skip: existsSync(corpus) ? false : 'the DKIM corpus is not here' }, () => {
  const files = existsSync(corpus) ? readdirSync(corpus).filter((file) => file.endsWith('.msg')) : [];

  for (const file of files.filter((name) => /^(?:01|08)-/.test(name)))
    test(`${file}: the body hash of the signatures in it (RFC 8463 appendix A.3)`, () => {
      const content = read(file);
      const hash = bodyHash(content, scanHeader(content).bodyStart);
      assert.equal(hash, '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=');
      assert.ok(content.includes(hash));
    });

  for (const file of files)
    test(`${file}: our signatures verify on top`, async (t) => {
      const content = read(file);
      const scan = scanHeader(content);
      if (scan.malformed !== undefined || !scan.fields.some(({ name }) => name === 'from')) {
        t.diagnostic('prepareContent refuses this one');
        return;
      }
      const signatures = signMessageSync(content, [keys.rsa, keys.ed25519], { now: Date.now() });
      const { results } = await dkimVerify(Buffer.concat([signatures, content]), {
        resolver: (name: string) => {
          const text = keys.records.get(name);
          return text === undefined ? Promise.resolve([]) : Promise.resolve([[text]]);
        },
      });
      const ours = results.filter((result) => keys.records.has(`${result.selector}._domainkey.example.com`));
      assert.deepEqual(
        ours.map((result) => result.status.result),
        ['pass', 'pass'],
      );
    });
});
