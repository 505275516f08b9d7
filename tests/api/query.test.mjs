// SPDX-License-Identifier: Apache-2.0
// POST /data/v1/query against a calculation of its own, and tries to break out of it: another environment, other tables,
// functions, settings.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { firstframe, until } from '../lib/server.mjs';
import { METRICS, answer, byField, close, dimensionOf, percentile, valueOf } from './calculate.mjs';
import { Simulated } from './simulated.mjs';

let server, views, foreign;

before(async () => {
  server = await new Simulated({ views: 400, seed: 31 }).start();
  const details = await server.details();
  views = server.truth.map(view => ({ ...view, detail: details.get(view.view_id) }));
  // Another environment of the same organization, with one view.
  foreign = JSON.parse(firstframe(['environment', 'add', '--data', server.data, '--name', 'Foreign', '--json']));
  const events = ['viewstart', 'play', 'playing', 'viewend'].map((e, i) => ({ e, xid: 'foreign-view', xsqno: i + 1, uti: Date.now() - 5000 + 1000 * i,
    ake: foreign.env_key, vtt: 'Foreign title', xwati: 1000 * i }));
  await until('the foreign env key to be known', async () => {
    await fetch(server.url + '/', { method: 'POST', body: JSON.stringify({ events }) });
    const token = tokenOf(foreign.environment_id ?? foreign.id);
    const { data } = await (await fetch(`${server.url}/data/v1/metrics/views/overall?timeframe[]=1:hour`, { headers: { authorization: token } })).json();
    return data.value === 1;
  }, { every: 500 });
});
after(() => server?.stop());

function tokenOf(environment, extra = []) {
  const made = JSON.parse(firstframe(['token', 'add', '--data', server.data, '--environment', environment, '--name', 'test', '--permissions', 'data:read', '--json', ...extra]));
  return 'Basic ' + Buffer.from(`${made.token_id ?? made.id}:${made.token_secret ?? made.secret}`).toString('base64');
}

const timeframe = () => [server.from, server.to - 1];
const ask = (query, headers) => server.sendJson('POST', '/data/v1/query', { timeframe: timeframe(), ...query }, headers);

test('several metrics and measurements by two dimensions', async () => {
  const metrics = [
    { metric: 'video_startup_time', measurement: 'median' }, { metric: 'video_startup_time', percentile: 0.99, name: 'slowest' },
    { metric: 'video_startup_time', percentile: 0, name: 'fastest' }, { metric: 'rebuffer_percentage' },
    { metric: 'rebuffer_percentage', measurement: '95th' }, { metric: 'weighted_average_bitrate', measurement: '95th' },
    { metric: 'playing_time' }, { metric: 'unique_viewers' }, { metric: 'views' }, { metric: 'seek_latency', measurement: 'count' },
    { metric: 'viewer_experience_score', measurement: 'stddev' }, { metric: 'playback_failure_percentage', measurement: 'sum' },
  ];
  const { data, meta, total_row_count: total } = await ask({ metrics, dimensions: ['viewer_device_category', 'player_autoplay'], limit: 10000 });
  const key = view => JSON.stringify([dimensionOf('viewer_device_category', view), dimensionOf('player_autoplay', view)]);
  const groups = Map.groupBy(views, key);
  assert.equal(data.length, groups.size);
  assert.equal(total, groups.size);
  assert.deepEqual(meta.columns.map(column => column.name), ['viewer_device_category', 'player_autoplay', 'video_startup_time_median',
    'slowest', 'fastest', 'rebuffer_percentage_avg', 'rebuffer_percentage_95th', 'weighted_average_bitrate_95th', 'playing_time_sum',
    'unique_viewers_count', 'views_count', 'seek_latency_count', 'viewer_experience_score_stddev', 'playback_failure_percentage_sum']);
  for (const row of data) {
    const group = groups.get(JSON.stringify([row.viewer_device_category, row.player_autoplay]));
    const what = `${row.viewer_device_category}, ${row.player_autoplay}: `;
    for (const { metric, measurement, percentile: q, name } of metrics) {
      const column = name ?? `${metric}_${measurement ?? METRICS[metric].default}`;
      const values = group.map(view => valueOf(METRICS[metric], view)).filter(value => value !== null);
      if (q !== undefined) close(row[column], values.length ? percentile(values, q) : null, what + column);
      else if (measurement === 'stddev') close(row[column], deviation(values), what + column);
      else close(row[column], answer(metric, measurement ?? METRICS[metric].default, group).value, what + column);
    }
  }
});

