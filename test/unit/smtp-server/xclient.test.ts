import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codes, dialogue, type Dialogue } from './dialogue.ts';

const trust = {
  proxyProtocol: (): boolean => false,
  xclient: (address: string): boolean => address === '192.0.2.7',
  login: (user: string): boolean => user === 'joe x',
};

function proxy(peerAddress = '192.0.2.7'): Dialogue {
  const d = dialogue({ trust, peerAddress });
  d.answered();
  return d;
}

describe('XCLIENT', () => {
  test('is offered to those who may use it, and refused to others', () => {
    assert.match(
      proxy().send('EHLO a\r\n'),
      /250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT\r\n$/,
    );
    const stranger = proxy('192.0.2.8');
    assert.doesNotMatch(stranger.send('EHLO a\r\n'), /XCLIENT/);
    assert.match(stranger.send('XCLIENT ADDR=192.0.2.7\r\n'), /^550 5\.7\.0 /);
    assert.equal(stranger.c.peerAddress, '192.0.2.8');
    const plain = dialogue({});
    plain.answered();
    assert.match(plain.send('XCLIENT ADDR=192.0.2.7\r\n'), /^500 /);
  });

  test('says who the client is, and the session begins anew', () => {
    const d = proxy();
    d.send('EHLO proxy\r\n');
    const command =
      'xclient NAME=[tempunavail] ADDR=ipv6:2001:DB8::5 PORT=99 LOGIN=joe+20x DESTADDR=10.0.0.1 DESTPORT=25\r\n';
    assert.match(d.send(command), /^220 mx\.test ESMTP/);
    const { peerAddress, peerPort, localAddress, identity, helo } = d.c;
    assert.deepEqual(
      { peerAddress, peerPort, localAddress, identity, helo },
      { peerAddress: '2001:db8::5', peerPort: 99, localAddress: '10.0.0.1', identity: 'joe x', helo: '' },
    );
    assert.deepEqual(codes(d.send('MAIL FROM:<a@b.test>\r\n')), [503], 'EHLO is forgotten');
    assert.deepEqual(
      codes(d.send('XCLIENT HELO=real.test PROTO=esmtp\r\nMAIL FROM:<a@b.test>\r\n')),
      [220, 250],
    );
    assert.equal(d.c.helo, 'real.test');
    assert.equal(d.c.peerAddress, '2001:db8::5', 'an earlier command said it');
    assert.equal(d.c.identity, undefined);
    assert.deepEqual(codes(d.send('XCLIENT ADDR=[UNAVAILABLE]\r\n')), [503], 'within a transaction');
    assert.deepEqual(codes(d.send('RSET\r\nXCLIENT ADDR=[UNAVAILABLE]\r\n')), [250, 220]);
    assert.equal(d.c.peerAddress, '');
  });

  const bad = [
    '',
    'ADDR',
    'ADDR=',
    'COLOUR=red',
    'ADDR=1.2.3',
    'ADDR=2001:db8::5',
    'ADDR=IPV6:1.2.3.4',
    'PORT=70000',
    'PROTO=LMTP',
    'HELO=a+0D+0AEvil:',
    'HELO=a(b',
    'NAME=a+2',
    'LOGIN=jim',
    'LOGIN=+00',
    'ADDR=10.0.0.9 PORT=x',
  ];
  for (const attributes of bad)
    test(`is refused as a whole: "${attributes}"`, () => {
      const d = proxy();
      d.send('EHLO proxy\r\n');
      assert.deepEqual(codes(d.send(`XCLIENT ${attributes}\r\n`)), [501]);
      assert.equal(d.c.peerAddress, '192.0.2.7');
      assert.equal(d.c.helo, 'proxy', 'nothing is forgotten');
    });

  test('does not open AUTH in clear to who claims to be on this machine', () => {
    const auth = { verify: (): Promise<string> => Promise.resolve('joe') };
    const d = dialogue({ trust, auth, peerAddress: '192.0.2.7' });
    d.answered();
    d.send('XCLIENT ADDR=127.0.0.1\r\n');
    assert.doesNotMatch(d.send('EHLO a\r\n'), /AUTH/);
  });
});
