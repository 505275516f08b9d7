// SPDX-License-Identifier: Apache-2.0
// Simulated views with every fault there is: every field of every view equals the truth file, where the beacons that
// arrived determine it; none is missing and none is there twice. FIRSTFRAME_FIELD_VIEWS says how many (1,000),
// FIRSTFRAME_FIELD_RUN which of the two runs alone (now or backfilled). The stored row of every view is read from the
// store itself; of the first DETAILS the API's view detail as well, which needs its time.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';
import { test } from 'node:test';
import { PROGRAM, ROOT, until, withServer } from '../lib/server.mjs';
import { LISTS, listOf, select, stored } from '../lib/store.mjs';

const VIEWS = Number(process.env.FIRSTFRAME_FIELD_VIEWS ?? 1000), RUN = process.env.FIRSTFRAME_FIELD_RUN, DETAILS = 1000, READERS = 8;
// What the truth says beyond the API's view detail, or beyond a row; the first two are the row's columns view_start and view_end.
const NOT_SHOWN = new Set(['view_start_ms', 'view_end_ms', 'skewed', 'simulated_country', 'beacons_sent', 'faults', 'events',
  'aggregate_startup_time', 'playback_business_exception', 'video_startup_business_exception', 'ad_playback_failure',
  'content_playback_failure', 'view_content_playing_time', 'ad_playing_time', 'player_playback_mode', 'player_playback_mode_data', 'error_last_seen',
  'ranges', 'renditions', 'modes', 'ad_types', 'errors', 'timeline', ...Array.from({ length: 10 }, (_, i) => `custom_${11 + i}`)]);
const NOT_STORED = new Set(['view_start', 'view_end', 'skewed', 'simulated_country', 'beacons_sent', 'faults', 'events']);
// Columns that no key of the truth is about, since the simulator does not decide them, or does not send what they are made of.
const UNTOLD = new Set(['score_model', 'live_stream_id', 'player_source_domain', 'browser_version', 'viewer_application_engine', 'operating_system_version',
  'viewer_os_architecture', 'viewer_device_manufacturer', 'viewer_device_model', 'viewer_device_name', 'viewer_address', 'asn', 'asn_name', 'continent_code',
  'country', 'country_name', 'region', 'city', 'latitude', 'longitude', 'event_details']);
const agent = new http.Agent({ keepAlive: true, maxSockets: READERS });

// The column of a key of the detail, by the table that the detail is made from; of a key that is no column, the arithmetic.
const FACTS = [...fs.readFileSync(path.join(ROOT, 'src/views/columns.def'), 'utf8').matchAll(/^COL\((\w+), \w+, "(\w*)"/gm)];
const COLUMNS = FACTS.map(([, name]) => name), COLUMN = Object.fromEntries(FACTS.map(([, name, key]) => [key || name, name]));
Object.assign(COLUMN, { view_start_ms: 'view_start', view_end_ms: 'view_end', player_load_time: 'player_startup_time' });
const ERROR_ID = /error_type_id$/;
const ratio = (a, b) => row => row[a] !== null && row[b] > 0 ? row[a] / row[b] : null;
const COMPUTED = { buffering_rate: ratio('rebuffer_count', 'watch_time'), rebuffer_percentage: ratio('rebuffer_duration', 'watch_time'),
  ad_error_percentage: ratio('ad_error_count', 'ad_attempt_count'), ad_break_error_percentage: ratio('ad_break_error_count', 'ad_break_count'),
  ad_startup_error_percentage: ratio('ad_startup_error_count', 'ad_attempt_count'),
  ad_exit_before_start_percentage: ratio('ad_exit_before_start_count', 'ad_attempt_count') };

function get(server, route) {
  return new Promise((resolve, reject) => {
    http.get(server.url + route, { agent, headers: { authorization: server.basic } }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(parts).toString() }));
    }).on('error', reject);
  });
}

