// SPDX-License-Identifier: Apache-2.0
// Numbers worked out by hand: beacons of a few views in, the exact answers out. First the examples that the definitions of
// the metrics are published with, then the rules of windows, orders, pages and renderings, one by one.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { EMAIL, PASSWORD, Server } from '../lib/server.mjs';
import { close } from './calculate.mjs';
import { Made, NOON, iso } from './made.mjs';

const DAY = 86400, FROM = NOON / 1000 - 43200 - 10 * DAY, TO = FROM + 20 * DAY, ALL = `timeframe[]=${FROM}&timeframe[]=${TO}`;
let server, made;

const get = (route, params = '') => server.json(`/data/v1/${route}?${ALL}${params}`);
const of = series => `&filters[]=video_series:${series}`;
const overall = async (id, series, measurement) => (await get(`metrics/${id}/overall`, of(series) + (measurement ? `&measurement=${measurement}` : ''))).data;
const detail = async id => (await server.json('/data/v1/video-views/' + id)).data;
const error = (at, code, more = {}) => ['error', at, { player_error_code: code, ...more }];
const BUSINESS = { player_error_business_exception: true }, WARNING = { player_error_severity: 'warning' };

// Every measurement of a metric at once; undefined is not looked at.
async function measured(id, series, wanted) {
  for (const [measurement, value] of Object.entries(wanted)) {
    const data = await overall(id, series, measurement);
    close(data.value, value, `${id} ${measurement}`, 1e-12);
  }
}

const SCORES = [ // [what, fields, startup, smoothness, quality]
  ...[[400, 0.952381], [2000, 0.8], [8000, 0.5], [20_000, 0.285714], [500, 0.941176], [1000, 0.888889], [3000, 0.727273], [5000, 0.615385], [10_000, 0.444444], [30_000, 0.210526]]
    .map(([ttff, score]) => ({ what: `first frame after ${ttff} ms`, view: { ttff, watch: 60_000 }, startup_score: score })),
  ...[[0, 1], [1, 0.894427], [2, 0.707107], [3, 0.5547], [4, 0.447214], [5, 0.371391], [6, 0.316228], [10, 0.196116]]
    .map(([n, c]) => ({ what: `${n} stalls of no length`, view: { watch: 60_000, end: { view_rebuffer_count: n, view_rebuffer_duration: 0 } }, rebuffering_score: (c + 1) / 2 })),
  ...[[0.001, 0.99005], [0.005, 0.951229], [0.01, 0.904837], [0.02, 0.818731], [0.03, 0.740818], [0.05, 0.606531], [0.1, 0.367879], [0.2, 0.135335]]
    .map(([p, share]) => ({ what: `stalled for ${p} of the time`, view: { watch: 100_000, end: { view_rebuffer_count: 0, view_rebuffer_duration: 100_000 * p } }, rebuffering_score: (1 + share) / 2 })),
  { what: 'five minutes with one stall of 5 s', view: { watch: 300_000, end: { view_rebuffer_count: 1, view_rebuffer_duration: 5000 } }, rebuffering_score: 0.870454 },
  { what: 'twenty minutes with four of 15 s', view: { watch: 1_200_000, end: { view_rebuffer_count: 4, view_rebuffer_duration: 60_000 } }, rebuffering_score: 0.526872 },
  ...[['not upscaled', 0, 0, 60_000, 1], ['half as large again throughout', 0.5, 30_000, 60_000, 0.847894], ['twice as large', 1, 60_000, 60_000, 0.718924],
    ['three times as large', 2, 120_000, 60_000, 0.516851], ['three times for 30 s, then not for 20 minutes', 2, 60_000, 1_230_000, 0.893434]]
    .map(([what, most, total, played, score]) => ({ what, view: { watch: played, end: { view_max_upscale_percentage: most, view_total_upscaling: total, view_total_content_playback_time: played } }, quality_score: score })),
];

