// SPDX-License-Identifier: Apache-2.0
// Requests that two servers on one way may read differently, sent to the running program: each is refused with 4xx and the
// connection is closed, whatever follows on it is not answered, and none of it becomes a beacon.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { until, withServer } from '../lib/server.mjs';

test('every ambiguous request is refused with 4xx, and the connection is closed', async () => withServer({}, async server => {
  const body = JSON.stringify([{ e: 'play', ake: server.env_key, xid: 'smuggled', xsqno: 1, uti: Date.now() }]);
  const inner = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const head = 'POST / HTTP/1.1\r\nHost: x\r\n', length = `Content-Length: ${inner.length}\r\n`;
  const rows = {
    'length and chunked': `${head}${length}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'two lengths': `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
    'length with a plus': `${head}Content-Length: +7\r\n\r\n1234567`,
    'length over 2^64': `${head}Content-Length: 18446744073709551621\r\n\r\nhello`,
    'unknown coding': `${head}Transfer-Encoding: gzip\r\n\r\n`,
    'chunked, written another way': `${head}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    'chunk size overflow': `${head}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n`,
    'NUL in a header': `${head}X: a\0b\r\n\r\n`,
    'blank before the colon': `${head}Content-Length : ${inner.length}\r\n\r\n`,
    'no Host': 'GET / HTTP/1.1\r\n\r\n',
    'HTTP/9.9': 'GET / HTTP/9.9\r\nHost: x\r\n\r\n',
    'bare LFs': 'GET / HTTP/1.1\nHost: x\n\n',
    'bare CR': `${head}X: a\r\r\n\r\n`,
    'folded header': `${head}X: a\r\n b\r\n\r\n`,
    'a header of 300 KB': `${head}X: ${'x'.repeat(300 * 1024)}\r\n\r\n`,
    '3,000 headers': head + Array.from({ length: 3000 }, (_, i) => `X${i}: y\r\n`).join('') + '\r\n',
    '10 GB announced': `${head}Content-Length: 10000000000\r\n\r\n`,
    'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  };
  for (const [what, bytes] of Object.entries(rows)) {
    const socket = net.connect(Number(new URL(server.url).port), '127.0.0.1');
    let text = '', closed = false;
    socket.on('data', chunk => { text += chunk.toString('latin1'); }).on('error', () => {}).on('close', () => { closed = true; });
    socket.write(Buffer.from(bytes + inner, 'latin1'));
    await until(what + ': the end of the connection', () => closed);
    assert.match(text, /^HTTP\/1\.1 4\d\d /, what);
    assert.match(text, /\r\nConnection: close\r\n/, what);
    assert.equal(text.match(/^HTTP\/1\.1 \d/gm).length, 1, what + ': one answer');
  }
  const metrics = await (await fetch(server.url + '/metrics')).text();
  assert.match(metrics, /^firstframe_beacon_requests_total 0$/m);
  assert.equal(Number(/^firstframe_http_bad_requests_total (\d+)$/m.exec(metrics)[1]), Object.keys(rows).length);
}));
