import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Batch, type BatchHeader, type BatchLine, NoMailTaken } from '../../../src/mta/ingress/index.ts';
import { decodeCampaign, renderContent, type Variables } from '../../../src/mta/message/index.ts';
import { Pressure } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  type Desk,
  events,
  mail,
  openDesk,
  ORIGIN,
  refusedBy,
  stored,
  storedBytes,
  taken,
} from './fixture.ts';

const HEADER: BatchHeader = {
  from: 'bounce@shop.test',
  content: { from: 'news@shop.test', subject: 'For {{name}}', text: 'Hello {{name}}' },
  labels: {},
  origin: { ...ORIGIN, protocol: 'HTTP' },
};

async function opened(desk: Desk, header: Partial<BatchHeader> = {}): Promise<Batch> {
  return taken(desk, await desk.injector.openBatch({ ...HEADER, ...header }));
}

const lines = (...to: string[]): BatchLine[] =>
  to.map((one, i) => ({ line: i + 2, to: one, vars: { name: `n${i}` } }));

describe('batch', () => {
  test('the index of a delivery is its line less one; bad lines are named and leave a gap', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    const rejected = await batch.add(lines('a@one.test', 'bad', 'c@two.test'));
    assert.deepEqual(
      rejected.map(({ line, field }) => [line, field]),
      [[3, 'to']],
    );
    assert.deepEqual(await batch.add([{ line: 5, to: 'd@one.test' }]), []);
    await batch.close();
    assert.deepEqual(
      events(desk).map((event) => `${event.delivery_id} ${event.recipient}`),
      [1, 3, 4].map(
        (index, i) => `${batch.messageId}.${index} ${['a@one.test', 'c@two.test', 'd@one.test'][i]}`,
      ),
    );
    const { record, message } = stored(desk, batch.messageId, 3);
    assert.deepEqual(record.vars, { name: 'n2' });
    assert.equal(message.virtualSender, 'main');
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('back-pressure in the middle of a batch refuses the next lines, and says why', async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'pr-batch-'));
    let free = 1e12;
    const pressure = new Pressure({ dir, reserveBytes: 1e6, report: () => undefined, freeBytes: () => free });
    t.after(() => {
      pressure.close();
      rmSync(dir, { recursive: true });
    });
    const desk = await openDesk({}, undefined, 'sound', pressure);
    const batch = await opened(desk);
    await batch.add(lines('a@one.test'));
    free = 1000;
    pressure.measure();
    await assert.rejects(batch.add([{ line: 3, to: 'b@one.test' }]), (error) => {
      assert.ok(error instanceof NoMailTaken);
      assert.match(error.message, /are free in .* and refused below/);
      return true;
    });
    free = 1e12;
    pressure.measure();
    await batch.add([{ line: 3, to: 'b@one.test' }]);
    await batch.close();
    assert.equal(events(desk).length, 2);
    const senders = [2, 3].map((line) => stored(desk, batch.messageId, line - 1).record.sender);
    assert.equal(new Set(senders).size, 2, 'what was refused took no turn in the split');
  });

  test('variables of one recipient are bounded, the limit is named', async () => {
    const batch = await opened(await openDesk());
    const vars = { name: 'x'.repeat(64 * 1024) };
    const [refused, ...more] = await batch.add([
      { line: 2, to: 'a@one.test', vars },
      { line: 3, to: 'b@one.test', vars: { name: 'x'.repeat(64 * 1024 - 11) } },
    ]);
    assert.deepEqual([refused?.line, refused?.field], [2, 'vars']);
    assert.match(refused!.message, /65536/);
    assert.deepEqual(more, []);
  });

  test('values that stand in the content many times make no message that is too large', async () => {
    const settings = { smtp: { max_message_size: '100KB' } };
    const content = { from: 'news@shop.test', subject: 's', text: '{{name}}\n'.repeat(100) };
    const batch = await opened(await openDesk(settings), { content, defaults: { name: 'x'.repeat(200) } });
    const line = (number: number, name?: string): BatchLine => ({
      line: number,
      to: `r${number}@one.test`,
      ...(name !== undefined && { vars: { name } }),
    });
    const rejected = await batch.add([line(2), line(3, 'x'.repeat(400)), line(4, 'x')]);
    assert.deepEqual(rejected, [
      {
        line: 3,
        field: 'vars',
        message: 'make the message larger than 102400 bytes (smtp.max_message_size)',
      },
    ]);
    const { content: _, ...header } = HEADER;
    const defaults = { name: 'x'.repeat(400) };
    const request = { ...header, to: ['a@one.test'], parts: content, defaults };
    const desk = await openDesk(settings);
    const refused = refusedBy(desk, await desk.injector.compose(request));
    assert.equal(refused.field, 'defaults');
  });

  test('a line has its own metadata and time', async () => {
    const desk = await openDesk();
    const later = desk.clock.now() + 60_000;
    const batch = await opened(desk, { labels: { sender: 'promo', notBefore: later + 60_000 } });
    await batch.add([
      { line: 2, to: 'a@one.test', metadata: { id: 1 }, notBefore: later },
      { line: 3, to: 'b@one.test' },
    ]);
    const { record } = stored(desk, batch.messageId);
    assert.deepEqual([record.metadata, record.wakeAt], [{ id: 1 }, later]);
    assert.equal(stored(desk, batch.messageId, 2).record.wakeAt, later + 60_000);
  });

  test('closing twice is one close; a closed batch takes nothing more', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    await batch.add(lines('a@one.test'));
    await Promise.all([batch.close(), batch.close()]);
    const { commits } = desk.kv;
    await batch.close();
    assert.equal(desk.kv.commits, commits);
    await assert.rejects(batch.add([{ line: 9, to: 'z@one.test' }]), /no more recipients/);
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('a batch without a good line leaves nothing behind', async () => {
    const desk = await openDesk();
    const batch = await opened(desk);
    assert.equal((await batch.add(lines('x', 'y'))).length, 2);
    await batch.close();
    assert.equal([...desk.kv.range('contents', {})].length, 0);
    assert.deepEqual(auditStore(desk.kv), []);
  });

  test('one recipient a batch: the split is as exact as with one batch of all', async () => {
    const desk = await openDesk();
    const senders = new Map<string, number>();
    for (let i = 0; i < 10; i++) {
      const batch = await opened(desk);
      await batch.add(lines('a@one.test'));
      await batch.close();
      const { sender } = stored(desk, batch.messageId).record;
      senders.set(sender, (senders.get(sender) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(senders), { promo: 5, news: 5 });
  });

  test('what is wrong with the header is refused before any line', async () => {
    const desk = await openDesk();
    const open = async (wish: Partial<BatchHeader>): Promise<(string | number | undefined)[]> => {
      const { kind, field, code } = refusedBy(desk, await desk.injector.openBatch({ ...HEADER, ...wish }));
      return [kind, field, code];
    };
    assert.deepEqual(await open({ from: 'x' }), ['invalid', 'from', 550]);
    assert.deepEqual(await open({ labels: { sender: 'nobody' } }), ['invalid', 'sender', 550]);
    const content = { from: 'news@shop.test', subject: '{{oops', text: 'x' };
    assert.deepEqual(await open({ content }), ['invalid', 'parts.subject', 550]);
    const origin = { ...ORIGIN, allowedSenders: [] };
    assert.deepEqual(await open({ origin }), ['invalid', 'virtual_sender', 550]);
  });

  test('a whole message as content', async () => {
    const desk = await openDesk();
    const batch = await opened(desk, { content: mail(['X-Name: {{name}}'], 'Hello {{name}}\r\n') });
    assert.deepEqual(await batch.add(lines('a@one.test')), []);
    assert.equal(stored(desk, batch.messageId).message.fromDomain, 'shop.test');
  });

  test('a store that fails: opening is `unavailable`, adding and closing reject and may be tried again', async () => {
    const desk = await openDesk();
    desk.kv.failures = 1;
    assert.equal(refusedBy(desk, await desk.injector.openBatch(HEADER)).kind, 'unavailable');
    const batch = await opened(desk);
    desk.kv.failures = 1;
    await assert.rejects(batch.add(lines('a@one.test')), /disk is full/);
    assert.deepEqual(events(desk), []);
    assert.deepEqual(await batch.add(lines('a@one.test')), []);
    desk.kv.failures = 1;
    await assert.rejects(batch.close(), /disk is full/);
    await batch.close();
    assert.equal([...desk.kv.range('meta', {})].filter(({ key }) => key.includes('open')).length, 0);
    assert.deepEqual(auditStore(desk.kv), []);
  });
});

describe('a variable that a line lacks', () => {
  const parts = {
    from: '{{from}} <news@shop.test>',
    subject: 'For {{name}}',
    text: 'To {{recipient}} in [{{city}}]',
  };
  const city = (...values: unknown[]): BatchLine[] =>
    values.map((value, i) => ({
      line: i + 2,
      to: `a${i}@one.test`,
      vars: { from: 'F', name: 'n', city: value },
    }));
  const refusedIn = async (header: Partial<BatchHeader>): Promise<readonly string[]> => {
    const batch = await opened(await openDesk(), { content: parts, ...header });
    const rejected = await batch.add(city('Rome', undefined, null, '', 0, ['x'], {}));
    return rejected.map(
      ({ line, field, message }) => `${line} ${field} ${message.split(' ').slice(0, 3).join(' ')}`,
    );
  };
  const NO_TEXT = ['7 vars.city is a list', '8 vars.city is a list'];

  test('is empty, has a default, or refuses the line; a list or an object always does', async () => {
    assert.deepEqual(await refusedIn({}), NO_TEXT);
    assert.deepEqual(await refusedIn({ missing: 'empty' }), NO_TEXT);
    const both = ['3 vars.city is missing, and', '4 vars.city is missing, and', ...NO_TEXT];
    assert.deepEqual(await refusedIn({ missing: 'refuse' }), both);
    assert.deepEqual(await refusedIn({ missing: 'refuse', defaults: { city: 'X' } }), NO_TEXT);
  });

  test('one with a default of its own is not missing, unless it stands without one elsewhere', async () => {
    const batchOf = async (text: string): Promise<Batch> => {
      const content = { from: 'news@shop.test', subject: 'For {{name | default: "you"}}', text };
      return opened(await openDesk(), { content, missing: 'refuse' });
    };
    const fine = await batchOf('Hello {{name | default: "reader"}}');
    assert.deepEqual(await fine.add([{ line: 2, to: 'a@one.test' }]), []);
    const needed = await batchOf('Hello {{name}}');
    const [refused] = await needed.add([{ line: 2, to: 'a@one.test' }]);
    assert.equal(refused!.field, 'vars.name');
    const [object] = await fine.add([{ line: 3, to: 'b@one.test', vars: { name: {} } }]);
    assert.equal(object!.field, 'vars.name');
  });

  test('those of the header fields count too, and what is inherited is missing', async () => {
    const content = { ...parts, subject: '{{constructor}}', headers: { 'X-Id': '{{id}}' } };
    const batch = await opened(await openDesk(), { content, missing: 'refuse' });
    const refused = async (vars: Record<string, unknown>): Promise<string | undefined> =>
      (await batch.add([{ line: 2, to: 'a@one.test', vars }]))[0]?.field;
    const all = { from: 'f', constructor: 'c', id: 1, city: 'x' };
    assert.equal(await refused(all), undefined);
    for (const name of Object.keys(all)) {
      const { [name as keyof typeof all]: _, ...rest } = all;
      assert.equal(await refused(rest), `vars.${name}`);
    }
  });

  test('the default is stored with the content, and stands where the value would', async () => {
    const desk = await openDesk();
    const defaults = { name: 'reader', city: 7, from: 'Shop' };
    const batch = await opened(desk, { content: parts, defaults });
    await batch.add(city('Rome', null));
    const campaign = decodeCampaign(storedBytes(desk, batch.messageId));
    assert.ok(campaign.ok);
    const text = (index: number): string => {
      const { record } = stored(desk, batch.messageId, index);
      const to = { recipient: record.recipient, vars: (record.vars ?? {}) as Variables, messageIdText: 'x' };
      return renderContent(campaign.value, to).toString();
    };
    assert.match(text(1), /in \[Rome\]\r\n/);
    assert.match(text(2), /From: F <[^]*Subject: For n\r\n[^]*in \[7\]\r\n/);
    const none = renderContent(campaign.value, { recipient: 'b@c.test', vars: {}, messageIdText: 'x' });
    assert.match(none.toString(), /From: Shop <[^]*Subject: For reader\r\n/);
  });
});