function makeExamples() {
  for (const bitrate of [500_000, 1_000_000, 2_000_000, 3_000_000])
    made.view({ video_series: 'bitrates', video_source_bitrate: bitrate, end: { view_playing_time_ms_cumulative: 10_000 } });
  for (const [viewer_user_id, mux_viewer_id] of [['a', 'm1'], ['a', 'm9'], [undefined, 'm1'], []]) made.view({ video_series: 'viewers', viewer_user_id, mux_viewer_id });
  made.view({ video_series: 'stalls', watch: 60_000, end: { view_rebuffer_count: 1, view_rebuffer_duration: 3000 } });
  made.view({ video_series: 'stalls', watch: 540_000 });
  made.view({ video_series: 'stalls', watch: 900, ttff: null });
  for (const [view_seek_count, view_seek_duration] of [[2, 500], [1, 4000], []]) made.view({ video_series: 'seeks', end: { view_seek_count, view_seek_duration } });
  for (const [view_total_content_playback_time, view_total_upscaling] of [[20_000, 5000], [60_000, 0]]) made.view({ video_series: 'scale', end: { view_total_content_playback_time, view_total_upscaling } });
  for (const [custom_1, ttff] of [['US', 100], ['US', 200], ['US', 300], ['DE', 900], ['FR', 150], ['FR', 150]]) made.view({ video_series: 'impact', custom_1, ttff });
  for (let i = 0; i < 21; i++) made.view({ video_series: 'bit impact', custom_1: i < 10 ? 'low' : 'high', video_source_bitrate: i < 10 ? 1_500_000 : 2_000_000, end: { view_playing_time_ms_cumulative: 9000 } });
  const played = [['playing', 0, { view_time_to_first_frame: 0 }]];
  for (let i = 0; i < 10; i++)
    made.view({ video_series: 'errors', events: i < 2 ? [...played, error(500 + i, '7', { player_error_message: 'boom' })] : i < 3 ? [...played, error(600, 'PAY', { ...BUSINESS, player_error_message: 'paywall' })]
      : i < 4 ? [...played, error(700, '9', WARNING)] : undefined });
  made.view({ video_series: 'outcomes', watch: 30_000 });
  made.view({ video_series: 'outcomes', watch: 800, ttff: null });
  made.view({ video_series: 'outcomes', watch: 3000, ttff: null });
  made.view({ video_series: 'outcomes', watch: 2500, events: [error(2000, '4')] });
  const midnight = NOON + 43_200_000;
  made.view({ video_series: 'midnight', start: midnight - 600_000, watch: 1_200_000, end: { view_playing_time_ms_cumulative: 1_080_000 } });
  // The published example of a comparison: five views, one of them failed after its start, one with a stall of 286 ms.
  [[3, 100_000], [7, 100_000], [8, 100_000], [9, 207_769], [9, 6165]].forEach(([ttff, watch], i) => made.view({ video_series: 'published', ttff, watch,
    events: [['playing', ttff, { view_time_to_first_frame: ttff }], ...(i === 0 ? [error(5000, '4')] : [])],
    end: { view_max_upscale_percentage: 0, view_total_upscaling: 0, view_total_content_playback_time: watch, ...(i === 4 ? { view_rebuffer_count: 1, view_rebuffer_duration: 286 } : {}) } }));
  for (const [watch, view_rebuffer_count] of [[20_000, 2], [12_000, 5]]) made.view({ video_series: 'older', watch, end: { view_rebuffer_count, view_rebuffer_duration: 10 } });
  SCORES.forEach((one, i) => { one.id = made.view({ id: `score-${i}`, video_series: 'scores', ...one.view }); });
  for (const [name, ...ranges] of [['half', '0:5000'], ['whole', '0:10000']])
    made.view({ id: `heat-${name}`, video_series: 'heat', video_id: 'heat', asset_id: 'heat-asset', playback_id: 'heat-pb', video_source_duration: 10_000, end: { video_playback_range: ranges } });
  makeSubviews();
}

const rendition = (bitrate, name, more = {}) => ({ video_source_bitrate: bitrate, video_source_width: 3840, video_source_height: 2160, video_source_fps: 60, video_source_codec: 'HEVC', video_source_rendition_name: name, ...more });
const P = view_playing_time_ms_cumulative => ({ view_playing_time_ms_cumulative });
function makeSubviews() {
  made.view({ video_series: 'subviews', video_title: 'one', player_playback_mode: 'standard', watch: 20_000, events: [
    ['renditionchange', 10, rendition(18_500_000, '4k')], ['playing', 20, { view_time_to_first_frame: 20 }],
    ['renditionchange', 4000, { ...rendition(400_000, 'low', { video_source_width: 640, video_source_height: 360 }), ...P(3000) }],
    ['playbackmodechange', 9000, { player_playback_mode: 'fullscreen', ...P(8000) }], ['hb', 12_000, P(11_000)]], end: P(18_000) });
  made.view({ video_series: 'subviews', video_title: 'two', player_playback_mode: 'standard', watch: 6000,
    events: [['renditionchange', 10, rendition(18_500_000, '4k')], ['playing', 20, { view_time_to_first_frame: 20 }]], end: P(5000) });
  made.view({ video_series: 'subviews', video_title: 'without P', watch: 6000 });
}

function makeKinds() {
  made.view({ id: 'kinds', video_series: 'kinds', video_source_fps: 29.97, video_source_bitrate: 1_500_000, video_source_height: 720, player_autoplay_on: true, viewer_connection_type: 'unknown',
    events: [['playing', 5, { view_time_to_first_frame: 5 }], ['cdnchange', 10, { video_cdn: 'cdn-a' }], ['cdnchange', 20, { video_cdn: 'cdn-b' }]] });
  made.view({ id: 'none', video_series: 'kinds', video_source_fps: 30 });
  made.view({ id: 'paywall', video_series: 'kinds', events: [['playing', 5, { view_time_to_first_frame: 5 }], error(10, '402', { ...BUSINESS, player_error_message: 'pay' })] });
}

before(async () => {
  server = await new Server({ init: ['--allow-backfill'] }).start();
  made = new Made(server);
  makeExamples();
  makeKinds();
  await made.send();
  made.view({ id: 'crawler', video_series: 'crawler' });
  await made.send({ 'user-agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' });
});
after(() => server?.stop());

