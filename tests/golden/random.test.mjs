// SPDX-License-Identifier: Apache-2.0
// Random beacons through a real server, every key of every view's detail against the reference. FIRSTFRAME_RANDOM_VIEWS says
// how many views (250), FIRSTFRAME_RANDOM_SEED which (1).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until, withServer } from '../lib/server.mjs';
import { differences } from './golden.mjs';
import { decode, detail } from './reference.mjs';
import { randomPosts, randomView } from './random.mjs';

const VIEWS = Number(process.env.FIRSTFRAME_RANDOM_VIEWS ?? 250), SEED = Number(process.env.FIRSTFRAME_RANDOM_SEED ?? 1);
const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36';

test(`${VIEWS} views of random beacons`, { timeout: 1_800_000 }, () => withServer({ init: ['--allow-backfill'], serve: ['--view-grace-ms', '20000'] }, async server => {
  const views = Array.from({ length: VIEWS }, (_, i) => ({ id: `random-${SEED + i}`, events: randomView(`random-${SEED + i}`, SEED + i) }));
  for (const { events, id } of views) {
    for (const event of events) event.ake = server.env_key;
    for (const post of randomPosts(events, id.length + events.length)) {
      const response = await fetch(server.url, { method: 'POST', headers: { 'user-agent': AGENT, 'x-firstframe-backfill': '1' },
        body: JSON.stringify({ metadata: { transmission_timestamp: 1 }, events: post }) });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    }
  }
  const errors = new Map(), wrong = [];
  let made = 0;
  for (const { id, events } of views) {
    const wanted = detail(events.map(decode), AGENT);
    if (wanted === null) continue;
    const { events: shown, ...fields } = wanted;
    const data = await until(`view ${id}`, async () => {
      const response = await server.get('/data/v1/video-views/' + id);
      return response.ok && (await response.json()).data;
    }, { seconds: 120 });
    const known = Object.keys(fields).filter(name => fields[name] !== null);
    const found = differences(data, { fields: Object.fromEntries(known.map(name => [name, fields[name]])),
      null: Object.keys(fields).filter(name => fields[name] === null).join(' '), events: shown.map(event => [event.name, event.viewer_time, event.playback_time, event.details]) }, errors);
    if (found.length) wrong.push({ id, found: found.slice(0, 5) });
    made++;
  }
  assert.deepEqual(wrong.slice(0, 20), [], `${wrong.length} of ${made} views differ`);
  assert.ok(made > VIEWS / 2);
  for (const { id, events } of views)
    if (detail(events.map(decode), AGENT) === null) assert.equal((await server.get('/data/v1/video-views/' + id)).status, 404, id);
}));
