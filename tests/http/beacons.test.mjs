// SPDX-License-Identifier: Apache-2.0
// Beacons as the SDKs of each platform send them, over HTTP into a running server, and the view that comes out; then what
// is refused, shown and never written. The shapes follow the SDKs' own sources: text for numbers, no metadata, other keys.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import zlib from 'node:zlib';
import { Server, firstframe, sleep, until, withServer } from '../lib/server.mjs';

// A request with exactly these headers; fetch adds its own.
function send(server, body, { path: to = '/', method = 'POST', headers = {}, agent } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(server.url + to, { method, headers, agent }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}
async function taken(server, body, options) {
  const answer = await send(server, typeof body === 'object' && !Buffer.isBuffer(body) ? JSON.stringify(body) : body, options);
  assert.equal(answer.status, 200);
  assert.equal(answer.body, '');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
}
async function dropped(server, reason) {
  const text = await (await fetch(server.url + '/metrics')).text();
  return Number(new RegExp(`^firstframe_beacons_dropped_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(text)[1]);
}
async function metric(server, name) {
  return Number(new RegExp(`^firstframe_${name} (\\d+)$`, 'm').exec(await (await fetch(server.url + '/metrics')).text())[1]);
}
const view = (server, id) => until('the view ' + id, async () => {
  const answer = await server.get('/data/v1/video-views/' + id);
  return answer.ok && (await answer.json()).data;
}, { seconds: 120 });
function has(actual, wanted) {
  const got = Object.fromEntries(Object.keys(wanted).map(key => [key, actual[key]]));
  assert.deepEqual(got, wanted);
}
const iso = ms => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000', '');

test('the dialects of the SDKs', async () => withServer({}, async server => {
  const key = server.env_key, now = Date.now(), began = now - 12_000;

  // Roku: every event complete, times and booleans as text, a trailing blank, ranges as a list, no metadata, its own
  // configuration copied in, words its dictionary lacks, and a player event that has no view.
  const roku = (number, name, at, more = {}) => ({
    e: name, ake: key, xid: 'roku', xsqno: number, psqno: number + 1, uti: String(began + at), xst: String(began), pispa: 'false', pisfs: 'true',
    pwd: '1920', pht: '1080 ', pswnm: 'RokuSG', pswve: '12.5', uosfm: 'Roku OS', uosve: '12.5.0', udvcg: 'tv', udvmn: 'Roku', udvmo: '4800X',
    vtt: 'Roku title', vsour: 'https://cdn.example/video/master.m3u8', vsodu: '60000', vsoisli: 'false', mvrid: 'rida-1', sid: 'roku-session',
    placd: 'en', ppron: 'false', pauon: 'true', mapve: '2.1', pmxpinm: 'roku-mux', pmxpive: '2.8.0', ppbmp: 'standard', ppbmp_data_: '{}',
    xdp_frames_co: '3', _beaconCollectionDomain_: 'beacons.example', ...more });
  await taken(server, { events: [
    { e: 'playerready', ake: key, psqno: 1, uti: String(began - 500), psuti: '250' },
    roku(1, 'playbackmodechange', 0), roku(2, 'networkchange', 1), roku(3, 'viewstart', 33), roku(4, 'play', 34),
    roku(5, 'playing', 834, { xtitofifr: '834', xwati: 834 }),
    roku(6, 'rebufferstart', 4834, { xreco: 1, xredu: '0', xwati: 4834, pphti: '4000', vpbrg: ['0:4000'] }),
    roku(7, 'rebufferend', 5334, { xreco: '1', xredu: 500, xwati: '5334', pphti: 4000, vpbrg: ['0:4000'] }),
    roku(8, 'viewend', 10_334, { xreco: 1, xredu: 500, xwati: 10_334, xtitofifr: 834, pphti: '9000', vpbrg: ['0:9000'] }),
  ] }, { headers: { 'content-type': 'application/json', connection: 'keep-alive', 'accept-encoding': 'gzip, deflate', 'user-agent': 'Roku/DVP-12.5 (12.5.0.4235-88)' } });

  // Android: everything is text but two objects, gzip, a path of its own, keys of its own, doubles as Java prints them.
  const android = (number, name, at, more = {}) => ({ e: name, ake: key, xid: 'android', xsqno: String(number), psqno: String(number), uti: String(began + at), ...more });
  await taken(server, zlib.gzipSync(JSON.stringify({ events: [
    android(1, 'playerready', 0, { pinid: 'p-1', udvmn: 'Google', udvmo: 'Pixel 7', uosfm: 'Android', uosve: '14', udvcg: 'phone', ualnm: 'com.example.app', ualve: '4.1.0',
      mvrid: 'device-1', pmxpinm: 'android-exoplayer', psw: 'ExoPlayer', pswve: '2.19', pwd: '1080.0', pht: '608', ucxty: 'cellular', c1: 'one', psuti: '120' }),
    android(2, 'viewstart', 1, { xst: String(began), vsour: 'https://media.example.com/a/b.mpd', vsohonm: 'media.example.com', vsodu: '120000', vsoisli: 'false' }),
    android(3, 'play', 2),
    android(4, 'renditionchange', 900, { vsobi: '2500000', vsowd: '1280', vsoht: '720', vsofp: '29.97', vsocc: 'avc1.64001f' }),
    android(5, 'playing', 1500, { xtitofifr: '1500', xwati: '1500', xpntimscv: '0' }),
    android(6, 'requestcompleted', 1600, { qty: 'media', qbyld: '125000', qst: String(began + 1000), qrpst: String(began + 1040), qrpen: String(began + 1240), qrphe: { 'x-cdn': 'a' } }),
    android(7, 'renditionchange', 3000, { vsobi: '5.0E6', vsowd: '1920', vsoht: '1080' }),
    android(8, 'hb', 8000, { uti: (began + 8000).toExponential(12).replace('e+', 'E'), xpntimscv: '6500', xwati: '8000', pphti: '6500' }),
    android(9, 'error', 8100, { percd: '2004', perme: 'IO_BAD_HTTP_STATUS', percz: 'at a\nat b', persy: 'fatal', perbzez: 'false' }),
    android(10, 'viewend', 8200, { xwati: '8200', xpntimscv: '6600', xdpfrco: '7', xrqfbco: '1', xrqcbco: '2' }),
  ], metadata: { rtt_ms: '84', transmission_timestamp: String(now) } })), { path: '/android', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip',
    'x-litix-env-key': key, 'x-litix-shard-id': 'device-1', 'user-agent': 'Dalvik/2.1.0 (Linux; U; Android 14; Pixel 7 Build/UD1A)' } });

  // iOS: pretty-printed, numbers for booleans, fractions for integers, and the environment in the header alone.
  await taken(server, JSON.stringify({ metadata: { transmission_timestamp: now + 0.25, rtt_ms: 12.5 }, events: [
    { e: 'viewstart', xid: 'ios', xsqno: 1, uti: began, xst: began, udvmn: 'Apple', udvmo: 'iPhone15,2', uosfm: 'iOS', uosve: '17.4', udvcg: 'phone', psw: 'AVPlayer', pisfs: 1, pauon: '1', prmpf: '1', vsoisli: '1' },
    { e: 'play', xid: 'ios', xsqno: 2, uti: began + 1.4 },
    { e: 'playing', xid: 'ios', xsqno: 3, uti: began + 400.5, xtitofifr: 400.5, xwati: '400.4' },
    { e: 'viewend', xid: 'ios', xsqno: 4, uti: began + 5000, xwati: 5000, pioerda: { code: -1 } },
  ] }, null, 2), { headers: { 'content-type': 'application/json', 'x-litix-env-key': key, 'user-agent': 'Example/1 CFNetwork/1494.0.7 Darwin/23.4.0' } });

  // The web: no type, both types it has, a collection domain with a path and a query; a bare list; one bare event; in chunks.
  const web = (id, list) => list.map(([number, name, at]) => ({ e: name, ake: key, xid: id, xsqno: number, uti: began + at, xst: began }));
  const short = [[1, 'viewstart', 0], [2, 'play', 1], [3, 'viewend', 3000]];
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await taken(server, { metadata: { transmission_timestamp: now }, events: web('web', short) }, { agent, path: '/ingest/v1?k=1', headers: { 'content-type': 'text/plain' } });
  await taken(server, { metadata: { transmission_timestamp: now + 1 }, events: web('web', short) }, { agent, headers: { 'content-type': 'text/plain;charset=UTF-8' } });
  agent.destroy();
  await taken(server, { events: web('none', short) });
  await taken(server, web('list', short), { headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  await taken(server, zlib.gzipSync('\ufeff ' + JSON.stringify(web('marked', short)))); // a byte order mark; zipped without saying so
  for (const one of web('bare', short)) await taken(server, one, { headers: { 'transfer-encoding': 'chunked' } });

  const r = await view(server, 'roku');
  has(r, { view_start: iso(began), time_to_first_frame: 834, watch_time: 10_334, buffering_count: 1, buffering_duration: 500, view_playing_time: '9000',
    view_dropped_frame_count: 3, player_width: 1920, player_height: 1080, player_software: 'RokuSG', player_source_duration: 60_000, player_source_host_name: 'cdn.example',
    video_stream_type: 'on-demand', player_autoplay: true, player_preload: false, used_fullscreen: true, viewer_os_family: 'Roku OS', viewer_device_category: 'tv',
    mux_viewer_id: 'rida-1', session_id: 'roku-session', view_dropped: false });
  assert.deepEqual(r.events.map(one => one.name), ['playbackmodechange', 'networkchange', 'viewstart', 'play', 'playing', 'rebufferstart', 'rebufferend', 'viewend']);
  assert.equal(r.events[0].details.player_playback_mode_data, '{}');

  const a = await view(server, 'android');
  has(a, { view_start: iso(began), view_end: iso(began + 8200), time_to_first_frame: 1500, watch_time: 8200, view_playing_time: '6600', view_dropped_frame_count: 7,
    video_source_bitrate: 5_000_000, video_source_bitrate_initial: 2_500_000, video_source_fps: 29.97, rendition_upshift_count: 1, player_load_time: 120,
    view_max_request_latency: 40, view_average_request_throughput: 5_000_000, player_source_host_name: 'media.example.com', player_source_duration: 120_000,
    player_error_code: '2004', player_error_message: 'IO_BAD_HTTP_STATUS', player_error_context: 'at a\nat b', playback_failure: true, viewer_device_model: 'Pixel 7',
    viewer_connection_type: 'cellular', viewer_application_name: 'com.example.app', player_width: 1080, custom_1: 'one' });

  const i = await view(server, 'ios');
  has(i, { view_start: iso(began), time_to_first_frame: 401, watch_time: 5000, used_fullscreen: true, player_autoplay: true, player_remote_played: true, video_stream_type: 'live',
    player_software: 'AVPlayer', viewer_device_model: 'iPhone15,2' });
  for (const id of ['web', 'none', 'list', 'marked', 'bare']) {
    const v = await view(server, id);
    assert.deepEqual(v.events.map(one => one.name), ['viewstart', 'play', 'viewend'], id);
    assert.equal(v.exit_before_video_start, true, id);
  }
  assert.equal(await dropped(server, 'no_view_id'), 1); // Roku's playerready
  assert.equal((await server.json('/data/v1/metrics/views/overall')).data.value, 8);
}));

test('preflights allow whatever header a sender has; other methods do not reach the collector', async () => withServer({}, async server => {
  const preflight = headers => send(server, undefined, { method: 'OPTIONS', path: '/any/path', headers: { origin: 'https://site.example', 'access-control-request-method': 'POST', ...headers } });
  for (const [asked, allowed] of [['content-type', /^content-type$/], ['x-tracer,traceparent', /^x-tracer,traceparent$/], [undefined, /content-type.*x-litix-env-key/], ['<b>', /content-type/]]) {
    const answer = await preflight(asked ? { 'access-control-request-headers': asked } : {});
    assert.equal(answer.status, 204);
    assert.match(answer.headers['access-control-allow-headers'], allowed);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['access-control-allow-methods'], /POST/);
  }
  for (const method of ['PUT', 'PATCH', 'DELETE']) assert.equal((await send(server, '{}', { method })).status, 404, method);
  assert.equal(await metric(server, 'beacon_requests_total'), 0);
}));

test('limits: answered 200, dropped, counted, and the rest is kept', async () => withServer({ serve: ['--beacon-bytes-max', '65536', '--beacon-events-max', '5',
  '--beacon-keys-max', '50', '--beacon-values-max', '1000', '--beacon-depth-max', '5', '--open-views-per-environment-max', '16'] }, async server => {
  const key = server.env_key, event = (id, number, more = {}) => ({ e: 'play', ake: key, xid: id, xsqno: number, uti: Date.now(), ...more });
  const counted = async (reason, n, body, options) => {
    const before = await dropped(server, reason);
    await taken(server, body, options);
    await until(reason, async () => await dropped(server, reason) === before + n);
  };
  await counted('too_large', 1, ' '.repeat(65_537));
  await counted('too_large', 1, zlib.gzipSync(' '.repeat(200_000)), { headers: { 'content-encoding': 'gzip' } });
  await counted('too_many_events', 3, Array.from({ length: 8 }, (_, i) => event('eight', i + 1)));
  await counted('too_many_keys', 1, [event('keys', 1), event('keys', 2, Object.fromEntries(Array.from({ length: 50 }, (_, i) => ['k' + i, 1])))]);
  await counted('too_many_values', 1, [event('values', 1, { c1: Array(1000).fill(1) })]);
  await counted('too_deep', 1, [event('deep', 1, { c1: [[[[1]]]] })]);
  await taken(server, [event('deep', 2, { c1: [[[1]]] })]);
  const last = (await server.json('/data/v1/beacons/recent')).data[0];
  assert.deepEqual([last.problem, last.events[0].refused, last.events[0].fields.custom_1], [null, null, '[[[1]]]']);

  // Sixteen open views: one in each of sixteen parts, so that of a hundred at most sixteen are kept; those go on.
  const before = await dropped(server, 'too_many_env_views');
  for (let i = 0; i < 100; i++) await taken(server, [event('crowd-' + i, 1)]);
  await until('the refusals', async () => await dropped(server, 'too_many_env_views') >= before + 84);
  const open = await metric(server, 'view_events_folded_total');
  await taken(server, [event('eight', 6)]);
  await until('an event of an open view', async () => await metric(server, 'view_events_folded_total') > open);
  const { refused_later: later } = await server.json('/data/v1/beacons/recent');
  const row = later.find(one => one.reason === 'too_many_env_views');
  assert.ok(row.events >= 84 && row.help && Math.abs(Date.parse(row.last_at) - Date.now()) < 600_000, JSON.stringify(later));
}));

test('recent beacons: at once, with what was ignored and why; those of nobody for administrators', async () => withServer({}, async server => {
  const key = server.env_key, at = Date.now();
  await taken(server, { metadata: { transmission_timestamp: at }, events: [{ e: 'viewstart', ake: key, xid: 'mine', xsqno: 1, uti: at, vtt: 'Hello', pwd: 'wide', mine_: 1 }, { e: 'hb', ake: key }] },
    { headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x64) Gecko/20100101 Firefox/128.0' } });
  const from = performance.now();
  const [post] = (await server.json('/data/v1/beacons/recent')).data;
  assert.ok(performance.now() - from < 60_000);
  has(post, { format: 'mux', problem: null, browser: 'Firefox', device_category: 'desktop', events_shown: true });
  assert.deepEqual(post.events[0].fields, { env_key: key, view_id: 'mine', view_sequence_number: 1, viewer_time: at, video_title: 'Hello' });
  assert.deepEqual(post.events[0].ignored.map(one => one.key), ['pwd', 'mine_']);
  assert.equal(post.events[1].refused, 'no_view_id');

  await taken(server, [{ e: 'play', ake: 'nosuchkey', xid: 'typo', xsqno: 1 }]);
  await taken(server, 'nonsense');
  const mine = await server.json('/data/v1/beacons/recent');
  assert.deepEqual([mine.data.length, mine.total_row_count, mine.refused_later], [1, 1, []]);
  const unclaimed = (await server.json('/data/v1/beacons/recent?unclaimed=true')).data;
  assert.deepEqual(unclaimed.map(one => one.problem?.reason ?? one.events[0].refused), ['not_json', 'unknown_env']);
  assert.equal((await server.get('/data/v1/beacons/recent?unclaimed=perhaps')).status, 400);
  const made = JSON.parse(firstframe(['token', 'add', '--data', server.data, '--name', 'reader', '--permissions', 'data:read', '--json']));
  const reader = { authorization: 'Basic ' + Buffer.from(`${made.token_id ?? made.id}:${made.token_secret ?? made.secret}`).toString('base64') };
  await until('the token', async () => (await fetch(server.url + '/data/v1/beacons/recent', { headers: reader })).ok);
  assert.equal((await fetch(server.url + '/data/v1/beacons/recent?unclaimed=true', { headers: reader })).status, 403);
}));

test('recent beacons: one view or one video among very many others', async () => withServer({}, async server => {
  const key = server.env_key, agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const event = (name, id, number, more = {}) => ({ e: name, ake: key, xid: id, xsqno: number, uti: Date.now(), ...more });
  const recent = async query => (await server.json('/data/v1/beacons/recent?' + new URLSearchParams(query))).data.map(post => post.events.map(one => one.view_id + one.view_sequence_number).join());
  await taken(server, [event('viewstart', 'mine', 1, { vid: 'my-video' }), event('play', 'mine', 2)]);
  await taken(server, String.raw`{"events":[{"e":"play","ake":"${key}","xid":"m\u0069ne","xsqno":3}]}`);
  for (let i = 0; i < 240; i += 8) // views under way and new ones
    await Promise.all(Array.from({ length: 8 }, (_, n) => taken(server, [event('hb', 'other-' + (i + n), n % 2 ? 1 : 7, { vid: 'other', vtt: 'mine and my-video' })], { agent })));
  assert.equal((await recent({})).length, 50);
  assert.equal((await recent({ limit: 7 })).length, 7);
  assert.ok(!(await recent({})).join().includes('mine'));
  assert.deepEqual(await recent({ view_id: 'mine' }), ['mine3', 'mine1,mine2']);
  assert.deepEqual(await recent({ view_id: 'mine', limit: 1 }), ['mine3']);
  assert.deepEqual(await recent({ video_id: 'my-video' }), ['mine1,mine2']);
  assert.deepEqual(await recent({ video_id: 'my-video', view_id: 'mine' }), ['mine1,mine2']);
  assert.deepEqual(await recent({ video_id: 'my-video', view_id: 'other-0' }), []);
  assert.deepEqual(await recent({ view_id: 'min' }), []);
  assert.deepEqual(await recent({ view_id: 'mine', unclaimed: true }), []);
  const other = await recent({ video_id: 'other', limit: 1000 });
  assert.ok(other.length > 100 && other.length <= 200, String(other.length));
  await sleep(1100); // a hundred of a second are kept
  await taken(server, [event('viewend', 'mine', 4)]);
  const { id } = await view(server, 'mine');
  assert.deepEqual(await recent({ view_id: id }), ['mine4', 'mine3', 'mine1,mine2']);
  for (const wrong of ['filters[]=country:US', 'metric_filters[]=views>1', 'page=2', 'limit=many']) {
    const answer = await server.get('/data/v1/beacons/recent?' + wrong);
    assert.equal(answer.status, 400, wrong);
  }
  agent.destroy();
}));

test('what an environment decides: Do-Not-Track, queries, quotas; always answered 200', async () => withServer({}, async server => {
  const key = server.env_key, event = (id, number, more = {}) => ({ e: number === 2 ? 'viewend' : 'play', ake: key, xid: id, xsqno: number, uti: Date.now(), ...more });
  const update = (...settings) => firstframe(['environment', 'update', server.environment_id, '--data', server.data, ...settings]);
  // The running server notices within a second or so: sent again until the counter moves.
  const until_dropped = (reason, make, headers) => {
    let n = 0;
    return until(reason, async () => {
      const before = await dropped(server, reason);
      await taken(server, make(n++), { headers });
      return await dropped(server, reason) > before;
    });
  };
  await taken(server, [event('dnt-1', 1), event('dnt-1', 2)], { headers: { dnt: '1' } });
  await view(server, 'dnt-1'); // not honoured unless it is asked for
  update('--honour-dnt', 'yes', '--strip-query', 'yes');
  await until_dropped('dnt', n => [event('dnt-2-' + n, 1)], { dnt: '1' });
  await until_dropped('dnt', n => [event('gpc-' + n, 1)], { 'sec-gpc': '1' });
  await taken(server, [event('plain', 1, { wur: 'https://site.example/watch?token=secret' }), event('plain', 2)], { headers: { dnt: '0' } });
  has(await view(server, 'plain'), { page_url: 'https://site.example/watch' });
  update('--honour-dnt', 'no', '--events-per-second-max', '1');
  await until_dropped('over_quota', n => Array.from({ length: 30 }, (_, i) => event('many-' + n, i + 1)));
  update('--events-per-second-max', '0', '--views-per-minute-max', '1');
  await until_dropped('over_quota', n => [event('begun-' + n, 1)]);
  update('--views-per-minute-max', '0', '--disabled', 'yes');
  await until_dropped('disabled_env', n => [event('off-' + n, 1)]);
}));

test('a quota of views counts whole views, in whatever order their beacons come, and lets those under way go on over a restart', async () => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-quota-'));
  const server = new Server({ data });
  firstframe(['environment', 'update', server.environment_id, '--data', data, '--views-per-minute-max', '3']);
  try {
    await server.start();
    const NAMES = ['play', 'playing', 'hb', 'viewend'];
    const send = (id, ...numbers) => taken(server, numbers.map(n => ({ e: NAMES[n - 1], ake: server.env_key, xid: id, xsqno: n, uti: Date.now() })));
    const minute = async () => { // a whole minute from its begin, if too little of the present one is left
      if (Date.now() % 60_000 > 40_000) await sleep(60_000 - Date.now() % 60_000 + 100);
    };
    await minute();
    await send('open', 1, 2);
    for (let i = 0; i < 6; i++) await send('late-' + i, 2, 3); // 2 of these have room
    for (let i = 0; i < 6; i++) await send('late-' + i, 1);
    for (let i = 0; i < 6; i++) await send('late-' + i, 4);
    assert.equal(await dropped(server, 'over_quota'), 4 * 4);
    for (let i = 0; i < 2; i++) assert.equal((await view(server, 'late-' + i)).events.length, 4);
    await server.kill('SIGKILL');
    await server.start();
    await minute();
    for (let i = 0; i < 6; i++) await send('after-' + i, 3); // 3 of these
    await send('open', 3, 4);
    assert.equal((await view(server, 'open')).events.length, 4);
    assert.equal(await dropped(server, 'over_quota'), 3);
    await server.kill('SIGTERM'); // the open ones into a checkpoint
    await server.start();
    await minute();
    for (let i = 0; i < 6; i++) await send('later-' + i, 1);
    for (let i = 0; i < 3; i++) await send('after-' + i, 1, 2, 4);
    for (let i = 0; i < 3; i++) assert.equal((await view(server, 'after-' + i)).events.length, 4);
    for (let i = 2; i < 6; i++) assert.equal((await server.get('/data/v1/video-views/late-' + i)).status, 404);
  } finally {
    await server.stop();
    fs.rmSync(data, { recursive: true, force: true });
  }
});

function* files(dir) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (entry.isFile()) yield full;
  }
}

test('a full address is nowhere: not in the journal, the store, the log or an answer', async () => {
  const server = new Server({ serve: ['--log-level', 'debug'] });
  try {
    await server.start();
    const key = server.env_key, v4 = '203.0.113.77', v6 = '2001:db8:1:2:3:4:5:6789';
    const one = (id, number, name) => ({ e: name, ake: key, xid: id, xsqno: number, uti: Date.now() });
    await taken(server, [one('four', 1, 'play'), one('four', 2, 'viewend')], { headers: { 'x-forwarded-for': v4 } });
    await taken(server, [one('six', 1, 'play'), one('six', 2, 'viewend')], { headers: { forwarded: `for="[${v6}]:4711"` } });
    await taken(server, [one('open', 1, 'play')], { headers: { 'x-forwarded-for': v4 } });
    await taken(server, 'nonsense', { headers: { 'x-forwarded-for': v4 } });
    await taken(server, [one('place', 1, 'play'), one('place', 2, 'viewend')], { headers: { 'x-forwarded-for': '192.0.2.99, 8.8.8.8' } }); // the last hop counts
    await view(server, 'four'), await view(server, 'six');
    has(await view(server, 'place'), { country_code: 'US', asn: 15169 });
    const answers = await (await server.get('/data/v1/beacons/recent?unclaimed=true')).text() + await (await server.get('/data/v1/beacons/recent')).text();
    await server.kill('SIGTERM'); // writes the open views into a checkpoint
    const needles = [v4, '203.0.113.77'.split('.').reverse().join('.'), v6, '2001:0db8:0001:0002', '2001:db8:1:2', Buffer.from([203, 0, 113, 77]), Buffer.from([77, 113, 0, 203]),
      Buffer.from('20010db8000100020003000400056789', 'hex')];
    let looked = 0, journal = 0;
    for (const name of files(server.data)) {
      const bytes = fs.readFileSync(name);
      looked++;
      if (name.includes('/journal/') && bytes.includes('203.0.113.0')) journal++;
      for (const needle of needles) assert.ok(!bytes.includes(needle), `${needle} is in ${name}`);
    }
    assert.ok(looked > 5 && journal > 0, `looked into ${looked} files, ${journal} of them journals with the truncated address`);
    for (const needle of needles.filter(each => typeof each === 'string')) assert.ok(!(server.log + answers).includes(needle), `${needle} is in the log or in an answer`);
  } finally {
    await server.stop();
  }
});

test('trusted proxies and PROXY headers say who the client is, and nobody else does', async () => {
  // Three a second of one address: what is over it is dropped, so that the counter tells which address was seen. The proxy
  // is 127.0.0.2; whoever comes from 127.0.0.1 is a client.
  await withServer({ serve: ['--trusted-proxies', '127.0.0.2', '--proxy-protocol', '--address-requests-per-second-max', '3'] }, async server => {
    const raw = (from, head, address = '') => new Promise((resolve, reject) => {
      const body = JSON.stringify([{ e: 'play', ake: server.env_key, xid: 'proxied', xsqno: 1 }]);
      let text = '';
      const socket = net.connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', localAddress: from }, () => {
        socket.write(head);
        socket.write(`POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${address}Content-Length: ${body.length}\r\n\r\n${body}`);
      });
      socket.on('data', chunk => { text += chunk; }).on('end', () => resolve(text)).on('error', reject);
    });
    const v2 = last => Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12, 198, 51, 100, last, 127, 0, 0, 1, 0x0f, 0xa0, 0, 80]);
    const over = async make => {
      const before = await dropped(server, 'address_rate');
      for (const text of await Promise.all(Array.from({ length: 150 }, (_, n) => raw(...make(n))))) assert.match(text, /^HTTP\/1.1 200/);
      return await dropped(server, 'address_rate') - before;
    };
    assert.ok(await over(() => ['127.0.0.2', v2(9), 'X-Forwarded-For: 192.0.2.1\r\n']) > 0, 'one client behind the proxy; its own header is not believed');
    assert.equal(await over(n => ['127.0.0.2', v2(100 + n % 150)]), 0, 'as many clients as requests');
    assert.equal(await over(n => ['127.0.0.2', `PROXY TCP4 203.0.113.${n} 127.0.0.1 4000 80\r\n`]), 0, 'and with the first version');
    assert.ok(await over(n => ['127.0.0.1', '', `X-Forwarded-For: 192.0.2.${n}\r\n`]) > 0, 'a client that is no proxy');
    assert.equal(await raw('127.0.0.2', '').catch(() => ''), '', 'a proxy without a PROXY header');
  });
});