describe('worked examples', () => {
  test('the 95th of what is better when higher is the 5th', () => measured('weighted_average_bitrate', 'bitrates', { '95th': 575_000, median: 1_500_000, avg: 1_625_000, sum: 6_500_000, count: 4 }));

  test('unique viewers: the customer\'s id, else the SDK\'s, else nobody', async () => {
    const data = await overall('unique_viewers', 'viewers');
    assert.deepEqual([data.value, data.total_views], [2, 3]);
    assert.equal((await overall('views', 'viewers')).value, 4);
  });

  test('rebuffering: ratios of sums, percentiles of ratios', async () => {
    await measured('rebuffer_percentage', 'stalls', { avg: 0.005, median: 0.025, '95th': 0.0475, sum: 0.05, count: 2 });
    await measured('rebuffer_frequency', 'stalls', { avg: 0.1 });
    assert.equal((await overall('rebuffer_percentage', 'stalls')).total_views, 2);
    await measured('rebuffer_count', 'stalls', { sum: 1, count: 2, median: 0.5 });
  });

  test('seek latency: by seeks, not by views', () => measured('seek_latency', 'seeks', { avg: 1500, median: 2125, '95th': 3812.5, sum: 4250, count: 2 }));

  test('upscaling by content time', () => measured('upscale_percentage', 'scale', { avg: 0.0625, median: 0.125, count: 2 }));

  test('negative impact: rows, ranks, scores', async () => {
    const { data } = await get('metrics/video_startup_time/breakdown', of('impact') + '&group_by=custom_1&measurement=median');
    assert.deepEqual(data.map(row => [row.field, row.value, row.views, row.negative_impact]), [['DE', 900, 1, 1], ['US', 200, 3, 2], ['FR', 150, 2, 3]]);
    assert.equal((await overall('video_startup_time', 'impact', 'median')).value, 175);
    const scores = async (id, series) => Object.fromEntries((await get(`metrics/${id}/insights`, of(series) + '&measurement=median')).data.filter(row => row.filter_column === 'custom_1')
      .map(row => [row.filter_value, row.negative_impact_score]));
    assert.deepEqual(await scores('video_startup_time', 'impact'), { DE: -725, US: -75, FR: 50 });
    assert.equal((await overall('weighted_average_bitrate', 'bit impact')).value, 2_000_000);
    assert.equal((await scores('weighted_average_bitrate', 'bit impact')).low, -5_000_000);
  });

  test('errors: the share of all views, in percent; warnings make no row', async () => {
    const { data, total_row_count: total } = await get('errors', of('errors'));
    assert.deepEqual(data.map(row => [row.code, row.player_error_code, row.message, row.count, row.percentage]), [[7, '7', 'boom', 2, 20], [null, 'PAY', 'paywall', 1, 10]]);
    assert.equal(data.reduce((sum, row) => sum + row.percentage, 0), 30); // 3 of 10 views
    assert.equal(total, 2);
    assert.equal(data[0].last_seen, iso(NOON + 501));
    const some = await get('errors', of('errors') + '&filters[]=player_error_code:7');
    assert.deepEqual(some.data.map(row => row.percentage), [100]);
    assert.equal((await get('video-views', of('errors') + '&error_id=any')).total_row_count, 3);
    assert.equal((await get('video-views', of('errors') + `&error_id=${data[0].id}`)).total_row_count, 2);
  });

  test('outcomes of four views', async () => {
    await measured('exits_before_video_start', 'outcomes', { avg: 0.5, count: 4 });
    await measured('playback_failure_percentage', 'outcomes', { avg: 0.25, count: 4 });
    await measured('video_startup_failure_percentage', 'outcomes', { avg: 0.25, count: 4 });
    await measured('playback_success_score', 'outcomes', { avg: 0.5, count: 3 });
    await measured('viewer_experience_score', 'outcomes', { count: 3 });
  });

  test('over midnight: engagement belongs to the day of the start, quality to the day of the end', async () => {
    const days = async (id, measurement) => (await get(`metrics/${id}/timeseries`, of('midnight') + `&group_by=day&measurement=${measurement}`)).data.filter(row => row[2] > 0);
    const first = iso(NOON - 43_200_000), second = iso(NOON + 43_200_000);
    assert.deepEqual(await days('views', 'count'), [[first, 1, 1]]);
    assert.deepEqual(await days('playing_time', 'sum'), [[first, 1_080_000, 1]]);
    assert.deepEqual(await days('unique_viewers', 'count'), []);
    assert.deepEqual(await days('rebuffer_count', 'sum'), [[second, 0, 1]]);
    assert.deepEqual(await days('playback_failure_percentage', 'avg'), [[second, 0, 1]]);
    const row = (await server.json(`/data/v1/metrics/comparison?timeframe[]=${NOON / 1000 - 43200}&timeframe[]=${NOON / 1000 + 43200}${of('midnight')}`)).data[0];
    assert.deepEqual([row.started_views, row.ended_views, row.view_count, row.total_playing_time, row.watch_time], [1, 0, 0, 1_080_000, 0]);
  });

  test('the published comparison', async () => {
    close((await overall('rebuffer_percentage', 'published')).value, 0.0005564917, 'rebuffer percentage', 1e-6);
    close((await overall('rebuffer_frequency', 'published')).value, 0.1167465, 'rebuffer frequency', 1e-6);
    assert.equal((await overall('rebuffer_percentage', 'published')).total_watch_time, 513_934);
    close((await overall('startup_time_score', 'published')).value, 0.9991008878, 'startup', 1e-8);
    close((await overall('rebuffer_score', 'published')).value, 0.9523247838, 'smoothness', 1e-8);
    close((await overall('playback_failure_percentage', 'published')).value, 0.2, 'failures');
    close((await overall('viewer_experience_score', 'published')).value, 0.7803472, 'overall: the calibration', 2e-4);
    close((await overall('rebuffer_frequency', 'older')).value, 13.125, 'seven stalls in 32 s');
  });

  for (const one of SCORES) {
    test('score: ' + one.what, async () => {
      const view = await detail(one.id);
      for (const key of ['startup_score', 'rebuffering_score', 'quality_score'])
        if (one[key] !== undefined) assert.ok(Math.abs(Number(view[key]) - one[key]) < 1e-6, `${key}: ${view[key]} against ${one[key]}`);
    });
  }

  test('heatmap and hotspots', async () => {
    for (const content of ['videos/heat', 'assets/heat-asset', 'playback-ids/heat-pb']) {
      assert.deepEqual((await get(`engagement/${content}/heatmap`)).data, { total_views: 2, value: [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5] });
      const hot = await get(`engagement/${content}/hotspots`);
      assert.deepEqual([hot.data, hot.total_row_count], [{ total_views: 2, hotspots: [{ start_ms: 0, end_ms: 5000, score: 1 }] }, 1]);
      assert.deepEqual((await get(`engagement/${content}/hotspots`, '&order_direction=asc')).data.hotspots, [{ start_ms: 5000, end_ms: 10_000, score: 0.5 }]);
    }
    assert.deepEqual((await get('engagement/videos/nobody/hotspots', '&page=x')).data, { total_views: 0, hotspots: [] }); // page is no parameter of it
  });

  test('subviews: playing time by rendition and by mode', async () => {
    const ask = async (route, params = '') => (await get('subview-metrics/' + route, of('subviews').replace('video_series', 'video_title').replace('subviews', 'one') + '&filters[]=video_title:two&filters[]=video_title:without P' + params)).data;
    const high = '18.5Mb / 3840w / 2160h / 60fps / HEVC / 4k', low = '400kb / 640w / 360h / 60fps / HEVC / low';
    assert.deepEqual(await ask('playing_time/rendition/overall'), { metric_value: 23_000 });
    assert.deepEqual(await ask('playing_time/rendition/breakdown'), [{ breakdown_value: low, metric_value: 15_000 }, { breakdown_value: high, metric_value: 8000 }]);
    assert.deepEqual(await ask('playing_time/rendition/breakdown', '&group_by[]=video_source_height&group_by[]=video_source_bitrate'), // in the published order
      [{ breakdown_value: '400kb / 360h', metric_value: 15_000 }, { breakdown_value: '18.5Mb / 2160h', metric_value: 8000 }]);
    assert.deepEqual(await ask('playing_time/playback_mode/breakdown'), [{ breakdown_value: 'standard', metric_value: 13_000 }, { breakdown_value: 'fullscreen', metric_value: 10_000 }]);
    assert.deepEqual(await ask('playing_time/rendition/comparison', '&dimension=video_title&values[]=one&values[]=two&values[]=__empty__&breakdown_value_limit=1'),
      [{ dimension_value: 'one', values: [{ breakdown_value: low, metric_value: 15_000 }, { breakdown_value: 'other', metric_value: 3000 }] },
        { dimension_value: 'two', values: [{ breakdown_value: high, metric_value: 5000 }] }, { dimension_value: '__empty__', values: [] }]);
    const series = (await ask('playing_time/rendition/breakdown-timeseries', '&time_granularity=day')).filter(bucket => bucket.values.length);
    assert.deepEqual(series, [{ date: iso(NOON - 43_200_000), status: 'complete', values: [{ breakdown_value: low, metric_value: 15_000 }, { breakdown_value: high, metric_value: 8000 }] }]);
    assert.deepEqual(await ask('rendition/dimensions/video_title'), [{ value: 'one', playing_time: 18_000 }, { value: 'two', playing_time: 5000 }]);
    assert.deepEqual(await ask('rendition/dimensions/video_title', '&query=TW'), [{ value: 'two', playing_time: 5000 }]);
    assert.deepEqual(await ask('rendition/dimensions/video_source_height', '&order_by=value&order_direction=asc'), [{ value: '2160', playing_time: 8000 }, { value: '360', playing_time: 15_000 }]);
  });

  test('views of crawlers count', async () => assert.equal((await overall('views', 'crawler')).value, 1));
});

