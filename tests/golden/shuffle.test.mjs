// SPDX-License-Identifier: Apache-2.0
// Arrival decides nothing: recordings sent in shuffled order, requests repeated, on several connections at once, make the
// same views as in their own order. Every order gets view ids of its own, all share one server. The grace is long, so that a
// viewend which comes first waits for the rest. Also: the worked examples, each with its events torn apart and shuffled.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, until } from '../lib/server.mjs';
import { EXAMPLES, view } from './examples.mjs';
import { ENV_KEY, captures, differences, expected, replay } from './golden.mjs';
import { decode, detail, load } from './reference.mjs';

const NAMES = ['rebuffer', 'hls-basic', 'ads-emit', 'videochange', 'error-custom', 'retry-500', 'gap-11min', 'dash-basic'];
const ORDERS = 20;
let server;

before(async () => { server = await new Server({ init: ['--allow-backfill'], serve: ['--view-grace-ms', '20000'] }).start(); });
after(() => server?.stop());

// mulberry32: a seed names an order, so that a failure can be looked at again.
function random(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, next) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

async function sendAll(requests, lanes) {
  const queue = [...requests];
  await Promise.all(Array.from({ length: lanes }, async () => {
    for (let one; (one = queue.shift());) {
      const response = await replay(server, one.request, { body: one.body });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    }
  }));
}

const fetchView = id => until(`view ${id}`, async () => {
  const response = await server.get('/data/v1/video-views/' + id);
  return response.ok && (await response.json()).data;
});

for (const name of NAMES) {
  test(`${name} in ${ORDERS} orders`, async () => {
    const requests = load(captures().find(one => one.name === name).file), wanted = expected(name);
    const ids = [...new Set(requests.flatMap(request => JSON.parse(request.body).events.map(event => event.xid)))];
    const agents = new Set(requests.map(request => request.headers['User-Agent']));
    assert.equal(agents.size, 1);
    for (let seed = 1; seed <= ORDERS; seed++) {
      const next = random(seed), copies = shuffled([...requests, ...requests.filter(() => next() < 0.5)], next);
      const renamed = copies.map(request => ({ request, body: ids.reduce((body, id, i) => body.replaceAll(id, `${name}-${seed}-${i}`), request.body) }));
      await sendAll(renamed, 1 + seed % 4);
    }
    for (let seed = 1; seed <= ORDERS; seed++) {
      for (const [id, one] of Object.entries(wanted)) {
        const data = await fetchView(`${name}-${seed}-${ids.indexOf(id)}`);
        assert.deepEqual(differences({ ...data, view_id: id }, one, new Map()), [], `order ${seed}`);
      }
    }
  });
}

test('the worked examples, an event a request, in shuffled orders', async () => {
  const agent = load(captures()[0].file)[0].headers['User-Agent'];
  const request = { method: 'POST', url: '/', headers: { 'User-Agent': agent, 'Content-Type': 'text/plain' } };
  const found = [];
  for (const [i, { what, events }] of EXAMPLES.entries()) {
    const id = `example-${i}`, all = view(id, ENV_KEY, events), next = random(i + 1);
    const { events: shown, ...fields } = detail(all.map(decode), agent);
    const keys = Object.keys(fields);
    const wanted = { fields: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)), null: keys.filter(key => fields[key] === null).join(' '),
      events: shown.map(event => [event.name, event.viewer_time, event.playback_time, event.details]) };
    const bodies = all.map(event => JSON.stringify({ metadata: { transmission_timestamp: event.uti }, events: [event] }));
    await sendAll(shuffled([...bodies, ...bodies.filter(() => next() < 0.5)], next).map(body => ({ request, body })), 3);
    found.push({ what, id, wanted });
  }
  const errors = new Map();
  for (const { what, id, wanted } of found) assert.deepEqual(differences(await fetchView(id), wanted, errors), [], what);
});
