// SPDX-License-Identifier: Apache-2.0
// Question in, answer out: views made by hand and from a seed, with texts, numbers and gaps of every kind, then every
// answer of the API about them against a calculator of its own (vector-calculate.mjs), key by key.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { shortName } from '../golden/reference.mjs';
import { Server, until } from '../lib/server.mjs';
import * as calc from './vector-calculate.mjs';
import { DAY, EPOCH, randomSet } from './vector-sets.mjs';
import { WIRE, makeView } from './vector-views.mjs';

const VIEWS = 80, WINDOW = calc.snap(EPOCH / 1000, EPOCH / 1000 + 4 * DAY / 1000), TIMEFRAME = [WINDOW.start, WINDOW.end - 1];
const iso = ms => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
let server, records, ended, byId;

async function inParallel(items, task) {
  const queue = [...items];
  await Promise.all(Array.from({ length: 4 }, async () => {
    while (queue.length) await task(queue.shift());
  }));
}

const query = params => Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [value].flat())
  .map(one => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`)).join('&');
const ask = (route, params = {}) => server.json(`/data/v1/${route}?${query({ 'timeframe[]': TIMEFRAME, ...params })}`);

// Equal in every key and type; numbers that are no integers up to rounding.
function same(got, want, what) {
  if (typeof want === 'number' && typeof got === 'number') {
    const scale = Math.max(Math.abs(got), Math.abs(want), 1e-3);
    if (got !== want && !(Math.abs(got - want) <= 1e-11 * scale)) assert.fail(`${what}: ${got}, not ${want}`);
  } else if (want !== null && typeof want === 'object' && got !== null && typeof got === 'object') {
    assert.equal(Array.isArray(got), Array.isArray(want), what);
    assert.deepEqual(Object.keys(got).sort(), Object.keys(want).sort(), what);
    for (const key of Object.keys(want)) same(got[key], want[key], `${what}.${key}`);
  } else {
    assert.strictEqual(got, want, what);
  }
}

const population = metric => calc.inside(records, WINDOW, calc.clockOf(metric));
const meta = (metric, granularity) => ({ aggregation: calc.clockOf(metric), ...(granularity ? { granularity } : {}) });
const measurementsOf = metric => metric === 'unique_viewers' ? ['count'] : calc.MEASUREMENTS;
const METRIC_IDS = Object.keys(calc.METRICS);
// Every metric with its default measurement, and two more in turn.
const questions = METRIC_IDS.flatMap((metric, i) => {
  const all = measurementsOf(metric);
  return [[metric], ...new Set([all[i % all.length], all[(i + 2) % all.length]])].map(one => Array.isArray(one) ? one : [metric, one]);
});
const page = (rows, limit, number) => rows.slice((number - 1) * limit, number * limit);
const shown = rows => rows.map(({ score: _, ...row }) => row);
const idsOf = answer => answer.data.map(row => byId.get(row.id)).sort();

before(async () => {
  server = await new Server({ init: ['--allow-backfill'] }).start();
  const views = randomSet(VIEWS).map(spec => makeView(spec, server.env_key));
  await inParallel(views, async ({ events, headers }) => {
    const wire = events.map(event => Object.fromEntries(Object.entries(event).map(([name, value]) => [shortName(name), value])));
    const response = await fetch(server.url + '/', { method: 'POST', headers: { 'x-firstframe-backfill': '1', ...headers },
      body: JSON.stringify({ events: wire }) });
    assert.equal(response.status, 200);
  });
  await until('the views to be final', async () => (await ask('metrics/view_dropped_percentage/overall')).data.total_views === VIEWS, { seconds: 180 });
  records = views.map(view => view.record);
  await inParallel(records, async r => {
    const { data } = await server.json('/data/v1/video-views/' + r.view_id);
    Object.assign(r, { id: data.id, detail: data });
    // Places are looked up by the server, with data of others.
    Object.assign(r.dims, { country: data.country_code, continent_code: data.continent_code, region: data.region, asn: data.asn,
      environment_id: server.environment_id });
  });
  ended = calc.inside(records, WINDOW);
  byId = new Map(records.map(r => [r.id, r.view_id]));
});
after(() => server?.stop());

test('the views are stored as they were made', () => {
  const text = value => value === null ? null : String(value), number = value => value === null ? null : Number(value);
  for (const r of records) {
    const d = r.detail;
    for (const key of ['watch_time', 'player_startup_time', 'page_load_time', 'view_content_startup_time', 'ad_preroll_startup_time',
      'requests_for_first_preroll', 'view_seek_count', 'view_seek_duration', 'weighted_average_bitrate', 'live_stream_latency',
      'rendition_change_count', 'rendition_upshift_count', 'rendition_downshift_count', 'exit_before_video_start', 'video_startup_failure',
      'playback_failure', 'watched', 'view_dropped', ...Object.keys(r).filter(name => /^ad_.*_count$/.test(name))])
      assert.strictEqual(d[key], r[key], `${r.view_id} ${key}`);
    same([d.time_to_first_frame, d.buffering_count, d.buffering_duration, d.view_playing_time, d.view_average_request_throughput,
      d.view_average_request_latency, d.view_max_request_latency, d.video_cdn_trace, d.player_error_code, d.view_start, d.view_end],
    [r.video_startup_time, r.rebuffer_count, r.rebuffer_duration, text(r.view_playing_time), r.request_throughput, r.request_latency,
      r.max_request_latency, r.dims.video_cdn_trace, r.dims.player_error_code, iso(r.view_start), iso(r.view_end)], r.view_id);
    same([d.viewer_experience_score, d.playback_score, d.startup_score, d.rebuffering_score, d.quality_score].map(number),
      [r.viewer_experience_score, r.playback_success_score, r.startup_time_score, r.rebuffer_score, r.video_quality_score], r.view_id);
    for (const dimension of Object.keys(WIRE))
      if (dimension in d) assert.strictEqual(d[dimension], r.dims[dimension], `${r.view_id} ${dimension}`);
  }
});

test('overall and timeseries', () => inParallel(questions, async ([metric, measurement]) => {
  const what = `${metric} ${measurement ?? ''}`, views = population(metric), of = calc.measure(metric, views, measurement);
  same(await ask(`metrics/${metric}/overall`, { measurement }), { data: { value: of.value, total_views: of.views,
    total_watch_time: of.watch, total_playing_time: of.playing, global_value: null }, meta: meta(metric), timeframe: TIMEFRAME,
  total_row_count: 1 }, what);
  const unit = ['hour', 'day', 'ten_minutes', undefined][what.length % 4], direction = ['asc', 'desc', undefined][what.length % 3];
  const rows = calc.timeseries(metric, views, WINDOW, { measurement, unit, direction });
  same(await ask(`metrics/${metric}/timeseries`, { measurement, group_by: unit, order_direction: direction }), { data: rows,
    meta: meta(metric, unit ?? WINDOW.unit), timeframe: TIMEFRAME, total_row_count: rows.length }, what);
}));

// Sums of ratios add up differently in different segments: ad_error_percentage had such ties in a wrong order.
const INSIGHTS = [['ad_error_percentage', 'sum'], ['ad_startup_error_percentage', 'sum'], ['video_startup_time'], ['views'],
  ['viewer_experience_score'], ['rebuffer_frequency'], ['weighted_average_bitrate', '95th'], ['playback_failure_percentage', 'median'],
  ['rebuffer_percentage'], ['rebuffer_percentage', '95th'], ['rebuffer_percentage', 'count'], ['playing_time'], ['unique_viewers']];
// The server counts, but of the questions that keep all values one at a time: further ones are grouped by the store. First
// each alone, then all at once, until some have met; a parameter that says nothing makes each another question.
test('insights: scores that differ by rounding are ties, whoever counts', async () => {
  const check = n => async ([metric, measurement]) => {
    const rows = calc.insights(metric, population(metric), measurement);
    same(await ask(`metrics/${metric}/insights`, { measurement, n }), { data: rows.slice(0, 100), meta: meta(metric), timeframe: TIMEFRAME,
      total_row_count: rows.length }, `${metric} ${measurement ?? ''}`);
  };
  const counted = async () => Number(/^firstframe_insights_counted_total (\d+)$/m.exec(await (await server.get('/metrics')).text())[1]);
  const before = await counted();
  for (const one of INSIGHTS) await check()(one);
  assert.equal(await counted(), before + INSIGHTS.length);
  let asked = 1;
  do await Promise.all(INSIGHTS.map(check(asked++)));
  while (await counted() === before + asked * INSIGHTS.length && asked < 50);
  assert.ok(await counted() < before + asked * INSIGHTS.length, 'the store never grouped');
});

test('breakdowns by every dimension, in every order', async () => {
  const orders = ['negative_impact', 'value', 'views', 'field', undefined], directions = ['asc', 'desc', undefined];
  const combinations = ['custom_3', 'video_cdn_trace', 'video_source_fps'].flatMap(dimension => orders.flatMap(order =>
    directions.map((direction, i) => [dimension, order, direction, [7, 3, 1000][i]])));
  const each = calc.DIMENSIONS.map(dimension => [dimension, undefined, undefined, 1000]);
  await inParallel([...each, ...combinations], async ([dimension, order, direction, limit]) => {
    const metric = METRIC_IDS[(dimension.length + (order ?? '').length) % METRIC_IDS.length];
    const rows = shown(calc.breakdown(metric, population(metric), { dimension, order, direction }));
    for (const number of limit < 1000 ? [1, 2, 99] : [1])
      same(await ask(`metrics/${metric}/breakdown`, { group_by: dimension, order_by: order, order_direction: direction, limit, page: number }),
        { data: page(rows, limit, number), meta: meta(metric), timeframe: TIMEFRAME, total_row_count: rows.length },
        `${metric} by ${dimension} ${order} ${direction} ${number}`);
  });
});

test('values of every dimension, and elements of traces', async () => {
  await inParallel(calc.DIMENSIONS, async dimension => {
    const rows = calc.values(ended, dimension);
    same(await ask('dimensions/' + dimension, { limit: 1000 }), { data: rows, timeframe: TIMEFRAME, total_row_count: rows.length }, dimension);
    same((await ask('filters/' + dimension, { limit: 2, page: 2 })).data, page(rows, 2, 2), dimension);
  });
  for (const order of ['negative_impact', 'field', undefined]) for (const direction of ['asc', 'desc', undefined]) {
    const rows = calc.values(ended, 'video_cdn_trace', { order, direction, elements: true });
    same((await ask('dimensions/video_cdn_trace/elements', { order_by: order, order_direction: direction })).data, rows, `${order} ${direction}`);
  }
});

const TRACE = 'video_cdn_trace';
const TRACE_FILTERS = [[`+${TRACE}:cdn-a`], [`-${TRACE}:cdn-a`], [` ${TRACE}:cdn-a`], [`+${TRACE}:CDN-A`], [`+${TRACE}:x y`],
  [`${TRACE}:[cdn-a]`], [`!${TRACE}:[cdn-a]`], [`${TRACE}:[cdn-a]`, `${TRACE}:[cdn-b]`], [`${TRACE}:[]`], [`!${TRACE}:[]`], [`${TRACE}:`],
  [`!${TRACE}:__empty__`], [`+${TRACE}:cdn-a`, `+${TRACE}:cdn-b`], [`+${TRACE}:cdn-a`, `-${TRACE}:cdn-b`],
  [`${TRACE}:[cdn-a]`, `${TRACE}:[cdn-b]`, `-${TRACE}:cdn-b`], ['', 'custom_1:a'], ['custom_1:a', 'custom_1:', '!custom_1:b', 'used_pip:false']];

test('filters in every form, on every dimension', async () => {
  const filters = [...TRACE_FILTERS];
  calc.DIMENSIONS.filter(dimension => !calc.TRACES.has(dimension)).forEach((dimension, i) => {
    const found = [...new Set(ended.map(r => calc.render(r.dims[dimension])))].filter(value => value !== null);
    const [one, other] = [found[0] ?? 'none', found.at(-1) ?? 'none'];
    const value = found.length ? [[`${dimension}:${one}`], [`!${dimension}:${other}`],
      [`${dimension}:${one}`, `${dimension}:${other}`], [`${dimension}:${other}`, `${dimension}:__empty__`, `!${dimension}:${one}`]][i % 4] : [];
    filters.push(value, [[`${dimension}:`], [`!${dimension}:__empty__`]][i % 2]);
  });
  await inParallel(filters, async elements => assert.deepEqual(idsOf(await ask('video-views', { 'filters[]': elements, limit: 1000 })),
    calc.filter(ended, elements).map(r => r.view_id).sort(), JSON.stringify(elements)));
});

test('metric filters with every operator', async () => {
  const filters = [['playing_time>=1e4'], ['video_startup_time>=1000', 'rebuffer_count<2'], ['smoothness_score>=0.5']];
  METRIC_IDS.filter(metric => !calc.METRICS[metric].nofilter).forEach((metric, i) => {
    const own = ended.map(r => calc.own(metric, r)).filter(value => value !== null).sort((a, b) => a - b);
    if (!own.length) return;
    const middle = own[own.length >> 1], exact = Number.isInteger(middle); // else the last digit may differ between two exp()
    for (const op of exact ? [['>=', '<='], ['>', '<'], ['=', '!='], ['==', '>=']][i % 4] : ['>=', '<'])
      filters.push([`${metric}${op}${exact ? middle : middle * 1.0000001}`]);
  });
  await inParallel(filters, async elements => assert.deepEqual(idsOf(await ask('video-views', { 'metric_filters[]': elements, limit: 1000 })),
    calc.filter(ended, [], elements).map(r => r.view_id).sort(), JSON.stringify(elements)));
});

test('errors, and views by error, viewer and page', async () => {
  for (const filters of [[], ['custom_1:a'], ['!custom_1:'], ['playback_failure:false']]) {
    const of = calc.filter(ended, filters), groups = Map.groupBy(of.filter(r => r.error), r => r.detail.error_type_id);
    const rows = [...groups].map(([id, views]) => {
      const code = views[0].dims.player_error_code;
      return { id, code: code !== null && /^-?\d+$/.test(code) ? Number(code) : null, player_error_code: code,
        message: views[0].error.message ?? null, count: views.length, percentage: 100 * views.length / of.length,
        last_seen: iso(Math.max(...views.map(r => r.error.time))) };
    }).sort((a, b) => b.count - a.count || calc.byField(b.last_seen, a.last_seen) || a.id - b.id);
    const { data, total_row_count } = await ask('errors', { 'filters[]': filters });
    assert.equal(total_row_count, rows.length);
    same(data.map(row => Object.fromEntries(Object.keys(rows[0] ?? {}).map(key => [key, row[key]]))), rows, `errors ${filters}`);
  }
  const order = way => [...ended].sort((a, b) => way * (a.view_end - b.view_end) || calc.byField(a.id, b.id)).map(r => r.id);
  for (const [direction, limit, number] of [[undefined, 25, 1], ['asc', 1000, 1], ['desc', 7, 2], ['asc', 7, 12], ['desc', 7, 100]]) {
    const { data, total_row_count } = await ask('video-views', { order_direction: direction, limit, page: number });
    assert.deepEqual(data.map(row => row.id), page(order(direction === 'asc' ? 1 : -1), limit, number));
    assert.equal(total_row_count, ended.length);
  }
  const ids = async params => (await ask('video-views', { ...params, limit: 1000 })).data.map(row => row.id).sort();
  const want = test => ended.filter(test).map(r => r.id).sort();
  for (const viewer of new Set(ended.map(r => r.viewer).filter(Boolean)))
    assert.deepEqual(await ids({ viewer_id: viewer }), want(r => r.dims.viewer_user_id === viewer || r.mux_viewer_id === viewer), viewer);
  assert.deepEqual(await ids({ error_id: 'any' }), want(r => r.error !== null));
  for (const id of new Set(ended.map(r => r.detail.error_type_id).filter(id => id !== null)))
    assert.deepEqual(await ids({ error_id: id }), want(r => r.detail.error_type_id === id), String(id));
});

const ATTRIBUTES = ['bitrate', 'width', 'height', 'fps', 'codec', 'rendition_name'].map(name => 'video_source_' + name);
const LABELS = [v => v < 1e6 ? `${+(v / 1000).toFixed(1)}kb` : `${+(v / 1e6).toFixed(1)}Mb`, v => v + 'w', v => v + 'h', v => v + 'fps', v => v, v => v];

function subviews(views, type, attributes = ATTRIBUTES) {
  const time = new Map();
  for (const r of views) for (const [key, ms] of type === 'rendition' ? r.renditions : r.modes) {
    const values = type === 'rendition' ? JSON.parse(key) : null;
    const label = values ? ATTRIBUTES.flatMap((name, i) => !attributes.includes(name) ? [] : values[i] ? LABELS[i](values[i]) : 'unknown').join(' / ')
      : key ?? 'unknown';
    if (ms > 0) time.set(label, (time.get(label) ?? 0) + ms);
  }
  return [...time].map(([breakdown_value, metric_value]) => ({ breakdown_value, metric_value }))
    .sort((a, b) => b.metric_value - a.metric_value || calc.byField(a.breakdown_value, b.breakdown_value));
}
const cut = (rows, n) => rows.length <= n ? rows
  : [...rows.slice(0, n), { breakdown_value: 'other', metric_value: rows.slice(n).reduce((sum, row) => sum + row.metric_value, 0) }];

test('playing time by rendition and by mode', async () => {
  for (const type of ['rendition', 'playback_mode']) {
    const base = `subview-metrics/playing_time/${type}`, about = { subview_type: type, metric: 'playing_time', unit: 'ms' };
    for (const filters of [[], ['!player_name:__empty__'], ['video_title:__empty__']]) {
      const views = calc.filter(ended, filters);
      same(await ask(base + '/overall', { 'filters[]': filters }), { data: { metric_value: subviews(views, type).reduce((sum, row) => sum + row.metric_value, 0) },
        meta: about, timeframe: TIMEFRAME, total_row_count: null }, `${type} ${filters}`);
      for (const by of type === 'rendition' ? [undefined, ['video_source_bitrate'], ['video_source_fps', 'video_source_codec']] : [undefined]) {
        const rows = subviews(views, type, by);
        for (const [limit, number] of [[2, 2], [100, 1]]) {
          const answer = await ask(base + '/breakdown', { 'filters[]': filters, 'group_by[]': by, limit, page: number });
          same([answer.data, answer.total_row_count], [page(rows, limit, number), rows.length], `${type} ${filters} ${by}`);
        }
      }
    }
    const values = ['a', 'b', '__empty__', 'nobody'];
    same((await ask(base + '/comparison', { dimension: 'player_name', 'values[]': values, breakdown_value_limit: 3 })).data,
      values.map(value => ({ dimension_value: value, values: cut(subviews(calc.filter(ended, ['player_name:' + value]), type), 3) })), type);
    for (const step of [3600, 86400]) {
      const buckets = Array.from({ length: (WINDOW.end - WINDOW.start) / step }, (_, i) => WINDOW.start + i * step);
      const answer = await ask(base + '/breakdown-timeseries', { time_granularity: step === 3600 ? undefined : 'day', breakdown_value_limit: 2 });
      same([answer.data, answer.meta.complete_through], [buckets.map(at => ({ date: iso(at * 1000), status: 'complete',
        values: cut(subviews(calc.inside(ended, { start: at, end: at + step }), type), 2) })), iso(WINDOW.end * 1000)], `${type} ${step}`);
    }
  }
});

test('what a filter cannot be', async () => {
  const wrong = { 'filters[]': ['nope:1', 'country', 'Country:US', '+country:US', '-country:US', '!+country:US', '!-video_cdn_trace:a',
    'video_cdn_trace:a', '!video_cdn_trace:a', '+video_cdn_trace:[a]', '-video_cdn_trace:[a,b]', 'video_cdn_trace:[a', 'video_cdn_trace:a]',
    'playback_failure:1', 'playback_failure:TRUE', 'video_source_width:abc', ':x', '!', '!!country:US', ' country:US', 'asn:AS15169'],
  'metric_filters[]': ['views>=1', 'started_views>1', 'unique_viewers>=1', 'exits_before_video_start=1', 'video_startup_failure_percentage=1',
    'view_dropped_percentage=1', 'video_startup_time', 'video_startup_time>=', 'video_startup_time>=abc', 'video_startup_time=>3', 'nope>=3',
    '>=3', 'video_startup_time>=0x10', 'video_startup_time>= 3', 'video_startup_time>=NaN', 'video_startup_time>=1,5',
    'video_startup_time>=+5', 'video_startup_time>=.5', 'video_startup_time>=05'] };
  const routes = ['metrics/views/overall', 'metrics/playing_time/timeseries', 'metrics/video_startup_time/breakdown',
    'metrics/video_startup_time/insights', 'metrics/comparison', 'dimensions/country', 'dimensions/video_cdn_trace/elements', 'errors', 'video-views'];
  for (const [name, values] of Object.entries(wrong)) await inParallel(values.flatMap((value, i) => [[routes[i % routes.length], value], ['video-views', value]]),
    async ([route, value]) => {
      const response = await server.get(`/data/v1/${route}?${query({ [name]: value })}`), { error } = await response.json();
      assert.deepEqual([response.status, error?.type], [400, 'invalid_parameters'], `${route} ${value}`);
    });
});

test('an empty sub property of an annotation is none', async () => {
  const response = await fetch(server.url + '/data/v1/annotations', { method: 'POST', headers: { authorization: server.basic, 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'deploy', date: EPOCH / 1000, sub_property_id: '' }) });
  const { data } = await response.json();
  assert.deepEqual([response.status, data.sub_property_id], [201, null]);
});