describe('renderings', () => {
  const values = async id => (await get(`dimensions/${id}`, of('kinds'))).data;
  test('numbers, booleans, traces and nothing at all', async () => {
    assert.deepEqual(await values('video_source_fps'), [{ value: '29.97', total_count: 1 }, { value: '30', total_count: 1 }, { value: null, total_count: 1 }]);
    assert.deepEqual(await values('video_source_bitrate'), [{ value: null, total_count: 2 }, { value: '1500000', total_count: 1 }]);
    assert.deepEqual(await values('player_autoplay'), [{ value: 'false', total_count: 2 }, { value: 'true', total_count: 1 }]);
    assert.deepEqual(await values('player_remote_played'), [{ value: null, total_count: 3 }]);
    assert.deepEqual(await values('video_cdn_trace'), [{ value: '[]', total_count: 2 }, { value: '[cdn-a,cdn-b]', total_count: 1 }]);
    assert.deepEqual((await get('dimensions/video_cdn_trace/elements', of('kinds'))).data, [{ value: 'cdn-a', total_count: 1 }, { value: 'cdn-b', total_count: 1 }]);
    assert.deepEqual(await values('viewer_connection_type'), [{ value: null, total_count: 2 }, { value: 'unknown', total_count: 1 }]);
    assert.deepEqual(await values('player_error_code'), [{ value: null, total_count: 2 }, { value: '402', total_count: 1 }]); // of business exceptions too
    for (const never of ['playback_failure', 'view_dropped', 'view_has_ad', 'used_pip', 'used_captions', 'time_shift_enabled', 'player_preload', 'preroll_requested', 'preroll_played'])
      assert.deepEqual(await values(never), [{ value: 'false', total_count: 3 }], never);
    assert.deepEqual((await get('metrics/views/breakdown', of('kinds') + '&group_by=custom_20')).data.map(row => row.field), [null]);
  });

  test('the public id is the first half of a SHA-256 of environment and view_id', async () => {
    const view = await detail('kinds');
    const id = crypto.createHash('sha256').update(server.environment_id + '\0kinds').digest('hex').slice(0, 32);
    assert.equal(view.id, id);
    assert.deepEqual((await detail(id)).view_id, 'kinds');
    assert.equal(view.short_time, view.view_start);
    assert.equal(view.platform_summary, view.viewer_application_name);
    assert.equal(view.player_load_time, view.player_startup_time);
    for (const unused of ['isp', 'metro', 'platform_description', 'player_source_stream_type']) assert.equal(view[unused], null);
  });

  test('every key of a view detail has its type', async () => {
    for (const id of ['kinds', 'none', 'paywall', 'score-8', 'heat-half']) {
      const view = await detail(id);
      for (const [key, type] of Object.entries(DETAIL)) {
        const value = view[key], kind = value === null ? 'null' : Array.isArray(value) ? 'list' : Number.isInteger(value) ? 'int' : typeof value;
        const allowed = { 'str': ['string'], 'str?': ['string', 'null'], 'int': ['int'], 'int?': ['int', 'null'], 'num?': ['int', 'number', 'null'], 'bool': ['boolean'], 'bool?': ['boolean', 'null'], 'list': ['list'], 'text?': ['string', 'null'] }[type];
        assert.ok(allowed.includes(kind), `${key} of ${id}: ${JSON.stringify(value)} is no ${type}`);
        if (type === 'text?' && value !== null) assert.match(value, /^-?\d+(\.\d+)?$/, key); // a number, written out
      }
      assert.deepEqual(Object.keys(view).filter(key => !(key in DETAIL)), ['mux_sample_rate']); // one of our own
    }
    assert.equal(Object.keys(DETAIL).length, 194);
    const none = await detail('none');
    assert.deepEqual([none.mux_viewer_id, none.session_id, none.player_autoplay, none.view_dropped, none.video_cdn_trace, none.preroll_played], ['', '', false, false, [], false]);
  });
});

