// SPDX-License-Identifier: Apache-2.0
// Every recording, sent to a real server as it was recorded, makes exactly the views of expected/: field by field.
// Backfill mode takes the recordings' clocks as they are; the server sees the requests from 127.0.0.1, so place is null.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Server, until } from '../lib/server.mjs';
import { LISTS, listOf, select, stored } from '../lib/store.mjs';
import { ENV_KEY, captures, differences, expected, replay } from './golden.mjs';
import { load } from './reference.mjs';

let server, started;
const errors = new Map(); // error -> its id, over all views
const refused = new Map(); // capture -> events refused for want of a known key, as /metrics counts them

before(async () => {
  server = new Server({ init: ['--allow-backfill'] });
  started = Date.now();
  await server.start();
  for (const { name, file } of captures()) {
    const unknown = await dropped('unknown_env'), none = await dropped('no_env_key');
    for (const request of load(file)) {
      const response = await replay(server, request);
      assert.equal(response.status, 200, `${name}, request ${request.n}`);
      await response.arrayBuffer();
    }
    refused.set(name, { unknown: await dropped('unknown_env') - unknown, none: await dropped('no_env_key') - none });
  }
});

after(() => server?.stop());

async function dropped(reason) {
  const text = await (await fetch(server.url + '/metrics')).text();
  return Number(new RegExp(`firstframe_beacons_dropped_total{[^}]*reason="${reason}"[^}]*} (\\d+)`).exec(text)?.[1] ?? 0);
}

function ownKeys(detail) {
  const hash = createHash('sha256').update(server.environment_id).update('\0').update(detail.view_id).digest('hex');
  assert.equal(detail.id, hash.slice(0, 32));
  assert.equal(detail.environment_id, server.environment_id);
  assert.ok(Number.isInteger(detail.property_id));
  for (const name of ['inserted_at', 'updated_at']) {
    const at = Date.parse(detail[name]);
    assert.ok(at >= Math.floor(started / 1000) * 1000 && at <= Date.now() + 1000, `${name}: ${detail[name]}`);
  }
  for (const event of detail.events) {
    assert.ok(event.event_time >= started && event.event_time <= Date.now(), `event_time ${event.event_time}`);
    assert.deepEqual(Object.keys(event).sort(), ['details', 'event_time', 'name', 'playback_time', 'viewer_time']);
  }
}

// What is stored and not shown: the row of the view, as the expected file has it; a column that is not there is null.
const HIDDEN = ['player_playback_mode', ...Array.from({ length: 10 }, (_, i) => `custom_${11 + i}`)];
async function hidden(id, wanted) {
  const rows = [];
  for await (const row of select(server, `SELECT * FROM firstframe.views WHERE view_id = '${id}' ORDER BY version`)) rows.push(row);
  const row = rows.at(-1);
  for (const key of Object.keys(LISTS).filter(key => key in wanted)) assert.deepEqual(listOf(row, key), stored(key, wanted[key]), `${id}: ${key}`);
  for (const key of ['ranges', 'renditions', 'modes', 'ad_types', 'errors']) assert.ok(key in wanted, `${id}: nothing is expected of ${key}`);
  assert.deepEqual(Object.fromEntries(HIDDEN.map(key => [key, row[key]])), Object.fromEntries(HIDDEN.map(key => [key, wanted[key] ?? null])), id);
}

for (const { name, file } of captures()) {
  test(name, async () => {
    const requests = load(file), wanted = expected(name);
    for (const [id, view] of Object.entries(wanted)) {
      const { data } = await until(`view ${id}`, async () => {
        const response = await server.get('/data/v1/video-views/' + id);
        return response.ok && response.json();
      });
      assert.deepEqual(differences(data, view, errors), [], id);
      assert.equal(Object.keys(data).filter(key => key !== 'mux_sample_rate').length, 194);
      ownKeys(data);
      await hidden(id, view.row);
    }
    const events = requests.filter(request => request.method === 'POST').flatMap(request => JSON.parse(request.body).events);
    for (const id of new Set(events.map(event => event.xid))) {
      if (id in wanted) continue; // an id that never started, or one of an environment we do not have: no view
      assert.equal((await server.get('/data/v1/video-views/' + id)).status, 404, id);
    }
    const without = test => events.filter(test).length;
    assert.deepEqual(refused.get(name), { unknown: without(event => event.ake && event.ake !== ENV_KEY), none: without(event => !event.ake) });
  });
}

test('no other view came of them', async () => {
  const count = captures().reduce((sum, { name }) => sum + Object.keys(expected(name)).length, 0);
  const list = await until('the whole list', async () => {
    const answer = await server.json('/data/v1/video-views?limit=1000&timeframe[]=3660:days');
    return answer.data.length >= count && answer;
  });
  assert.equal(list.total_row_count, count);
});
