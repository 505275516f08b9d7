// SPDX-License-Identifier: Apache-2.0
// The daily exports: which columns, what stands in them, who may fetch them, and that the job that makes them survives a
// kill, follows what changes and forgets what is deleted.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { Server, until } from '../lib/server.mjs';
import { Made, NOON } from './made.mjs';
import { Simulated } from './simulated.mjs';

const DAY = 86_400_000, dayOf = ms => new Date(ms).toISOString().slice(0, 10);
const TITLE = 'One, "two"\nthree; ünïcode 👩‍👩‍👧 =SUM(1)';
let server, made;

before(async () => {
  server = await new Server({ init: ['--allow-backfill'] }).start();
  made = new Made(server);
  made.view({ id: 'first', start: NOON + 123, watch: 5000, ttff: 400, video_title: TITLE, player_autoplay_on: true, end: { view_rebuffer_count: 1, view_rebuffer_duration: 50 },
    events: [['playing', 400, { view_time_to_first_frame: 400 }], ['cdnchange', 410, { video_cdn: 'a' }], ['cdnchange', 420, { video_cdn: 'b,c' }]] });
  made.view({ id: 'second', start: NOON, ttff: null, watch: 3000 });
  made.view({ id: 'next day', start: NOON + DAY });
  await made.send();
});
after(() => server?.stop());

const list = async () => (await server.json('/data/v1/exports/views')).data;
const csvOf = day => day.files.find(file => file.type === 'csv');
const when = (date, what, of) => until(what, async () => { const day = (await list()).find(one => one.export_date === date); return day && await of(day) && day; }, { seconds: 120, every: 500 });

async function rowsOf(file) {
  const response = await fetch(file.path); // its address is all the credential
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/gzip');
  assert.equal(response.headers.get('content-disposition'), `attachment; filename="${new URL(file.path).pathname.split('/').at(-1)}"`);
  const [header, ...rows] = parse(zlib.gunzipSync(Buffer.from(await response.arrayBuffer())).toString());
  return { header, rows: rows.map(row => Object.fromEntries(header.map((name, i) => [name, row[i]]))) };
}

// RFC 4180.
function parse(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    if (end === '' && quoted === undefined && plain === '') break;
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '\n') rows.push([]);
  }
  return rows.filter(row => row.length);
}

test('one file a day of view end, with the published columns in alphabetical order', async () => {
  const day = await when(dayOf(NOON), 'the export', one => csvOf(one)?.rows === 2);
  assert.equal(csvOf(day).version, 14);
  const { header, rows } = await rowsOf(csvOf(day));
  assert.deepEqual(header, COLUMNS);
  assert.deepEqual(rows.map(row => row.view_id).sort(), ['first', 'second']);
  const first = rows.find(row => row.view_id === 'first'), second = rows.find(row => row.view_id === 'second');
  assert.equal(first.video_title, TITLE);
  assert.equal(first.view_start, new Date(NOON + 123).toISOString().replace('T', ' ').replace('Z', ''));
  assert.equal(first.view_end, new Date(NOON + 5123).toISOString().replace('T', ' ').replace('Z', ''));
  assert.deepEqual([first.video_cdn_trace, second.video_cdn_trace], ['[a,b,c]', '[]']);
  assert.deepEqual([first.video_startup_time, second.video_startup_time], ['400', '']); // null is empty
  assert.deepEqual([first.player_autoplay, second.player_autoplay, first.player_remote_played], ['true', 'false', '']);
  assert.deepEqual([first.rebuffer_count, first.rebuffer_duration, first.rebuffer_percentage, first.rebuffer_frequency], ['1', '50', '0.01', '0.0002']); // events a ms
  assert.deepEqual([first.watch_time, first.ad_watch_time, first.view_content_watch_time, first.view_dropped], ['5000', '', '5000', 'false']);
  assert.deepEqual([second.exit_before_video_start, second.playback_success_score, second.smoothness_score], ['true', '0.5', '']);
  assert.equal(first.environment_id, server.environment_id);
  const dates = (await list()).map(one => one.export_date);
  assert.deepEqual(dates, [...dates].sort().reverse());
  assert.ok(dates.includes(dayOf(NOON + DAY)));
});

test('the old list has the same addresses', async () => {
  const days = await list(), urls = (await server.json('/data/v1/exports')).data;
  assert.deepEqual(urls.map(url => url.split('?')[0]), days.map(day => csvOf(day).path.split('?')[0]));
  assert.equal((await fetch(urls[0])).status, 200);
});