const deviation = values => {
  if (values.length === 0) return null;
  const mean = values.reduce((a, b) => a + b) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
};

test('histograms', async () => {
  const edges = [300, 500, 800, 2000];
  const { data: [row], meta } = await ask({ metrics: [{ metric: 'video_startup_time', histogram: { edges } },
    { metric: 'viewer_experience_score', histogram: { from: 0, to: 1, buckets: 4 }, name: 'scores' }] });
  const of = (id, inside) => views.map(view => valueOf(METRICS[id], view)).filter(value => value !== null && inside(value)).length;
  assert.deepEqual(row.video_startup_time_histogram, { below: of('video_startup_time', v => v < 300),
    counts: [0, 1, 2].map(i => of('video_startup_time', v => v >= edges[i] && v < edges[i + 1])), above: of('video_startup_time', v => v >= 2000) });
  assert.deepEqual(meta.columns[1].edges, [0, 0.25, 0.5, 0.75, 1]);
  assert.equal(row.scores.above, of('viewer_experience_score', v => v >= 1));
});

test('time buckets, both clocks in one table', async () => {
  const { data } = await ask({ metrics: [{ metric: 'views' }, { metric: 'video_startup_time', measurement: 'count' }], time_bucket: 'hour' });
  const started = Map.groupBy(views, view => Math.floor(view.view_start_ms / 3_600_000));
  const ended = Map.groupBy(views.filter(view => view.time_to_first_frame !== null), view => Math.floor(view.view_end_ms / 3_600_000));
  const hours = [...new Set([...started.keys(), ...ended.keys()])].sort((a, b) => a - b);
  assert.deepEqual(data, hours.map(hour => ({ time: new Date(hour * 3_600_000).toISOString().replace('.000', ''),
    views_count: started.get(hour)?.length ?? 0, video_startup_time_count: ended.get(hour)?.length ?? 0 })));
});

test('trees of conditions', async () => {
  const [us, de] = [...new Set(views.map(view => view.detail.country_code).filter(Boolean))];
  const country = view => view.detail.country_code ?? null, trace = view => view.detail.video_cdn_trace;
  const cdn = trace(views.find(view => trace(view).length > 1))[1];
  const is = (dimension, value, operator) => ({ dimension, value, operator });
  for (const [filters, keep] of [
    [is('country', us), view => country(view) === us],
    [is('country', null), view => country(view) === null],
    [is('country', us, 'is_not'), view => country(view) !== us],
    [is('country', [us, de], 'in'), view => [us, de].includes(country(view))],
    [is('country', [us, null], 'not_in'), view => ![us, null].includes(country(view))],
    [is('view_has_ad', true), view => view.view_has_ad],
    [is('video_source_height', [720, 1080], 'in'), view => [720, 1080].includes(view.detail.video_source_height)],
    [is('video_cdn_trace', cdn, 'contains'), view => trace(view).includes(cdn)],
    [is('video_cdn_trace', cdn, 'does_not_contain'), view => !trace(view).includes(cdn)],
    [is('video_cdn_trace', []), view => trace(view).length === 0],
    [{ not: is('country', us) }, view => country(view) !== us],
    [{ or: [is('country', us), is('view_has_ad', true)] }, view => country(view) === us || view.view_has_ad],
    [{ and: [{ or: [is('country', us), is('country', de)] }, { not: { and: [is('view_has_ad', true), is('country', de)] } }] },
      view => [us, de].includes(country(view)) && !(view.view_has_ad && country(view) === de)],
  ]) {
    const { data } = await ask({ metrics: [{ metric: 'views' }], filters });
    assert.deepEqual(data, [{ views_count: views.filter(keep).length }], JSON.stringify(filters));
  }
  const { data } = await ask({ metrics: [{ metric: 'views' }], metric_filters: [{ metric: 'rebuffer_count', operator: '>=', value: 1 }] });
  assert.equal(data[0].views_count, views.filter(view => view.watched && view.buffering_count >= 1).length);
});