// The published keys of a view detail with their types; text? is a number written as text.
const DETAIL = Object.fromEntries(Object.entries({
  'str': `id view_id session_id mux_viewer_id environment_id view_start view_end inserted_at updated_at short_time mux_api_version`,
  'int': 'property_id',
  'bool': `watched view_dropped exit_before_video_start video_startup_failure playback_failure long_rebuffering long_resume player_autoplay player_preload used_fullscreen used_pip
    used_captions time_shift_enabled view_has_ad`,
  'bool?': 'player_remote_played preroll_requested preroll_played',
  'list': 'events video_cdn_trace',
  'num?': 'weighted_average_bitrate video_source_fps video_source_fps_initial',
  'text?': `viewer_experience_score playback_score startup_score rebuffering_score quality_score buffering_rate rebuffer_percentage view_playing_time view_max_playhead_position
    view_total_upscaling view_total_downscaling view_max_upscale_percentage view_max_downscale_percentage latitude longitude ad_error_percentage ad_break_error_percentage
    ad_startup_error_percentage ad_exit_before_start_percentage`,
  'int?': `time_to_first_frame player_startup_time player_load_time page_load_time view_content_startup_time ad_preroll_startup_time buffering_count buffering_duration watch_time
    view_total_content_playback_time view_seek_count view_seek_duration live_stream_latency view_dropped_frame_count rendition_change_count rendition_upshift_count
    rendition_downshift_count view_average_request_latency view_average_request_throughput view_max_request_latency player_view_count error_type_id view_error_id
    playback_failure_error_type_id playback_business_exception_error_type_id video_startup_business_exception_error_type_id ad_playback_failure_error_type_id video_duration
    video_source_bitrate video_source_bitrate_initial video_source_height video_source_height_initial video_source_width video_source_width_initial player_height player_width
    player_source_duration player_source_height player_source_width asn ad_attempt_count ad_break_count ad_impression_count ad_error_count ad_break_error_count
    ad_startup_error_count ad_exit_before_start_count requests_for_first_preroll video_startup_preroll_request_time video_startup_preroll_load_time`,
  'str?': `view_session_id player_instance_id viewer_user_id sub_property_id mux_embed mux_embed_version player_error_code player_error_message player_error_context video_id
    video_title video_series video_content_type video_stream_type video_language video_producer video_encoding_variant video_variant_id video_variant_name video_creator_id
    video_affiliate video_brand video_codec video_codec_initial audio_codec audio_codec_initial video_dynamic_range_type video_dynamic_range_type_initial cdn view_cdn_edge_pop
    view_cdn_origin asset_id live_stream_id playback_id view_drm_type view_drm_level experiment_name player_name player_version player_software player_software_version
    player_mux_plugin_name player_mux_plugin_version player_language player_poster player_source_domain player_source_host_name player_source_url player_source_type
    player_source_stream_type page_url page_type client_application_name client_application_version platform_summary platform_description viewer_application_name
    viewer_application_version viewer_application_engine viewer_os_family viewer_os_version viewer_os_architecture viewer_device_category viewer_device_manufacturer
    viewer_device_model viewer_device_name viewer_connection_type viewer_user_agent viewer_plan viewer_plan_status viewer_plan_category asn_name isp metro continent_code
    country_code country_name region city preroll_ad_tag_hostname preroll_ad_asset_hostname
    custom_1 custom_2 custom_3 custom_4 custom_5 custom_6 custom_7 custom_8 custom_9 custom_10`,
}).flatMap(([type, names]) => names.trim().split(/\s+/).map(name => [name, type])));

