// SPDX-License-Identifier: Apache-2.0
// Sends vectors to a server and compares the views that come of them.
import assert from 'node:assert/strict';
import { until } from '../../lib/server.mjs';
import { T0, encode } from './wire.mjs';

export const near = value => ({ near: value }); // a number as text, to within the last digits of a double

// The POSTs of a vector: events numbered from 1 in the order they are written, unless they say otherwise.
export function posts(vector, id, envKey) {
  let sequence = 0;
  return (vector.posts ?? [{ events: vector.events }]).map(post => ({ ...post,
    events: post.events.map(event => encode(event, { env_key: envKey, view_id: id, view_sequence_number: ++sequence })) }));
}

export function body(post) {
  const { metadata = { transmission_timestamp: T0 + 60_000, rtt_ms: 10 } } = post;
  const text = JSON.stringify(metadata ? { metadata, events: post.events } : { events: post.events }, null, post.pretty ? 2 : 0);
  return text.replace(/\{"raw":"([^"]*)"\}/g, '$1');
}

export async function send(server, vector, id, headers = { 'x-firstframe-backfill': '1' }) {
  for (const post of posts(vector, id, server.env_key)) {
    const answer = await fetch(server.url + (post.path ?? '/'), { method: 'POST', body: body(post), headers: { 'content-type': 'text/plain',
      'user-agent': 'vectors', ...headers, ...post.headers } });
    assert.equal(answer.status, 200);
    assert.equal(await answer.text(), '');
  }
}

// The view detail by the sender's id; null for a view that is not there.
export async function detail(server, id) {
  const answer = await server.get('/data/v1/video-views/' + encodeURIComponent(id));
  if (answer.status === 404) return null;
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).data;
}

export const visible = (server, id, probe = view => view) =>
  until(`view ${id}`, async () => { const view = await detail(server, id); return view && probe(view) && view; }, { seconds: 120 });

function actual(view, key) {
  if (key.startsWith('event:')) return view.events.filter(event => event.name === key.slice(6)).length;
  if (key === 'timeline') return view.events.map(event => [event.name, event.viewer_time - T0, event.playback_time]);
  if (key === 'details') return view.events.map(event => event.details);
  return view[key];
}

const close = (a, b) => Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b));

// What of a view is not as expected: [key, expected, actual].
export function differences(view, expect) {
  const wrong = [];
  for (const [key, wanted] of Object.entries(expect)) {
    const value = actual(view, key);
    if (wanted && typeof wanted === 'object' && 'near' in wanted) {
      if (typeof value !== 'string' || /e/i.test(value) || !close(Number(value), wanted.near)) wrong.push([key, wanted.near, value]);
      continue;
    }
    if (wanted === 'set') { // an error's id: some positive 31-bit number
      if (!Number.isInteger(value) || value <= 0 || value > 0x7fffffff) wrong.push([key, wanted, value]);
      continue;
    }
    try { assert.deepEqual(value, wanted); } catch { wrong.push([key, wanted, value]); }
  }
  return wrong;
}
