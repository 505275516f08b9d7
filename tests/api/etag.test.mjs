// SPDX-License-Identifier: Apache-2.0
// ETag and If-None-Match where the answer tells the time of asking: the tag is of everything else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, sleep, until } from '../lib/server.mjs';

let server;
before(async () => { server = await new Server({ serve: ['--view-visible-after', '1'] }).start(); });
after(() => server?.stop());

const start = Date.now();
const send = events => fetch(server.url + '/', { method: 'POST',
  body: JSON.stringify({ events: events.map(event => ({ xid: 'one-view', uti: start + 10 * event.xsqno, ake: server.env_key, ...event })) }) });

// The tag of the route's answer, asked for again in a later second, in which the timeframe is another one.
async function tagOf(route) {
  const response = await server.get(route), { timeframe } = await response.json(), tag = response.headers.get('etag');
  assert.match(tag, /^W\/"[0-9a-f]{16}"$/, route);
  await sleep(1100);
  const later = await server.get(route);
  assert.ok((await later.json()).timeframe[1] > timeframe[1], route);
  assert.equal(later.headers.get('etag'), tag, route);
  return tag;
}

async function assertStatus(route, tag, status) {
  const response = await server.get(route, { 'if-none-match': tag });
  assert.equal(response.status, status, `${route} ${tag}`);
  const body = await response.text();
  if (status === 304) assert.equal(body, '');
  return response.headers.get('etag');
}

test('lists without a timeframe of their own', async () => {
  for (const route of ['/data/v1/dimensions', '/data/v1/filters', '/data/v1/exports', '/data/v1/exports/views']) {
    const tag = await tagOf(route);
    for (const known of [tag, tag.slice(2), `"another", ${tag}`, '*']) assert.equal(await assertStatus(route, known, 304), tag);
    for (const other of ['W/"0000000000000000"', '"another"']) await assertStatus(route, other, 200);
  }
});

test('a view, until it changes', async () => {
  const route = '/data/v1/video-views/one-view';
  await send([{ e: 'viewstart', xsqno: 1 }]);
  await until('the view to be seen', async () => (await server.get(route)).ok);
  const tag = await tagOf(route);
  await assertStatus(route, tag, 304);
  await send([{ e: 'viewend', xsqno: 2 }]);
  await until('its end', async () => (await server.json(route)).data.events.length === 2);
  assert.notEqual(await assertStatus(route, tag, 200), tag);
});

test('where a time is asked for, it is part of the answer, and the tag a strong one', async () => {
  const route = '/data/v1/metrics/views/overall?timeframe[]=1767600000&timeframe[]=1767686399';
  const tag = (await server.get(route)).headers.get('etag');
  assert.match(tag, /^"[0-9a-f]{16}"$/);
  for (const known of [tag, `W/${tag}`]) await assertStatus(route, known, 304);
  await assertStatus(route.replace('1767600000', '1767513600'), tag, 200);
});