describe('windows', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const frame = async (params, route = 'metrics/views/timeseries') => server.json(`/data/v1/${route}?${params}`);

  test('the default granularity goes by the length', async () => {
    for (const [length, granularity] of [['89:minutes', 'minute'], ['5340:seconds', 'minute'], ['5341:seconds', 'ten_minutes'], ['90:minutes', 'ten_minutes'], ['6:hours', 'ten_minutes'], ['361:minutes', 'hour'],
      ['24:hours', 'hour'], ['15:days', 'hour'], ['2:weeks', 'hour'], ['16:days', 'day'], ['52:weeks', 'day']]) {
      const { meta, timeframe: [from, to], data, total_row_count: total } = await frame(`timeframe[]=${length}`), step = { minute: 60, ten_minutes: 600, hour: 3600, day: DAY }[granularity];
      assert.equal(meta.granularity, granularity, length);
      assert.deepEqual([from % step, (to + 1) % step], [0, 0], length);
      assert.equal(total, (to + 1 - from) / step);
      assert.equal(data.length, total);
      assert.deepEqual([data[0][0], data.at(-1)[0]], [iso(from * 1000), iso((to + 1 - step) * 1000)]);
    }
  });

  test('the window of an answer, asked for again, is the same', async () => {
    const { timeframe } = await frame('timeframe[]=24:hours');
    assert.equal(timeframe[1] + 1 - timeframe[0], 25 * 3600);
    assert.deepEqual((await frame(`timeframe[]=${timeframe[0]}&timeframe[]=${timeframe[1]}`)).timeframe, timeframe);
    assert.deepEqual((await frame('')).timeframe, (await frame('timeframe=24:hours')).timeframe);
    for (const route of ['dimensions/country', 'video-views', 'errors', 'engagement/videos/x/heatmap', 'subview-metrics/playing_time/rendition/overall', 'metrics/comparison', 'filters/country'])
      assert.equal((await frame('', route)).timeframe[0] % 3600, 0, route);
  });

  test('buckets begin before the window; only views inside count; empty ones are there', async () => {
    const from = NOON / 1000 - 1800, hour = (id, more = '') => frame(`timeframe[]=${from}&timeframe[]=${from + 3540}${of('bitrates')}&group_by=hour${more}`, `metrics/${id}/timeseries`);
    const { data, timeframe } = await hour('views');
    assert.deepEqual(timeframe, [from, from + 3539]);
    assert.deepEqual(data, [[iso(NOON - 3_600_000), 0, 0], [iso(NOON), 4, 4]]);
    assert.deepEqual((await hour('weighted_average_bitrate')).data[0].slice(1), [null, 0]);
    assert.deepEqual((await hour('weighted_average_bitrate', '&measurement=sum')).data[0].slice(1), [0, 0]);
    assert.deepEqual((await hour('weighted_average_bitrate', '&measurement=count')).data[0].slice(1), [0, 0]);
    assert.deepEqual((await hour('views', '&measurement=median')).data[0].slice(1), [0, 0]);
    assert.deepEqual((await hour('unique_viewers')).data[0].slice(1), [0, 0]);
    assert.equal((await hour('views', '&order_direction=desc')).data[0][0], iso(NOON));
  });

  test('start is inside, end is not, to the millisecond', async () => {
    const end = NOON / 1000 + 10; // where the views end
    const count = async (a, b) => (await frame(`timeframe[]=${a}&timeframe[]=${b}${of('bitrates')}`, 'metrics/playback_failure_percentage/overall')).data.total_views;
    const minute = Math.floor(end / 60) * 60;
    assert.equal(await count(minute, minute + 60), 4);
    assert.equal(await count(minute - 60, minute), 0);
    assert.equal((await frame(`timeframe[]=${NOON / 1000}&timeframe[]=${NOON / 1000 + 60}${of('bitrates')}`, 'metrics/views/overall')).data.value, 4);
    assert.equal((await frame(`timeframe[]=${NOON / 1000 - 60}&timeframe[]=${NOON / 1000}${of('bitrates')}`, 'metrics/views/overall')).data.value, 0);
  });

  test('long ago is empty, not wrong', async () => {
    const { data } = await frame('timeframe[]=86400&timeframe[]=172800', 'metrics/video_startup_time/overall');
    assert.deepEqual([data.value, data.total_views, data.total_watch_time], [null, 0, 0]);
    assert.deepEqual((await frame('timeframe[]=86400&timeframe[]=172800', 'metrics/video_startup_time/insights')).data, []);
  });

  test('what takes no timeframe shows the last day', async () => {
    const before = now();
    for (const route of ['dimensions', 'filters', 'exports/views', 'video-views/kinds']) {
      const { timeframe: [from, to] } = await frame('', route);
      assert.equal(to - from, DAY, route);
      assert.ok(to >= before && to <= now(), route);
    }
    assert.ok(!('timeframe' in await frame('', 'subview-metrics/rendition/dimensions')));
  });

  test('annotations: all of them without a window, and a given one is not snapped', async () => {
    const note = (await (await fetch(server.url + '/data/v1/annotations', { method: 'POST', headers: { authorization: server.basic, 'content-type': 'application/json' },
      body: JSON.stringify({ note: 'long ago', date: 1000 }) })).json()).data;
    const all = await frame('', 'annotations');
    assert.deepEqual(all.data.map(one => one.id), [note.id]);
    assert.ok(!('timeframe' in all));
    const some = await frame('timeframe[]=1000&timeframe[]=1001', 'annotations');
    assert.deepEqual([some.timeframe, some.total_row_count], [[1000, 1001], 1]);
    assert.equal((await frame('timeframe[]=999&timeframe[]=1000', 'annotations')).total_row_count, 0);
  });
});