// Where the truth of each view is in the file, which may be larger than any string, by the view's id.
async function truthPlaces(name) {
  const places = new Map(), id = /^\{"view_id":"([^"]+)"/;
  let start = 0;
  for await (const line of readline.createInterface({ input: fs.createReadStream(name), crlfDelay: Infinity })) {
    const length = Buffer.byteLength(line), view = id.exec(line)[1];
    assert.ok(!places.has(view), `the truth has ${view} twice`);
    places.set(view, { start, length });
    start += length + 1;
  }
  return places;
}

function truthAt(file, { start, length }) {
  const bytes = Buffer.alloc(length);
  fs.readSync(file, bytes, 0, length, start);
  return JSON.parse(bytes.toString());
}

// A number may be written as text; absolute times of a skewed clock are right within 2 s.
function same(key, want, got, skewed) {
  if (want === null || got === null) return (want ?? '') === (got ?? '');
  if (skewed && /^view_(start|end)(_ms)?$|^error_last_seen$/.test(key)) return Math.abs(new Date(want) - new Date(got)) <= 2000;
  if (typeof want === 'number') return Math.abs(Number(got) - want) <= 1e-9 * Math.max(1, Math.abs(want));
  if (typeof want === 'boolean') return want === Boolean(got);
  return JSON.stringify(want) === JSON.stringify(got);
}

class Comparison {
  constructor(began) { this.began = began; }
  differences = new Map();
  fields = 0;
  seen = new Map(); // column or list -> views in which it was compared, and in which it had something to say
  columns = new Set(); // of the row that were compared
  errors = new Map(); // code and message of an error -> its id
  add(key, want, got, view, where) {
    this.fields++;
    if (where === 'row') {
      const seen = this.seen.get(key) ?? { views: 0, told: 0 };
      seen.views++;
      seen.told += Number(want !== null && want !== false && !(Array.isArray(want) && want.length === 0));
      this.seen.set(key, seen);
    }
    if (same(key, want, got, view.skewed)) return;
    if (!this.differences.has(key)) this.differences.set(key, []);
    this.differences.get(key).push({ where, view: view.view_id, want, got });
  }
  // An id is the server's choice, but one error has one id, and each another.
  errorId(key, want, got, view, where) {
    if (want === null || got === null) return this.add(key, want, got, view, where);
    const name = JSON.stringify(want.map(text => text ?? '')), known = this.errors.get(name);
    if (known === undefined && ![...this.errors.values()].includes(got)) this.errors.set(name, got);
    return this.add(key, this.errors.get(name) ?? `an id of ${name} alone`, got, view, where);
  }
  list(key, view, row) {
    for (const name of LISTS[key]) this.columns.add(name);
    const want = stored(key, view[key]);
    let got = listOf(row, key);
    if (key === 'errors') {
      got.forEach((error, i) => this.errorId('error_ids', error.slice(0, 2), row.error_ids[i], view, 'row'));
      if (row.error_ids.length !== got.length) this.add('error_ids', got.length, row.error_ids.length, view, 'row');
      if (view.skewed) got = got.map((error, i) => want[i] && Math.abs(want[i][3] - error[3]) <= 2000 ? error.with(3, want[i][3]) : error);
    }
    this.add(key, want, got, view, 'row');
  }
  row(view, row) {
    for (const [key, want] of Object.entries(view)) {
      if (NOT_STORED.has(key)) continue;
      if (LISTS[key]) { this.list(key, view, row); continue; }
      const column = COMPUTED[key] ? null : COLUMN[key];
      this.columns.add(column);
      if (ERROR_ID.test(key)) { this.errorId(key, want, row[column], view, 'row'); continue; }
      assert.ok(column === null || column in row, `no column of ${key}`);
      this.add(key, want, column === null ? COMPUTED[key](row) : row[column], view, 'row');
    }
    this.columns.add('page_hostname');
    this.add('page_hostname', view.page_url ? new URL(view.page_url).host : null, row.page_hostname, view, 'row');
    this.add('events', view.events, view.timeline.length, view, 'row');
    this.add('events', view.events, row.event_details.length, view, 'event_details');
    this.add('events', view.events, row.event_times.filter(time => time >= this.began && time <= Date.now()).length, view, 'event_times');
  }
  detail(view, detail) {
    for (const [key, want] of Object.entries(view)) {
      if (NOT_SHOWN.has(key)) continue;
      assert.ok(key in detail, `the detail has no ${key}`);
      if (ERROR_ID.test(key)) { this.errorId(key, want, detail[key], view, 'detail'); continue; }
      this.add(key, want, detail[key], view, 'detail');
    }
    const shown = detail.events.map(event => [event.name, event.viewer_time, event.playback_time]);
    this.add('timeline', view.timeline.map(([name, , time, playhead]) => [name, time, playhead]), shown, view, 'detail');
    this.add('playback_business_exception', view.playback_business_exception, detail.playback_business_exception_error_type_id !== null, view, 'detail');
    this.add('video_startup_business_exception', view.video_startup_business_exception, detail.video_startup_business_exception_error_type_id !== null, view, 'detail');
    this.add('ad_playback_failure', view.ad_playback_failure, detail.ad_playback_failure_error_type_id !== null, view, 'detail');
  }
}

