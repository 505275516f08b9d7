// SPDX-License-Identifier: Apache-2.0
// GET /counts: who watches one thing right now, as the beacons come in.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, until } from '../lib/server.mjs';

let server, key, pem;

before(async () => {
  server = await new Server().start();
  key = (await (await fetch(server.url + '/system/v1/signing-keys', { method: 'POST', headers: { authorization: server.basic } })).json()).data;
  pem = Buffer.from(key.private_key, 'base64').toString();
});
after(() => server?.stop());

const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
async function count(aud, sub) {
  const text = `${part({ alg: 'RS256', kid: key.id })}.${part({ sub, aud, exp: Math.floor(Date.now() / 1000) + 60 })}`;
  const response = await fetch(`${server.url}/counts?token=${text}.${crypto.sign('sha256', Buffer.from(text), pem).toString('base64url')}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  const { data: [{ views, viewers, updated_at: when }] } = await response.json();
  assert.ok(Math.abs(Date.parse(when) - Date.now()) < 60_000);
  return [views, viewers];
}

const send = (id, sequence, e, more = {}) => fetch(server.url + '/', { method: 'POST', body: JSON.stringify({ events: [{ ake: server.env_key, xid: id, xsqno: sequence, uti: Date.now(), e, ...more }] }) });
const source = { vsour: 'https://stream.mux.com/live-pb.m3u8' };

test('pages anywhere may ask', async () => {
  const preflight = await fetch(server.url + '/counts', { method: 'OPTIONS', headers: { origin: 'https://elsewhere.example', 'access-control-request-method': 'GET' } });
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [204, '*']);
});

test('nobody', async () => assert.deepEqual(await count('video_id', 'match'), [0, 0]));

test('views in progress, and the people behind them', async () => {
  await send('a', 1, 'viewstart', { vid: 'match', uusid: 'ada', ...source });
  await send('b', 1, 'viewstart', { vid: 'match', uusid: 'ada', mvrid: 'm2' });
  await send('c', 1, 'viewstart', { vid: 'match' });
  await send('d', 1, 'viewstart', { vid: 'match', uusid: 'grace' });
  await send('e', 1, 'viewstart', { vid: 'another' });
  await send('f', 1, 'playerready', { vid: 'match' }); // not begun
  await until('the views to count', async () => (await count('video_id', 'match'))[0] === 4);
  assert.deepEqual(await count('video_id', 'match'), [4, 3]);
  assert.deepEqual(await count('video_id', 'another'), [1, 1]);
  assert.deepEqual(await count('playback_id', 'live-pb'), [1, 1]);
  assert.deepEqual(await count('asset_id', 'match'), [0, 0]);
});

test('who leaves, fails or plays on', async () => {
  await send('a', 2, 'viewend');
  await until('one to have left', async () => (await count('video_id', 'match'))[0] === 3);
  await send('d', 2, 'error', { percd: '4' });
  await until('one to have failed', async () => (await count('video_id', 'match'))[0] === 2);
  await send('d', 3, 'playing');
  await until('it to play on', async () => (await count('video_id', 'match'))[0] === 3);
  assert.deepEqual(await count('video_id', 'match'), [3, 3]);
  for (const id of ['b', 'c', 'd', 'e']) await send(id, 9, 'viewend');
  await until('all to have left', async () => (await count('video_id', 'match'))[0] === 0);
});
