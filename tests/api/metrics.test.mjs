// SPDX-License-Identifier: Apache-2.0
// Every metric in every measurement, and by every dimension, against a calculation of its own (calculate.mjs).
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { METRICS, MEASUREMENTS, answer, byField, close, dimensionOf, score, valueOf } from './calculate.mjs';
import { Simulated, inParallel } from './simulated.mjs';

let server, views, dimensions;

before(async () => {
  server = await new Simulated({ views: Number(process.env.FIRSTFRAME_API_VIEWS ?? 600) }).start();
  const details = await server.details();
  views = server.truth.map(view => ({ ...view, detail: details.get(view.view_id) }));
  const listed = (await server.json('/data/v1/dimensions')).data;
  dimensions = [...listed.basic, ...listed.advanced, 'preroll_ad_asset_hostname', 'preroll_ad_tag_hostname', 'preroll_played',
    'preroll_requested', 'ad_playback_failure', 'content_playback_failure', 'page_hostname'];
});
after(() => server?.stop());

const ask = (path, params = '') => server.json(`/data/v1/metrics/${path}?${server.window}${params}`);

// Percentiles are one value, or between two: nothing may be lost there.
function check(actual, expected, what, measurement = 'avg') {
  close(actual.value, expected.value, what, ['median', '95th'].includes(measurement) ? 1e-14 : 1e-9);
  assert.equal(actual.total_views ?? actual.views, expected.views, what + ': views');
  assert.equal(actual.total_watch_time, expected.watch, what + ': watch time');
  assert.equal(actual.total_playing_time, expected.playing, what + ': playing time');
}

test('all metrics are there', async () => {
  assert.equal(Object.keys(METRICS).length, 53);
  assert.equal(dimensions.length, 113);
});

test('every metric in every measurement', async () => {
  await inParallel(Object.entries(METRICS), async ([id, metric]) => {
    for (const measurement of metric.kind === 'viewers' ? ['count'] : MEASUREMENTS) {
      const { data, meta } = await ask(`${id}/overall`, `&measurement=${measurement}`);
      check(data, answer(id, measurement, views), `${id} ${measurement}`, measurement);
      assert.equal(meta.aggregation, metric.clock === 'start' ? 'view_start' : 'view_end');
    }
    const byDefault = (await ask(`${id}/overall`)).data;
    check(byDefault, answer(id, metric.default, views), `${id} by default`);
  });
});

// The dimension's text of each view, worked out once.
const texts = new Map();
function textsOf(dimension) {
  if (!texts.has(dimension)) texts.set(dimension, new Map(views.map(view => [view, dimensionOf(dimension, view)])));
  return texts.get(dimension);
}

// The views that a metric counts, and its answer over all of them.
const wholes = new Map();
function wholeOf(id) {
  if (!wholes.has(id)) {
    const counted = views.filter(view => valueOf(METRICS[id], view) !== null);
    wholes.set(id, { counted, overall: answer(id, METRICS[id].default, counted) });
  }
  return wholes.get(id);
}

async function checkBreakdown(id, dimension) {
  const measurement = METRICS[id].default, what = `${id} by ${dimension}`, text = textsOf(dimension), { counted, overall } = wholeOf(id);
  const groups = Map.groupBy(counted, view => text.get(view));
  const { data, total_row_count: total } = await ask(`${id}/breakdown`, `&group_by=${dimension}&limit=1000`);
  assert.equal(total, groups.size, what);
  assert.equal(data.length, Math.min(groups.size, 1000), what);
  const near = harm => 1e-6 * Math.max(1, Math.abs(harm), Math.abs(before));
  let before = -Infinity;
  data.forEach((row, i) => {
    const group = groups.get(row.field);
    assert.ok(group, `${what}: ${row.field}`);
    groups.delete(row.field);
    const expected = answer(id, measurement, group);
    check(row, expected, `${what} = ${row.field}`, measurement);
    assert.equal(row.negative_impact, i + 1, what); // most harmful first
    const harm = score(id, measurement, overall, expected);
    assert.ok(harm >= before - (i && near(harm)), `${what}: ${row.field} stands too late`);
    before = harm;
  });
  for (const [field, group] of groups) { // beyond the page: none of them harms more
    const harm = score(id, measurement, overall, answer(id, measurement, group));
    assert.ok(harm >= before - near(harm), `${what}: ${field} is not there`);
  }
}

