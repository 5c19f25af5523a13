/** No input hangs or throws, and what is refused is refused with a place and a reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { generatedFiles, parseConfig } from '../../../src/config/index.ts';

function check(text: string): void {
  const result = parseConfig(text, { file: 'mta.yaml' });
  if (result.ok) return;
  assert.ok(result.error.length > 0);
  for (const problem of result.error) {
    assert.ok(problem.line >= 1 && problem.column >= 1, JSON.stringify(problem));
    assert.ok(problem.message.length > 3 && !problem.message.includes('undefined'), JSON.stringify(problem));
  }
}

const key = fc.constantFrom(
  ...[
    'hostname',
    'nodes',
    'senders',
    'smtp',
    'tls',
    'listen',
    'strategies',
    'rules',
    'virtual_senders',
    'when',
    'isps',
  ],
  ...[
    'name',
    'address',
    'headers',
    'add',
    'dkim',
    'include',
    'status',
    'dns',
    'servers',
    'workers',
    'routes',
    'hosts',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'mx',
    'default',
    'auth',
    'retry_rules',
    'intervals',
    'percent',
    'isp',
  ],
);
const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    'n1',
    'default',
    '60s',
    '127.0.0.1:25',
    '10.0.0.0/8',
    '5/1m',
    '25MB',
    'a.example',
    '*',
    '__proto__',
  ),
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    scalar,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 5 }).map((pairs) => new Map(pairs)),
  ),
}));

test('any tree of values is read or refused', () => {
  const root = fc.array(fc.tuple(key, tree), { maxLength: 8 }).map((pairs) => new Map(pairs));
  fc.assert(
    fc.property(root, (value) => check(stringify(value))),
    { numRuns: 400 },
  );
});

test('any text is read or refused', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 300 });
});

test('the example with a piece cut out or doubled is read or refused', () => {
  const example = generatedFiles()['postrider.example.yaml']!;
  const lines = example.split('\n').filter((line) => !/^\s*#|^$/.test(line));
  fc.assert(
    fc.property(fc.nat(lines.length), fc.nat(5), fc.nat(5), (at, length, again) => {
      check([...lines.slice(0, at), ...lines.slice(at, at + again), ...lines.slice(at + length)].join('\n'));
    }),
    { numRuns: 300 },
  );
});

test('bombs and loops of aliases end', () => {
  const doubling = Array.from({ length: 40 }, (_, i) => `k${i + 1}: &a${i + 1} [*a${i}, *a${i}]`);
  check(['k0: &a0 [x, x]', ...doubling].join('\n'));
  check('nodes: &loop\n  - *loop\n');
  check('smtp: &loop { tls: *loop }\n');
  check('['.repeat(5_000));
});
