/**
 * Every sample in LF and CRLF says the same, and no sample cut off anywhere throws or takes long. The places are the
 * same in every run: 200 of each sample in CI (half a minute of CPU), a few on the machine of an engineer; POSTRIDER_CORPUS_CUTS
 * says another number.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { parseReport, type ParsedReport } from '../../src/fbl/index.ts';
import { folder, mail, missing, withCrlf } from './corpus.ts';

const CUTS = Number(process.env['POSTRIDER_CORPUS_CUTS'] ?? (process.env['CI'] ? 200 : 20));
/** CPU time of one mail. The largest of the samples takes a tenth of it. */
const MAX_MS = 1_000;

const files = (): string[] =>
  ['bounces', 'arf', 'negatives'].flatMap((kind) =>
    readdirSync(join(folder, kind), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name))),
  );

/** Deterministic fractions from 0 to 1. */
function* places(): Generator<number> {
  for (let state = 1; ;) {
    state = (state * 48_271) % 2_147_483_647;
    yield state / 2_147_483_647;
  }
}

const told = (report: ParsedReport): unknown =>
  report.kind === 'dsn'
    ? { kind: report.kind, recipients: report.recipients }
    : report.kind === 'arf'
      ? { kind: report.kind, type: report.feedbackType, recipients: report.recipients }
      : { kind: report.kind };

describe('samples', { skip: missing }, () => {
  test('say the same with either line end', () => {
    for (const file of files()) {
      const raw = mail(file);
      const lf = Buffer.from(raw.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
      assert.deepEqual(told(parseReport(withCrlf(raw))), told(parseReport(lf)), file);
    }
  });

  test(`cut off at ${CUTS} places each neither throw nor take long`, () => {
    const fractions = places();
    for (const file of files()) {
      for (const raw of [mail(file), withCrlf(mail(file))])
        for (let i = 0; i < CUTS; i++) {
          const length = Math.floor(raw.length * fractions.next().value!);
          const before = process.cpuUsage();
          parseReport(raw.subarray(0, length));
          const { user, system } = process.cpuUsage(before);
          assert.ok((user + system) / 1_000 < MAX_MS, `${file} cut at ${length}`);
        }
    }
  });
});