describe('names, orders, pages', () => {
  test('every other name of a metric is that metric', async () => {
    for (const [alias, id] of Object.entries({ playback_failure_score: 'playback_success_score', playback_score: 'playback_success_score', smoothness_score: 'rebuffer_score', rebuffering_score: 'rebuffer_score',
      startup_score: 'startup_time_score', quality_score: 'video_quality_score', time_to_first_frame: 'video_startup_time', view_time_to_first_frame: 'video_startup_time', content_startup_time: 'view_content_startup_time',
      player_average_live_latency: 'live_stream_latency', view_average_request_latency: 'request_latency', view_average_request_throughput: 'request_throughput', view_max_request_latency: 'max_request_latency',
      started_views: 'views', buffering_count: 'rebuffer_count', buffering_duration: 'rebuffer_duration', buffering_rate: 'rebuffer_frequency' }))
      assert.deepEqual(await get(`metrics/${alias}/overall`), await get(`metrics/${id}/overall`), alias);
    const one = await get('metrics/views/overall', '&metric_filters[]=time_to_first_frame>=400'), other = await get('metrics/views/overall', '&metric_filters[]=video_startup_time>=400');
    assert.deepEqual(one, other);
    assert.ok(one.data.value > 3);
  });

  test('legacy paths and sign-in', async () => {
    const answer = await get('metrics/views/overall');
    for (const prefix of ['/api/v1', '/v1', '']) assert.deepEqual(await server.json(`${prefix}/metrics/views/overall?${ALL}`), answer, prefix);
    for (const path of ['/api/sessions', '/sessions', '/data/v1/sessions', '/session', '/v1/sessions']) {
      const response = await fetch(server.url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ session: { email: EMAIL, password: PASSWORD } }) });
      assert.equal(response.status, 201, path);
      const { data: { token } } = await response.json();
      for (const headers of [{ 'beta-auth-token': token }, { authorization: 'Bearer ' + token }])
        assert.deepEqual(await (await fetch(`${server.url}/data/v1/metrics/views/overall?${ALL}`, { headers })).json(), answer);
    }
  });

  test('the lists of dimensions, in the published order', async () => {
    const { data, total_row_count: total } = await get('dimensions');
    assert.deepEqual(data.basic, BASIC.split(' '));
    assert.deepEqual(data.advanced, ADVANCED.split(/\s+/));
    assert.equal(total, 106);
    assert.deepEqual((await get('filters')).data, data);
  });

  test('defaults: country, 25 rows, the worst first', async () => {
    const { data } = await get('metrics/views/breakdown', of('impact'));
    assert.deepEqual(data.map(row => [row.field, row.value]), [[null, 6]]); // loopback has no country
    assert.deepEqual((await get('metrics/views/breakdown', of('impact') + '&group_by=country')).data, data);
  });

  test('limits: clamped above, the default below, none beyond the end', async () => {
    for (let i = 0; i < 1005; i++) // beyond what one answer holds
      made.view({ id: `many-${String(i).padStart(4, '0')}`, video_series: 'many', custom_2: `value ${i}`, start: NOON + 1000 * i, events: [['playing', 0, { view_time_to_first_frame: 0 }], error(10, `E${i}`)] });
    await made.send();
    const rows = async (route, params) => get(route, of('many') + params);
    for (const [route, params] of [['metrics/views/breakdown', '&group_by=custom_2'], ['dimensions/custom_2', ''], ['filters/custom_2', ''], ['video-views', '']]) {
      const size = async more => { const answer = await rows(route, params + more); assert.equal(answer.total_row_count, 1005, route + more); return answer.data.length; };
      for (const [more, n] of [['', 25], ['&limit=', 25], ['&limit=0', 25], ['&limit=-7', 25], ['&limit=3', 3], ['&limit=1000', 1000], ['&limit=5000', 1000], ['&limit=99999999999999999999', 1000],
        ['&limit=1000&page=2', 5], ['&limit=1000&page=3', 0], ['&page=99999999999999999999', 0], ['&limit=3&page=0', 3], ['&limit=3&page=-1', 3]])
        assert.equal(await size(more), n, route + more);
    }
    const errors = await rows('errors', '');
    assert.deepEqual([errors.data.length, errors.total_row_count], [1000, 1005]);
    assert.deepEqual(errors.data.map(row => row.last_seen), errors.data.map(row => row.last_seen).sort().reverse()); // equal counts: the latest first
    const insights = await rows('metrics/views/insights', '');
    assert.equal(insights.data.length, 100);
    assert.ok(insights.total_row_count > 1005);
  });

  test('video views: the last to end first, equal ends by id', async () => {
    const down = (await get('video-views', of('bitrates'))).data, up = (await get('video-views', of('bitrates') + '&order_direction=asc')).data;
    assert.deepEqual(down.map(row => row.id), down.map(row => row.id).sort()); // all end at the same time
    assert.deepEqual(up.map(row => row.id), down.map(row => row.id));
    const many = (await get('video-views', of('many') + '&limit=3')).data.map(row => row.view_end);
    assert.deepEqual(many, [...many].sort().reverse());
    assert.equal((await get('video-views', of('many') + '&limit=1&order_direction=asc')).data[0].view_end, iso(NOON + 10_000));
    assert.equal((await get('video-views', of('viewers') + '&viewer_id=a')).total_row_count, 2);
    assert.equal((await get('video-views', of('viewers') + '&viewer_id=m1')).total_row_count, 2);
    assert.equal((await get('video-views', of('viewers') + '&viewer_id=')).total_row_count, 4); // empty is absent
  });

  test('comparison: dimension and value are one more filter, empty ones are absent', async () => {
    const views = async params => (await get('metrics/comparison', params)).data[0].view_count;
    assert.equal(await views('&dimension=video_series&value=impact'), 6);
    assert.equal(await views(of('impact') + '&dimension=custom_1&value=US'), 3);
    assert.equal(await views(of('impact') + '&dimension=video_series&value=stalls'), await views('&filters[]=video_series:impact&filters[]=video_series:stalls')); // rules 76 and 81
    assert.equal(await views(of('impact') + '&dimension=video_series&value=stalls'), 9);
    assert.equal(await views(of('impact') + '&dimension=custom_2&value=__empty__'), 6);
    assert.equal(await views(of('impact') + '&dimension=&value='), 6);
  });

  test('unknown parameters are ignored', async () => assert.deepEqual(await get('metrics/views/overall', '&what=1&global_filter[]=x&Limit=x'), await get('metrics/views/overall')));
});