test('Parquet holds the same views', async t => {
  const day = await when(dayOf(NOON), 'the export', one => one.files.length === 2), file = day.files.find(one => one.type === 'parquet');
  const bytes = Buffer.from(await (await fetch(file.path)).arrayBuffer());
  assert.deepEqual([bytes.subarray(0, 4).toString(), bytes.subarray(-4).toString(), bytes.length], ['PAR1', 'PAR1', file.bytes]);
  const where = path.join(server.data, 'exports', server.environment_id, `${dayOf(NOON)}.parquet`);
  const asked = await Simulated.prototype.askStore.call(server, `SELECT view_id, video_title, video_cdn_trace, toUnixTimestamp64Milli(view_start) AS s FROM file('${where}', 'Parquet') ORDER BY view_id FORMAT JSONCompactEachRow SETTINGS output_format_json_quote_64bit_integers = 0`)
    .catch(error => { t.diagnostic(`the engine reads no files: ${error.message.slice(0, 120)}`); });
  if (asked === undefined) return;
  assert.deepEqual(asked.trim().split('\n').map(line => JSON.parse(line)), [['first', TITLE, ['a', 'b,c'], NOON + 123], ['second', null, [], NOON]]);
});

test('an address that was changed, or has gone out of date, is refused', async () => {
  const { path: address } = csvOf((await list())[0]), url = new URL(address);
  for (const change of [u => u.searchParams.set('expires', Number(u.searchParams.get('expires')) + 1), u => u.searchParams.set('signature', '0'.repeat(64)), u => u.searchParams.delete('signature'),
    u => u.searchParams.set('expires', '1'), u => { u.pathname = u.pathname.replace(/\d\d\.v14/, '01.v14'); }, u => { u.pathname = u.pathname.replace(server.environment_id, 'another'); }]) {
    const other = new URL(url);
    change(other);
    const response = await fetch(other);
    assert.equal(response.status, 403, other.href);
    assert.equal((await response.json()).error.type, 'forbidden');
  }
  assert.ok(Math.abs(Number(url.searchParams.get('expires')) - Date.now() / 1000 - 7 * 86400) < 600);
});

test('a file is not sent again to whoever has it, and is to whoever has another', async () => {
  const { path: address } = csvOf((await list())[0]), first = await fetch(address), tag = first.headers.get('etag');
  const bytes = Buffer.from(await first.arrayBuffer()), file = path.join(server.data, 'exports', server.environment_id, new URL(address).pathname.split('/').at(-1));
  for (let i = 0; i < 20; i++) { // what the server opened for these it has to close
    assert.equal((await fetch(address, { headers: { 'if-none-match': tag } })).status, 304);
    const head = await fetch(address, { method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('etag'), Number(head.headers.get('content-length'))], [200, tag, bytes.length]);
  }
  const open = fs.readdirSync(`/proc/${server.child.pid}/fd`).map(fd => { try { return fs.readlinkSync(`/proc/${server.child.pid}/fd/${fd}`); } catch { return ''; } });
  assert.deepEqual(open.filter(name => name.includes('/exports/')), []);
  // As the job replaces it.
  fs.writeFileSync(file + '.part', bytes);
  fs.renameSync(file + '.part', file);
  const second = await fetch(address, { headers: { 'if-none-match': tag } });
  assert.equal(second.status, 200);
  assert.notEqual(second.headers.get('etag'), tag);
  assert.deepEqual(Buffer.from(await second.arrayBuffer()), bytes);
});

test('killed at work: the next start goes on, and half a file is never given out', async () => {
  const folder = path.join(server.data, 'exports', server.environment_id);
  for (let i = 0; i < 300; i++) made.view({ id: `more-${i}`, start: NOON + i });
  await made.send();
  await server.kill('SIGKILL');
  const before = fs.readdirSync(folder), whole = before.find(name => name.endsWith('.csv.gz'));
  const temporary = path.join(folder, whole + '.part');
  fs.writeFileSync(temporary, 'half');
  await server.start();
  const day = await when(dayOf(NOON), 'the day to be exported again', one => csvOf(one)?.rows === 302);
  assert.equal((await rowsOf(csvOf(day))).rows.length, 302);
  await until('what was half-written to be gone', () => !fs.existsSync(temporary));
});