test('every metric by every dimension', async () => {
  const pairs = Object.keys(METRICS).flatMap((id, i) => dimensions.map((dimension, k) => [id, dimension, i + k]));
  // All of them in the long run; each metric and each dimension several times otherwise.
  const some = process.env.FIRSTFRAME_LONG ? pairs : pairs.filter(([, , diagonal]) => diagonal % 7 === 0);
  let done = 0;
  await inParallel(some, async ([id, dimension]) => {
    await checkBreakdown(id, dimension);
    if (++done % 500 === 0) console.log(`# ${done} of ${some.length} pairs`);
  });
});

test('orders of a breakdown, ties and pages', async () => {
  const rows = async params => (await ask('video_startup_time/breakdown', `&group_by=video_title&${params}`)).data;
  const all = await rows('limit=1000');
  const fields = list => list.map(row => row.field);
  const ties = (a, b) => b.views - a.views || byField(a.field, b.field);
  const orders = {
    'order_by=value': (a, b) => b.value - a.value || ties(a, b),
    'order_by=value&order_direction=asc': (a, b) => a.value - b.value || ties(a, b),
    'order_by=views': (a, b) => b.views - a.views || byField(a.field, b.field),
    'order_by=views&order_direction=asc': (a, b) => a.views - b.views || byField(a.field, b.field),
    'order_by=field': (a, b) => byField(a.field, b.field),
    'order_by=negative_impact': (a, b) => a.negative_impact - b.negative_impact,
    'order_by=negative_impact&order_direction=asc': (a, b) => b.negative_impact - a.negative_impact,
  };
  for (const [params, compare] of Object.entries(orders))
    assert.deepEqual(fields(await rows(params + '&limit=1000')), fields([...all].sort(compare)), params);
  const pages = [];
  for (let page = 1; ; page++) {
    const one = await rows(`limit=4&page=${page}&order_by=field`);
    if (one.length === 0) break;
    pages.push(...one);
  }
  assert.deepEqual(fields(pages), fields([...all].sort(orders['order_by=field'])));
});

test('timeseries: every bucket, both clocks, both directions', async () => {
  for (const [id, measurement] of [['video_startup_time', '95th'], ['playing_time', 'sum'], ['rebuffer_percentage', 'avg'], ['unique_viewers', 'count']]) {
    const time = METRICS[id].clock === 'start' ? 'view_start_ms' : 'view_end_ms';
    const groups = Map.groupBy(views, view => Math.floor(view[time] / 3_600_000));
    const { data, meta, timeframe, total_row_count: total } = await ask(`${id}/timeseries`, `&measurement=${measurement}&group_by=hour`);
    assert.equal(data.length, (server.to - server.from) / 3600);
    assert.equal(total, data.length);
    assert.deepEqual(timeframe, [server.from, server.to - 1]);
    assert.equal(meta.granularity, 'hour');
    data.forEach(([when, value, count], i) => {
      assert.equal(Date.parse(when), (server.from + 3600 * i) * 1000);
      const expected = answer(id, measurement, groups.get(Date.parse(when) / 3_600_000) ?? []);
      close(value, expected.value, `${id} at ${when}`);
      assert.equal(count, expected.views);
    });
    const back = await ask(`${id}/timeseries`, `&measurement=${measurement}&group_by=hour&order_direction=desc`);
    assert.deepEqual(back.data, [...data].reverse());
    const byDay = await ask(`${id}/timeseries`, `&measurement=${measurement}`);
    assert.equal(byDay.meta.granularity, 'day');
    assert.equal(byDay.data.length, (server.to - server.from) / 86400);
  }
});