const BASIC = 'asset_id browser cdn continent_code exit_before_video_start live_stream_id operating_system playback_id player_name player_software source_type stream_type sub_property_id video_content_type video_id video_series video_startup_failure video_title view_has_ad viewer_device_category viewer_device_manufacturer viewer_device_name';
const ADVANCED = `asn audio_codec audio_codec_initial browser_version client_application_name client_application_version country custom_1 custom_2 custom_3 custom_4 custom_5 custom_6 custom_7 custom_8
custom_9 custom_10 custom_11 custom_12 custom_13 custom_14 custom_15 custom_16 custom_17 custom_18 custom_19 custom_20 experiment_name environment_id operating_system_version page_type page_url
playback_failure playback_business_exception player_autoplay player_error_code player_language player_mux_plugin_name player_mux_plugin_version player_poster player_preload player_remote_played
player_software_version player_version region source_hostname time_shift_enabled used_captions used_pip video_affiliate video_brand video_cdn_trace video_codec video_codec_initial video_creator_id
video_dynamic_range_type video_dynamic_range_type_initial video_encoding_variant video_language video_producer video_source_bitrate video_source_bitrate_initial video_source_fps
video_source_fps_initial video_source_height video_source_height_initial video_source_width video_source_width_initial video_startup_business_exception video_variant_id video_variant_name
view_cdn_edge_pop view_cdn_origin view_drm_type view_dropped view_dropped_frame_count view_session_id viewer_connection_type viewer_device_model viewer_user_id viewer_plan viewer_plan_status
viewer_plan_category view_drm_level`;