test('order, limit and pages', async () => {
  const query = { metrics: [{ metric: 'video_startup_time' }, { metric: 'views' }], dimensions: ['video_title', 'country'] };
  const whole = (await ask({ ...query, limit: 10000 })).data;
  const column = 'video_startup_time_median', nullLast = (a, b) => (a === null) - (b === null);
  const ties = (a, b) => byField(a.video_title, b.video_title) || byField(a.country, b.country);
  assert.deepEqual(whole, [...whole].sort((a, b) => nullLast(a[column], b[column]) || b[column] - a[column] || ties(a, b)));
  const ordered = (await ask({ ...query, limit: 10000, order: [{ by: 'country', direction: 'asc' }, { by: 'views_count' }] })).data;
  assert.deepEqual(ordered, [...whole].sort((a, b) => byField(a.country, b.country) || b.views_count - a.views_count || ties(a, b)));
  const pages = [];
  for (let page = 1; ; page++) {
    const { data, total_row_count: total } = await ask({ ...query, limit: 40, page });
    assert.equal(total, whole.length);
    if (data.length === 0) break;
    pages.push(...data);
  }
  assert.deepEqual(pages, whole);
  for (const page of [1001, 2 ** 32 - 1]) assert.deepEqual((await ask({ ...query, page })).data, [], page);
  // Without a direction: metrics downwards, all else upwards.
  assert.deepEqual((await ask({ ...query, limit: 10000, order: [{ by: 'country' }, { by: 'views_count' }] })).data, ordered);
  const days = (await ask({ ...query, dimensions: [], time_bucket: 'day', order: [{ by: 'time' }] })).data.map(row => row.time);
  assert.ok(days.length > 1);
  assert.deepEqual(days, [...days].sort());
});

test('weighted by sample rate', async () => {
  const weight = view => (view.mux_sample_rate > 0 ? 1 / view.mux_sample_rate : 1);
  const known = views.filter(view => view.watched && view.buffering_count !== null);
  const sum = (list, of) => list.reduce((total, view) => total + of(view), 0);
  assert.ok(views.some(view => weight(view) > 1), 'the simulation samples some views');
  const { data: [row] } = await ask({ weighted: true, metrics: [{ metric: 'views' }, { metric: 'rebuffer_count', measurement: 'sum' },
    { metric: 'rebuffer_count', measurement: 'avg' }, { metric: 'rebuffer_percentage' }, { metric: 'rebuffer_count', histogram: { edges: [0, 1] } }] });
  close(row.views_count, sum(views, weight), 'views');
  close(row.rebuffer_count_sum, sum(known, view => view.buffering_count * weight(view)), 'sum');
  close(row.rebuffer_count_avg, sum(known, view => view.buffering_count * weight(view)) / sum(known, weight), 'avg');
  const ratio = views.filter(view => valueOf(METRICS.rebuffer_percentage, view) !== null);
  close(row.rebuffer_percentage_avg, sum(ratio, view => view.buffering_duration * weight(view)) / sum(ratio, view => view.watch_time * weight(view)), 'ratio');
  close(row.rebuffer_count_histogram.counts[0], sum(known.filter(view => view.buffering_count === 0), weight), 'histogram');
});

