// SPDX-License-Identifier: Apache-2.0
// Views as they come in, by the clock of their receipt: wrong device clocks, too old and too late, pending, final, dropped.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, sleep, until } from '../lib/server.mjs';
import { short } from './vectors/wire.mjs';
import { detail, visible } from './vectors/run.mjs';

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
let server;

before(async () => { server = await new Server({ serve: ['--view-visible-after', '1', '--view-final-after', '25', '--view-grace-ms',
  '10000'] }).start(); });
after(() => server?.stop());

// An event in long names; undefined fields are left out.
const event = (id, number, name, time, fields = {}) => Object.fromEntries(Object.entries({ event: name, env_key: server.env_key, view_id: id,
  view_sequence_number: number, viewer_time: time, ...fields }).filter(([, value]) => value !== undefined).map(([key, value]) => [short(key),
    value]));

async function post(metadata, ...events) {
  const answer = await fetch(server.url, { method: 'POST', body: JSON.stringify(metadata ? { metadata, events } : { events }) });
  assert.equal(answer.status, 200);
}

const cut = ms => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000', '');

// A view of 20 s that was sent at once, by a device whose clock is wrong by skew; rtt in ms.
async function skewed(id, skew, metadata) {
  const sent = Date.now() + skew, start = sent - 20 * SECOND;
  await post(metadata && { transmission_timestamp: sent, ...metadata }, event(id, 1, 'viewstart', start, { view_start: start }),
    event(id, 2, 'playing', start + 400, { view_time_to_first_frame: 400 }), event(id, 3, 'viewend', sent));
  const view = await visible(server, id);
  return { view, sent, start, offset: view.events[0].event_time - sent - (Number(metadata?.rtt_ms) || 0) / 2 };
}

for (const [name, skew, metadata] of [['ten minutes ahead', 10 * MINUTE, { rtt_ms: 200 }], ['ten minutes behind', -10 * MINUTE, { rtt_ms: 200 }],
  ['text', 5 * MINUTE, { rtt_ms: '100' }], ['a day ahead', 24 * HOUR, {}], ['three days behind', -72 * HOUR, {}], ['no metadata', -50 * HOUR, null]])
  test('a wrong clock: ' + name, async () => {
    const { view, sent, start, offset } = await skewed('skew ' + name, skew, metadata);
    assert.equal(view.view_start, cut(start + offset));
    assert.equal(view.view_end, cut(Math.min(sent + offset, view.events[0].event_time)));
    assert.deepEqual(view.events.map(one => one.viewer_time), [start, start + 400, sent]); // as sent
    assert.equal(view.time_to_first_frame, 400);
  });

test('up to 30 s are taken as they are, but nothing is later than its receipt', async () => {
  const behind = await skewed('behind', -15 * SECOND, {});
  assert.deepEqual([behind.view.view_start, behind.view.view_end], [cut(behind.start), cut(behind.sent)]);
  const ahead = await skewed('ahead', 15 * SECOND, {});
  assert.deepEqual([ahead.view.view_start, ahead.view.view_end], [cut(ahead.start), cut(ahead.view.events[0].event_time)]);
});

test('the smallest difference over all POSTs of a view, repeated ones too', async () => {
  const sent = Date.now() - 10 * MINUTE, start = sent - 20 * SECOND, first = event('smallest', 1, 'viewstart', start);
  await post({ transmission_timestamp: sent - 5 * MINUTE }, first);
  await post({ transmission_timestamp: sent }, first, event('smallest', 2, 'viewend', sent));
  const { events, view_start: shown } = await visible(server, 'smallest');
  const seen = Date.parse(shown) - Math.floor(start / 1000) * 1000 - 10 * MINUTE;
  assert.ok(seen >= 0 && seen < 4 * MINUTE, `${seen} ms from what the second POST says; ${JSON.stringify(events)}`);
});

test('live latency is measured on the right clock', async () => {
  const now = Date.now(), sent = now - 10 * MINUTE;
  await post({ transmission_timestamp: sent }, event('latency', 1, 'viewstart', sent - 9 * SECOND, { video_source_is_live: true }),
    event('latency', 2, 'playing', sent - 8 * SECOND, { player_program_time: now - 13 * SECOND }), event('latency', 3, 'viewend', sent));
  const view = await visible(server, 'latency');
  assert.equal(view.live_stream_latency, 5 * SECOND + view.events[0].event_time - now);
});

test('events over a day old are refused, a viewend is not', async () => {
  const now = Date.now();
  await post({ transmission_timestamp: now }, event('old', 1, 'viewstart', now - 25 * HOUR, { custom_1: 'refused' }),
    event('old', 2, 'play', now - 23 * HOUR, { custom_2: 'kept' }), event('old', 3, 'viewend', now - 25 * HOUR, { custom_3: 'kept' }));
  const view = await visible(server, 'old');
  assert.deepEqual([view.custom_1, view.custom_2, view.custom_3], [null, 'kept', 'kept']);
  assert.deepEqual([view.view_start, view.view_end], [cut(now - 23 * HOUR), cut(now - 23 * HOUR)]);
});

test('a viewend waits a little for the events before it', async () => {
  const now = Date.now(), sent = { transmission_timestamp: now };
  await Promise.all([post(sent, event('gap', 1, 'viewstart', now), event('gap', 3, 'viewend', now + 2)),
    post(sent, event('gap', 2, 'hb', now + 1, { custom_1: 'in' }))]);
  assert.equal((await visible(server, 'gap')).custom_1, 'in');
});

// The share of dropped views: [views that count, how many were dropped].
async function dropped(video) {
  const { data } = await server.json(`/data/v1/metrics/view_dropped_percentage/overall?measurement=sum&filters[]=video_id:${video}`);
  return [data.total_views, data.value];
}
const refused = async reason => Number(new RegExp(`reason="${reason}"} (\\d+)`).exec(await (await fetch(server.url + '/metrics')).text())[1]);

test('pending, amended, final, dropped; then too late', async () => {
  const now = Date.now(), sent = { transmission_timestamp: now };
  await post(sent, event('pending', 1, 'viewstart', now, { video_id: 'pending' }), event('pending', 2, 'playing', now,
    { view_time_to_first_frame: 40 }));
  let view = await visible(server, 'pending');
  assert.deepEqual([view.view_dropped, view.watched, await dropped('pending')], [false, true, [0, 0]]);
  await post(sent, event('pending', 3, 'hb', now, { custom_1: 'amended', view_watch_time: 700 }));
  view = await visible(server, 'pending', one => one.custom_1);
  assert.deepEqual([view.view_dropped, view.watch_time], [false, 700]);
  view = await visible(server, 'pending', one => one.view_dropped);
  assert.equal(view.custom_1, 'amended');
  await until('the dropped view to count', async () => (await dropped('pending'))[0] === 1);
  assert.deepEqual(await dropped('pending'), [1, 1]);
  const before = await refused('too_late');
  await post(sent, event('pending', 4, 'hb', now, { custom_1: 'late' }), event('pending', 5, 'viewend', now));
  await until('two events to be refused', async () => await refused('too_late') === before + 2);
  await sleep(2000); // time for a second view or another version to show up
  view = await detail(server, 'pending');
  assert.deepEqual([view.custom_1, view.view_dropped, await dropped('pending')], ['amended', true, [1, 1]]);
  assert.equal((await server.json('/data/v1/metrics/views/overall?filters[]=video_id:pending')).data.value, 1);
});