test('comparison: every row', async () => {
  const { data } = await ask('comparison');
  const seen = new Set();
  const aliases = { playback_failure_score: 'playback_success_score' };
  const total = key => views.reduce((sum, view) => sum + (view[key] ?? 0), 0);
  assert.deepEqual(data[0], { name: 'totals', watch_time: total('watch_time'), view_count: views.length, started_views: views.length,
    ended_views: views.length, unique_viewers: answer('unique_viewers', 'count', views).value, total_playing_time: total('view_playing_time') });
  for (const row of data.slice(1).flatMap(block => [block, ...(block.items ?? [])])) {
    const id = aliases[row.metric] ?? row.metric;
    const label = /\((total|average|median|95th %)\)$/.exec(row.name)?.[1];
    const measurement = { total: 'sum', average: 'avg', median: 'median', '95th %': '95th' }[label] ?? METRICS[id].default;
    close(row.value, answer(id, measurement, views).value, row.name);
    if (row.measurement) assert.equal(row.measurement, measurement, row.name);
    seen.add(row.name);
  }
  assert.equal(seen.size, 6 + 55); // blocks and items of the published example
  const country = views.find(view => view.detail.country_code).detail.country_code;
  const some = (await ask('comparison', `&dimension=country&value=${country}`)).data;
  assert.equal(some[0].view_count, views.filter(view => view.detail.country_code === country).length);
  // One more filter: an alternative to those of its dimension, and a condition beside those of others.
  const another = views.find(view => view.detail.country_code && view.detail.country_code !== country).detail.country_code;
  const browser = views.find(view => view.detail.country_code === country).detail.viewer_application_name;
  for (const [filters, kept] of [[`&filters[]=country:${another}`, view => [country, another].includes(view.detail.country_code)],
    [`&filters[]=browser:${encodeURIComponent(browser)}`, view => view.detail.country_code === country && view.detail.viewer_application_name === browser],
    [`&filters[]=!country:${country}`, () => false]])
    assert.equal((await ask('comparison', `&dimension=country&value=${country}${filters}`)).data[0].view_count, views.filter(kept).length, filters);
});

// Averages come from one scan of the store, percentiles from several.
for (const id of ['viewer_experience_score', 'video_startup_time']) test(`insights: the worst of all dimensions together, ${id}`, async () => {
  const measurement = METRICS[id].default, known = views.filter(view => valueOf(METRICS[id], view) !== null);
  const { data } = await ask(`${id}/insights`);
  assert.equal(data.length, 100);
  const overall = answer(id, measurement, known);
  for (const row of data) {
    const expected = answer(id, measurement, known.filter(view => dimensionOf(row.filter_column, view) === row.filter_value));
    close(row.metric, expected.value, `${row.filter_column} = ${row.filter_value}`);
    assert.equal(row.total_views, expected.views);
    assert.equal(row.total_watch_time, expected.watch);
    close(row.negative_impact_score, score(id, measurement, overall, expected), `${row.filter_column} = ${row.filter_value}`, 1e-9, Math.abs(overall.value) * expected.views);
  }
  const worst = data.map(row => row.negative_impact_score);
  assert.deepEqual(worst, [...worst].sort((a, b) => a - b));
  // Nothing worse was left out.
  for (const dimension of ['country', 'browser', 'cdn', 'video_title', 'player_autoplay', 'custom_1', 'experiment_name'])
    for (const [value, group] of Map.groupBy(known, view => dimensionOf(dimension, view))) {
      const harm = score(id, measurement, overall, answer(id, measurement, group));
      if (value === null || harm >= worst.at(-1) - 1e-6) continue;
      assert.ok(data.some(row => row.filter_column === dimension && row.filter_value === value), `${dimension} = ${value} harms by ${harm}`);
    }
});