test('a re-categorised error is in the file, deleted days are not', async () => {
  made.view({ id: 'failed', start: NOON, events: [['error', 500, { player_error_code: 'E9' }]] });
  await made.send();
  const row = async one => (await rowsOf(csvOf(one))).rows.find(view => view.view_id === 'failed');
  await when(dayOf(NOON), 'the failure to be exported', async one => (await row(one))?.playback_success_score === '0');
  const { id } = (await server.json(`/data/v1/errors?timeframe[]=30:days`)).data.find(one => one.player_error_code === 'E9');
  const send = (method, route, body) => fetch(server.url + route, { method, headers: { authorization: server.basic, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal((await send('PATCH', `/data/v1/errors/${id}`, { severity: 'warning' })).status, 200);
  await when(dayOf(NOON), 'the change to be exported', async one => (await row(one)).playback_success_score !== '0');
  assert.equal((await send('PATCH', `/system/v1/environments/${server.environment_id}`, { retention_days: 5 })).status, 200);
  await until('the files of deleted days to go', async () => !(await list()).some(one => one.export_date <= dayOf(NOON + DAY)), { seconds: 120, every: 500 });
});

test('answers that were kept go when their views do', async () => {
  const views = async () => (await server.json(`/data/v1/metrics/views/overall?timeframe[]=${NOON / 1000 - 86400}&timeframe[]=${NOON / 1000 + 2 * 86400}`)).data.value;
  await until('the deleted views to be gone from the answers', async () => await views() === 0, { seconds: 120 });
});

const COLUMNS = `ad_attempt_count ad_break_count ad_break_error_count ad_break_error_percentage ad_error_count ad_error_percentage ad_exit_before_start_count ad_exit_before_start_percentage ad_impression_count
ad_playback_failure_error_type_id ad_preroll_startup_time ad_startup_error_count ad_startup_error_percentage ad_watch_time asn asset_id audio_codec browser browser_version cdn city client_application_name
client_application_version continent_code country country_name custom_1 custom_10 custom_2 custom_3 custom_4 custom_5 custom_6 custom_7 custom_8 custom_9 environment_id error_type exit_before_video_start
experiment_name isp latitude live_stream_id live_stream_latency longitude max_downscale_percentage max_request_latency max_upscale_percentage metro mux_api_version mux_embed_version mux_viewer_id
operating_system operating_system_version page_load_time page_type page_url platform_description playback_business_exception_error_type_id playback_failure_error_type_id playback_id playback_success_score
player_autoplay player_captions_enabled player_error_code player_error_context player_error_message player_height player_instance_id player_language player_load_time player_mux_plugin_name
player_mux_plugin_version player_name player_pip_enabled player_poster player_preload player_remote_played player_software player_software_version player_source_domain player_source_duration
player_source_height player_source_stream_type player_source_url player_source_width player_startup_time player_version player_view_count player_width preroll_ad_asset_hostname preroll_ad_tag_hostname
preroll_played preroll_requested property_id rebuffer_count rebuffer_duration rebuffer_frequency rebuffer_percentage region request_latency request_throughput requests_for_first_preroll session_id
smoothness_score source_hostname source_type startup_time_score stream_type sub_property_id used_fullscreen video_affiliate video_brand video_cdn_trace video_codec video_content_type video_creator_id
video_duration video_dynamic_range_type video_encoding_variant video_id video_language video_producer video_quality_score video_series video_startup_business_exception_error_type_id video_startup_failure
video_startup_preroll_load_time video_startup_preroll_request_time video_startup_time video_title video_variant_id video_variant_name view_cdn_edge_pop view_cdn_origin view_content_startup_time
view_content_watch_time view_downscaling_percentage view_drm_level view_drm_type view_dropped view_dropped_frame_count view_end view_has_ad view_id view_max_playhead_position view_playing_time
view_seek_count view_seek_duration view_session_id view_start view_time_shift_enabled view_total_content_playback_time view_total_downscaling view_total_upscaling view_upscaling_percentage
viewer_application_engine viewer_connection_type viewer_device_category viewer_device_manufacturer viewer_device_model viewer_device_name viewer_experience_score viewer_os_architecture viewer_plan
viewer_plan_category viewer_plan_status viewer_user_agent viewer_user_id watch_time watched weighted_average_bitrate`.split(/\s+/);
