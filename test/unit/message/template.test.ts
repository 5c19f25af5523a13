import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  compileTemplate,
  renderTemplate,
  type Escape,
  type Variables,
} from '../../../src/mta/message/index.ts';

function render(text: string, variables: Variables, escape: Escape = 'none'): string {
  const template = compileTemplate(text, { escape });
  assert.ok(template.ok, JSON.stringify(template));
  return renderTemplate(template.value, variables);
}

describe('templates', () => {
  for (const [text, variables, expected] of [
    ['', {}, ''],
    ['plain }} text {', {}, 'plain }} text {'],
    ['{{a}}', { a: 'x' }, 'x'],
    ['<{{ a }}{{b.c}}>', { a: 'x', 'b.c': 'y' }, '<xy>'],
    ['{{missing}}.', {}, '.'],
    ['{{n}} {{t}} {{nil}}', { n: 0, t: false, nil: null }, '0 false '],
    ['{{constructor}}{{__proto__}}', {}, ''],
    ['{{a}}', { a: '{{b}}', b: 'no' }, '{{b}}'],
    ['Dear {{ name | default: "reader" }},', {}, 'Dear reader,'],
    ['Dear {{name|default:\'a "b"\'}},', { name: null }, 'Dear a "b",'],
    ['{{name | default: "reader"}}', { name: '' }, ''],
    ['{{name | default: ""}}{{name | default: "|"}}', { 'name|': 'no' }, '|'],
  ] as const)
    test(JSON.stringify(text), () => assert.equal(render(text, variables), expected));

  for (const [text, position, line] of [
    ['a {{#if x}}', 2, 1],
    ['a\n\n{{{x}}}', 3, 3],
    ['{{x}}\n{{', 6, 2],
    ['{{}}', 0, 1],
    ['{{a b}}', 0, 1],
    ['{{1a}}', 0, 1],
    ['{{x|upper}}', 0, 1],
    ['{{x | default: y}}', 0, 1],
    ['{{1x | default: "y"}}', 0, 1],
    ['{{x | default: "y}}', 0, 1],
  ] as const)
    test(`refuses ${JSON.stringify(text)}`, () => {
      const result = compileTemplate(text, { escape: 'none' });
      assert.ok(!result.ok);
      assert.deepEqual([result.error.position, result.error.line], [position, line]);
    });

  test('escapes for where the value stands, and only the value', () => {
    const value = `<b> & "q" 'a'`;
    assert.equal(render('<i>{{v}}&', { v: value }, 'html'), '<i>&lt;b&gt; &amp; &quot;q&quot; &#39;a&#39;&');
    assert.equal(render('{{v}}', { v: value }), value);
    assert.equal(render('{{v | default: "a & b"}}', {}, 'html'), 'a &amp; b');
    assert.equal(render('a {{v}} b', { v: 'x\r\n\tBcc: y\0' }, 'header'), 'a x Bcc: y b');
  });

  test('no value leaves its place', () => {
    const odd = fc.string({ unit: fc.constantFrom(...`<>&"'{}\r\n\0a: `), maxLength: 30 });
    fc.assert(
      fc.property(odd, (v) => {
        assert.doesNotMatch(render('{{v}}', { v }, 'html'), /[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
        assert.doesNotMatch(render('{{v}}', { v }, 'header'), /[\x00-\x1f\x7f]/);
      }),
    );
  });

  test('no text hangs or throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', 'a', ' ', '\n'), maxLength: 60 }), (text) => {
        const result = compileTemplate(text, { escape: 'none' });
        if (!result.ok) assert.equal(text.slice(result.error.position, result.error.position + 2), '{{');
        else assert.equal(result.value.texts.length, result.value.names.length + 1);
      }),
    );
    assert.ok(!compileTemplate('{{'.repeat(100_000), { escape: 'none' }).ok);
  });
});