test('filters: every form selects what it says', async () => {
  const field = name => view => dimensionOf(name, view);
  const country = field('country'), trace = view => view.detail.video_cdn_trace, os = field('operating_system');
  const [one, two] = [...new Set(views.map(country).filter(Boolean))];
  const cdn = views.map(trace).find(list => list.length > 1)[0], exact = views.map(trace).find(list => list.length > 1);
  const system = views.map(os).find(Boolean);
  const cases = [
    [[`country:${one}`], view => country(view) === one],
    [[`!country:${one}`], view => country(view) !== one],
    [[`country:${one}`, `country:${two}`], view => [one, two].includes(country(view))],
    [[`!country:${one}`, `!country:${two}`], view => ![one, two].includes(country(view))],
    [[`country:${one}`, `country:${two}`, `!country:${two}`], view => country(view) === one],
    [[`country:${one}`, `operating_system:${system}`], view => country(view) === one && os(view) === system],
    [['video_series:'], view => field('video_series')(view) === null],
    [['!video_series:__empty__'], view => field('video_series')(view) !== null],
    [[`country:${one.toLowerCase()}`], () => false],
    [['view_has_ad:true'], view => view.view_has_ad],
    [['!view_has_ad:true'], view => !view.view_has_ad],
    [['playback_failure:false', 'player_autoplay:true'], view => !view.playback_failure && view.detail.player_autoplay],
    [['video_source_height:720'], view => view.detail.video_source_height === 720],
    [['!video_source_height:720'], view => view.detail.video_source_height !== 720],
    [['video_source_fps:29.97'], view => view.detail.video_source_fps === 29.97],
    [[`+video_cdn_trace:${cdn}`], view => trace(view).includes(cdn)],
    [[`-video_cdn_trace:${cdn}`], view => !trace(view).includes(cdn)],
    [[`video_cdn_trace:[${exact}]`], view => String(trace(view)) === String(exact)],
    [[`!video_cdn_trace:[${exact}]`], view => String(trace(view)) !== String(exact)],
    [['video_cdn_trace:[]'], view => trace(view).length === 0],
    [[`+video_cdn_trace:${cdn}`, `-video_cdn_trace:${exact[1]}`], view => trace(view).includes(cdn) && !trace(view).includes(exact[1])],
  ];
  for (const [filters, keep] of cases) {
    const params = filters.map(filter => '&filters[]=' + encodeURIComponent(filter)).join('');
    const expected = views.filter(keep);
    check((await ask('playback_failure_percentage/overall', params)).data, answer('playback_failure_percentage', 'avg', expected), filters.join(' '));
  }
  const unbracketed = (await ask('views/overall', `&filters=country:${one}`)).data;
  assert.equal(unbracketed.value, views.filter(view => country(view) === one).length);
  const plus = (await ask('views/overall', `&filters[]=+video_cdn_trace:${cdn}`)).data; // a raw + decodes to a blank
  assert.equal(plus.value, views.filter(view => trace(view).includes(cdn)).length);
});

test('metric filters: every operator, numbers, predicates and ratios', async () => {
  const startup = view => view.time_to_first_frame ?? null;
  const known = views.map(startup).find(value => value !== null);
  const operators = { '>=': (a, b) => a >= b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '<': (a, b) => a < b,
    '=': (a, b) => a === b, '==': (a, b) => a === b, '!=': (a, b) => a !== b };
  for (const [operator, holds] of Object.entries(operators)) {
    const expected = views.filter(view => startup(view) !== null && holds(startup(view), known));
    const { data } = await ask('views/overall', `&metric_filters[]=${encodeURIComponent(`video_startup_time${operator}${known}`)}`);
    assert.equal(data.value, expected.length, operator);
  }
  for (const [filter, keep] of [
    ['playback_failure_percentage=1', view => view.playback_failure],
    ['rebuffer_percentage>0.02', view => valueOf(METRICS.rebuffer_percentage, view) > 0.02],
    ['time_to_first_frame>=500', view => startup(view) >= 500 && startup(view) !== null],
  ]) {
    const { data } = await ask('views/overall', '&metric_filters[]=' + encodeURIComponent(filter));
    assert.equal(data.value, views.filter(keep).length, filter);
  }
  const both = await ask('views/overall', '&metric_filters[]=' + encodeURIComponent('video_startup_time>=300') + '&metric_filters[]=' + encodeURIComponent('rebuffer_count>=1'));
  assert.equal(both.data.value, views.filter(view => startup(view) !== null && startup(view) >= 300 && view.watched && view.buffering_count >= 1).length);
});

test('nothing matches: counts and sums are 0, everything else null', async () => {
  for (const [id, metric] of Object.entries(METRICS)) {
    const { data } = await ask(`${id}/overall`, '&filters[]=video_id:there-is-no-such');
    const zero = ['sum', 'count'].includes(metric.default);
    assert.deepEqual(data, { value: zero ? 0 : null, total_watch_time: 0, total_playing_time: 0, total_views: 0, global_value: null }, id);
    assert.deepEqual((await ask(`${id}/insights`, '&filters[]=video_id:there-is-no-such')).data, [], id);
  }
});

test('a window counts views by the metric\'s own clock', async () => {
  const long = views.find(view => Math.floor(view.view_start_ms / 60000) !== Math.floor(view.view_end_ms / 60000));
  const minute = Math.floor(long.view_start_ms / 60000) * 60;
  const frame = `timeframe[]=${minute}&timeframe[]=${minute + 59}`;
  const inside = key => views.filter(view => view[key] >= minute * 1000 && view[key] < (minute + 60) * 1000).length;
  const value = async id => (await server.json(`/data/v1/metrics/${id}/overall?${frame}&measurement=count`)).data.value;
  assert.equal(await value('views'), inside('view_start_ms'));
  assert.equal(await value('playback_failure_percentage'), inside('view_end_ms'));
});
