// SPDX-License-Identifier: Apache-2.0
// Beacons in, views out: a few hundred small views, each made for one sentence of the rules, and what the view detail has to say of them.
// The tables in vectors/ were written from the rules alone, without a look at the server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Server, until } from '../lib/server.mjs';
import { T0 } from './vectors/wire.mjs';
import { detail, differences, send, visible } from './vectors/run.mjs';
import ads from './vectors/ads.mjs';
import agents from './vectors/agents.mjs';
import life from './vectors/life.mjs';
import measures from './vectors/measures.mjs';
import metadata from './vectors/metadata.mjs';
import outcomes from './vectors/outcomes.mjs';
import values from './vectors/values.mjs';

const TABLES = { values, life, measures, ads, metadata, agents, outcomes };
const WINDOW = `timeframe[]=${T0 / 1000 - 3600}&timeframe[]=${T0 / 1000 + 86_400}`;
let server;

before(async () => {
  // Views without a viewend are final once nothing came for a while, long enough for a slow machine to send a vector's other POSTs.
  server = await new Server({ init: ['--allow-backfill'], serve: ['--view-visible-after', '8'] }).start();
  await each(Object.entries(TABLES).flatMap(([table, list]) => list.map((vector, at) => [vector, `${table}-${at}`])),
    ([vector, id]) => send(server, vector, id));
});
after(() => server?.stop());

// A dozen at a time.
async function each(list, work) {
  const left = list.values();
  await Promise.all(Array.from({ length: 12 }, async () => { for (const one of left) await work(one); }));
}

for (const [table, list] of Object.entries(TABLES))
  test(`${table}: ${list.length} vectors`, async () => {
    const wrong = [], ids = list.map((vector, at) => [vector, `${table}-${at}`]);
    await each(ids.filter(([vector]) => vector.expect), async ([vector, id]) => {
      for (const [key, expected, actual] of differences(await visible(server, id), vector.expect))
        wrong.push({ item: vector.item, name: vector.name, key, expected, actual });
    });
    await each(ids.filter(([vector]) => !vector.expect), async ([vector, id]) => {
      if (await detail(server, id)) wrong.push({ item: vector.item, name: vector.name, key: 'the view', expected: null });
    });
    assert.deepEqual(wrong, []);
  });

const put = async (id, events) => { await send(server, { events }, id); return visible(server, id); };
const overall = async (metric, video) => (await server.json(`/data/v1/metrics/${metric}/overall?${WINDOW}&filters[]=video_id:${video}`)).data;
const begin = fields => ['viewstart', 0, { view_start: T0, ...fields }];
const frame = fields => ['playing', 400, { view_time_to_first_frame: 400, ...fields }];

test('aggregate startup time: as sent, else the sum of all three parts', async () => {
  const ready = fields => ['playerready', 5, fields], parts = { player_startup_time: 100, page_load_time: 50 }, end = ['viewend', 1000];
  await put('sum', [begin({ video_id: 'sum' }), ready(parts), frame(), end]);
  await put('sent', [begin({ video_id: 'sent' }), ready(parts), frame({ view_aggregate_startup_time: 213 }), end]);
  await put('part', [begin({ video_id: 'part' }), ready({ player_startup_time: 100 }), frame(), end]);
  await put('exit', [begin({ video_id: 'exit' }), ready(parts), end]);
  assert.deepEqual(await Promise.all(['sum', 'sent', 'part', 'exit'].map(async video => (await overall('aggregate_startup_time', video)).value)),
    [550, 213, null, null]);
});

test('ranges: reversed ones and those of the next source are left out; text and arrays', async () => {
  const watched = (id, last, ...ranges) => put(id, [begin({ video_id: 'ranges', video_source_duration: 10_000 }), frame(),
    ...ranges.map((range, at) => ['hb', 5000 + at, { player_playhead_time: 5000, video_playback_range: range }]), ['viewend', 11_000, last]]);
  await watched('gone-back', { player_playhead_time: 0, video_playback_range: '["4934:9000"]' }, '["0:5000"]');
  await watched('reversed', { player_playhead_time: 10_000, video_playback_range: '["0:10000","9000:8000","3000:3000"]' });
  await watched('array', {}, ['0:1000', '500:2000']);
  const { total_views: views, value } = (await server.json(`/data/v1/engagement/videos/ranges/heatmap?${WINDOW}`)).data;
  assert.equal(views, 3);
  assert.deepEqual(value.map(share => Math.round(share * 3)), [3, 3, 2, 2, 2, 1, 1, 1, 1, 1]);
});

test('a sampled view weighs one', async () => {
  for (const rate of [0.1, 1]) await put(`rate-${rate}`, [begin({ video_id: 'rate', mux_sample_rate: rate }), frame(),
    ['viewend', 1000, { view_watch_time: 1000 }]]);
  const { value, total_views: views, total_watch_time: watch } = await overall('views', 'rate');
  assert.deepEqual([value, views, watch], [2, 2, 2000]);
});

test('two environments may use the same view id', async () => {
  const signed = await fetch(server.url + '/api/sessions', { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ session: { email: EMAIL, password: PASSWORD } }) });
  const session = { 'beta-auth-token': (await signed.json()).data.token };
  const added = await fetch(server.url + '/system/v1/environments', { method: 'POST', headers: { ...session, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Other', allow_backfill: true }) });
  assert.equal(added.status, 201, await added.clone().text());
  const other = (await added.json()).data;
  const there = { url: server.url, env_key: other.env_key,
    get: route => fetch(server.url + route, { headers: { ...session, 'x-environment-id': other.id } }) };
  const vector = title => ({ events: [begin({ video_title: title }), ['viewend', 1000]] });
  await until('the new environment to take beacons', async () => { await send(there, vector('there'), 'twice'); return detail(there, 'twice'); });
  await send(server, vector('here'), 'twice');
  const views = [await visible(server, 'twice'), await visible(there, 'twice')];
  assert.deepEqual(views.map(view => view.video_title), ['here', 'there']);
  assert.deepEqual(views.map(view => view.environment_id), [server.environment_id, other.id]);
  assert.notEqual(views[0].id, views[1].id);
});