test('nobody gets out of their environment or their filter', async () => {
  const every = { metrics: [{ metric: 'views' }] };
  const foreignId = foreign.environment_id ?? foreign.id;
  const evil = ["' OR 1=1 --", "x' OR environment_id != '", `' UNION ALL SELECT * FROM firstframe.views WHERE environment_id = '${foreignId}`,
    "\\' OR 1=1 --", "\\", "\\\\' OR 1 --", '\u0000\' OR 1 --', '$(id)', '{x:String}', '%', '_', '/* */', '`', '"', "'; DROP TABLE firstframe.views; --",
    "a'||sleep(3)||'", "') SETTINGS readonly = 0 --", 'ʼ OR 1=1', '＇ OR 1=1', '\n', '\t\' OR \'\' = \''];
  for (const value of evil) {
    for (const operator of ['is', 'in']) {
      const { data } = await ask({ ...every, filters: { dimension: 'video_title', operator, value: operator === 'in' ? [value] : value } });
      assert.deepEqual(data, [{ views_count: 0 }], JSON.stringify(value));
    }
    const { data } = await ask({ ...every, filters: { dimension: 'video_cdn_trace', operator: 'contains', value } });
    assert.deepEqual(data, [{ views_count: 0 }], JSON.stringify(value));
    const url = `/data/v1/metrics/views/overall?${server.window}&filters[]=${encodeURIComponent('video_title:' + value)}`;
    assert.equal((await server.json(url)).data.value, 0, url);
    const paths = value.includes('\0') ? [] : ['engagement/videos/']; // a NUL in a path is refused before anybody looks
    for (const route of ['video-views?viewer_id=', 'dimensions/country?filters[]=video_title:', 'metrics/comparison?dimension=video_title&value=', ...paths])
      assert.equal((await server.get(`/data/v1/${route}${encodeURIComponent(value)}${route.endsWith('/') ? '/heatmap' : ''}`)).status, 200, route + value);
  }
  // Asking for another environment by name: no row, no group, no value.
  for (const filters of [{ dimension: 'environment_id', value: foreignId }, { or: [{ dimension: 'environment_id', value: foreignId }, { dimension: 'environment_id', value: 'x' }] }])
    assert.deepEqual((await ask({ ...every, filters, timeframe: ['1:hour'] })).data, [{ views_count: 0 }]);
  const groups = (await ask({ ...every, dimensions: ['environment_id'], filters: { or: [{ dimension: 'environment_id', operator: 'is_not', value: 'x' }, { dimension: 'video_title', value: 'Foreign title' }] } })).data;
  assert.deepEqual(groups.map(row => row.environment_id), [server.environment_id]);
  assert.equal((await server.send('POST', `/data/v1/query?environment_id=${foreignId}`, every)).status, 403);
  assert.equal((await server.send('POST', '/data/v1/query', every, { 'x-environment-id': foreignId })).status, 403);
  // A filtered token sees its part, whatever stands in the tree.
  const site = views.find(view => view.sub_property_id).sub_property_id;
  const authorization = tokenOf(server.environment_id, ['--filter', `sub_property_id:${site}`]);
  const own = views.filter(view => view.sub_property_id === site).length;
  assert.ok(own > 0 && own < views.length);
  for (const filters of [undefined, { or: [{ dimension: 'sub_property_id', operator: 'is_not', value: site }, { dimension: 'sub_property_id', value: site }] },
    { not: { dimension: 'sub_property_id', value: 'nobody' } }])
    assert.equal((await ask({ ...every, filters }, { authorization })).data[0].views_count, own, JSON.stringify(filters));
  const seen = (await ask({ ...every, dimensions: ['sub_property_id'] }, { authorization })).data;
  assert.deepEqual(seen, [{ sub_property_id: site, views_count: own }]);
  assert.deepEqual((await ask({ ...every, filters: { dimension: 'sub_property_id', operator: 'is_not', value: site } }, { authorization })).data, [{ views_count: 0 }]);
  // And everything is still there.
  assert.equal((await ask(every)).data[0].views_count, views.length);
});

test('a cached answer is never somebody else\'s, nor an old one', async () => {
  const route = `/data/v1/metrics/views/overall?${server.window}&filters[]=!country:XX`;
  const hits = async () => Number(/firstframe_api_cache_hits_total (\d+)/.exec(await (await fetch(server.url + '/metrics')).text())[1]);
  const first = await server.get(route), before = await hits();
  const again = await server.get(route);
  assert.equal(await first.text(), await again.text());
  if (!process.env.FIRSTFRAME_TEST_STORE) assert.equal(await hits(), before + 1); // kept for the embedded store only
  assert.equal((await server.get(route, { 'if-none-match': first.headers.get('etag') })).status, 304);
  const value = async authorization => (await (await fetch(server.url + route, { headers: { authorization } })).json()).data.value;
  assert.equal(await value(tokenOf(foreign.environment_id ?? foreign.id)), 1);
  const site = views.find(view => view.sub_property_id).sub_property_id;
  assert.equal(await value(tokenOf(server.environment_id, ['--filter', `sub_property_id:${site}`])), views.filter(view => view.sub_property_id === site).length);
  // Engagement and subviews as well.
  const video = views.find(view => view.detail.video_id && view.detail.watch_time > 0).detail.video_id, subviews = '/data/v1/subview-metrics/playing_time/rendition';
  const others = [`/data/v1/engagement/videos/${video}/heatmap`, `/data/v1/engagement/videos/${video}/hotspots`, `${subviews}/overall`, `${subviews}/breakdown`, `${subviews}/breakdown-timeseries?time_granularity=day`,
    `${subviews}/comparison?dimension=country&values[]=US`, '/data/v1/subview-metrics/rendition/dimensions/country'];
  for (const path of others) {
    const whole = path + (path.includes('?') ? '&' : '?') + server.window, one = await server.json(whole), was = await hits();
    assert.deepEqual(await server.json(whole), one, path);
    if (!process.env.FIRSTFRAME_TEST_STORE) assert.equal(await hits(), was + 1, path);
  }
  // One view more, and the answer is another one.
  const events = ['viewstart', 'viewend'].map((e, i) => ({ e, xid: 'one-more-view', xsqno: i + 1, uti: Date.now() - 3000 + i, ake: server.env_key }));
  await fetch(server.url + '/', { method: 'POST', body: JSON.stringify({ events }) });
  await until('the new view to count', async () => (await server.json(route)).data.value === views.length + 1);
});