for (const [run, name, init, simulate] of [
  ['now', 'now, with skewed clocks', [], ['--faults', 'duplicate=0.1,reorder=0.1,lose=0.05,skew=0.05']],
  ['backfilled', 'backfilled', ['--allow-backfill'], ['--days-back', '2', '--faults', 'duplicate=0.1,reorder=0.1,lose=0.05']],
]) {
  if (RUN && RUN !== run) continue;
  // A busy machine may leave a view's next beacon lying for seconds: the more views, the longer the silence that ends one.
  const silence = VIEWS > 5000 ? ['--view-visible-after', '30', '--view-final-after', '90'] : ['--view-visible-after', '3', '--view-final-after', '8'];
  test(`${VIEWS} views, ${name}`, { timeout: 7_200_000 }, () => withServer({ init, serve: silence }, async server => {
    const file = path.join(server.data, 'truth.jsonl'), began = Date.now();
    execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(VIEWS), '--seed', '3', '--truth', file,
      '--connections', VIEWS > 5000 ? '64' : '8', ...simulate], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 6_600_000 });
    const truth = fs.openSync(file), places = await truthPlaces(file), count = places.size;
    const now = Math.floor(Date.now() / 1000), window = `timeframe[]=${now - 5 * 86400}&timeframe[]=${now + 86400}`;
    // view_dropped has a value only for final views.
    const final = async () => (await server.json(`/data/v1/metrics/view_dropped_percentage/overall?${window}`)).data.total_views;
    await until('every view to be final', async () => await final() >= count, { seconds: 600, every: 1000 });
    assert.equal(await final(), count);

    const comparison = new Comparison(began), shown = [];
    for await (const row of select(server, 'SELECT * FROM firstframe.views WHERE final = 1')) {
      assert.ok(places.has(row.view_id), `${row.view_id} is there twice, or is no view`);
      const view = truthAt(truth, places.get(row.view_id));
      places.delete(row.view_id);
      comparison.row(view, row);
      if (shown.length < DETAILS) shown.push(view);
    }
    assert.deepEqual([...places.keys()], [], 'views that are missing');
    const queue = shown.values();
    await Promise.all(Array.from({ length: READERS }, async () => {
      for (const view of queue) {
        const { status, body } = await get(server, '/data/v1/video-views/' + view.view_id);
        assert.equal(status, 200, view.view_id);
        comparison.detail(view, JSON.parse(body).data);
      }
    }));
    fs.closeSync(truth);
    const silent = [...comparison.seen].filter(([, { told }]) => told === 0).map(([key]) => key);
    console.log(`# ${count} views, ${comparison.fields} fields compared; never anything to say: ${silent.join(' ') || 'none'}`);
    assert.deepEqual([...comparison.differences].map(([key, list]) => ({ key, count: list.length, first: list[0] })), []);
    const told = new Set([...comparison.columns, ...UNTOLD, 'error_ids', 'event_times']);
    assert.deepEqual(COLUMNS.filter(name => !told.has(name)), [], 'columns that no truth is about');
  }));
}
