/** A configuration from an object, checked as the real one is. */
import assert from 'node:assert/strict';
import { stringify } from 'yaml';
import { type Config, formatProblem, parseConfig } from '../../../src/config/index.ts';

export type Settings = Readonly<Record<string, unknown>>;

export function configured(settings: Settings): Config {
  const loaded = parseConfig(stringify({ hostname: 'mta.test', ...settings }), { file: 'test.yaml' });
  return loaded.ok ? loaded.value.config : assert.fail(loaded.error.map(formatProblem).join('\n'));
}
