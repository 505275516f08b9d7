// SPDX-License-Identifier: Apache-2.0
// The official node client, unmodified, with only another base URL: 15.3.0 and the last 12.x. Every method under data, and
// the system ones a Data server has, each checked for what it answers on views whose truth is known.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import zlib from 'node:zlib';
import Mux from '@mux/mux-node';
import { looks } from '../lib/schema.mjs';
import { until } from '../lib/server.mjs';
import { METRICS, answer, byField, close, dimensionOf } from './calculate.mjs';
import * as parts from './parts.mjs';
import { Simulated } from './simulated.mjs';

const Mux12 = createRequire(import.meta.url)('mux-node-12').default;
let server, views, window;

before(async () => {
  server = await new Simulated({ views: 300, seed: 23 }).start();
  const details = await server.details();
  views = server.truth.map(view => ({ ...view, detail: details.get(view.view_id) }));
  window = [String(server.from), String(server.to - 1)];
});
after(() => server?.stop());

// Remembers which methods were called.
function recorded(resource, name, called) {
  return new Proxy(resource, {
    get(target, key) {
      const value = target[key];
      if (typeof value === 'function' && key !== 'constructor') called.add(`${name}.${String(key)}`);
      if (value && typeof value === 'object' && '_client' in value) return recorded(value, `${name}.${String(key)}`, called);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
const methodsOf = (resource, name) => Object.getOwnPropertyNames(Object.getPrototypeOf(resource))
  .filter(key => key !== 'constructor').map(key => `${name}.${key}`);

async function all(page) {
  const rows = [];
  for await (const row of page) rows.push(row);
  return rows;
}

const counts = (rows, of) => [...Map.groupBy(rows, of)].map(([value, group]) => ({ value, total_count: group.length }))
  .sort((a, b) => b.total_count - a.total_count || byField(a.value, b.value));

for (const [version, Client] of [['15.3.0', Mux], ['12.8.1', Mux12]]) {
  describe(`@mux/mux-node ${version}`, () => {
    const called = new Set();
    let mux, data, system;
    const newest = version.startsWith('15');

    before(() => {
      // 12.x brings a fetch of its own, whose answers nobody would look at.
      mux = new Client({ tokenId: server.token_id, tokenSecret: server.token_secret, baseURL: server.url, fetch: globalThis.fetch });
      data = recorded(mux.data, 'data', called);
      system = recorded(mux.system, 'system', called);
    });

    test('its answers are held against /openapi.json', async () => {
      const before = looks(server.url);
      await data.metrics.getOverallValues('views', { timeframe: window });
      assert.equal(looks(server.url), before + 1);
    });

    test('metrics.getOverallValues, with filters and measurements', async () => {
      const overall = await data.metrics.getOverallValues('video_startup_time', { timeframe: window, measurement: '95th' });
      const expected = answer('video_startup_time', '95th', views);
      close(overall.data.value, expected.value, '95th');
      assert.equal(overall.data.total_views, expected.views);
      assert.equal(overall.data.total_watch_time, expected.watch);
      assert.equal(overall.data.global_value, null);
      assert.deepEqual(overall.timeframe, [server.from, server.to - 1]);
      assert.equal(overall.total_row_count, 1);
      const country = views.find(view => view.detail.country_code).detail.country_code;
      const some = await data.metrics.getOverallValues('playback_failure_percentage', { timeframe: window, filters: [`!country:${country}`, 'player_autoplay:false'] });
      const rest = views.filter(view => view.detail.country_code !== country && !view.detail.player_autoplay);
      close(some.data.value, answer('playback_failure_percentage', 'avg', rest).value, 'filtered');
      const long = await data.metrics.getOverallValues('views', { timeframe: window, metric_filters: ['rebuffer_count>=1'] });
      assert.equal(long.data.value, views.filter(view => view.watched && view.buffering_count >= 1).length);
    });

    test('metrics.getTimeseries', async () => {
      const series = await data.metrics.getTimeseries('views', { timeframe: window, group_by: 'day' });
      assert.equal(series.data.length, (server.to - server.from) / 86400);
      for (const [when, value, count] of series.data) {
        const expected = views.filter(view => Math.floor(view.view_start_ms / 86_400_000) === Date.parse(when) / 86_400_000).length;
        assert.equal(value, expected, when);
        assert.equal(count, expected);
      }
      assert.deepEqual(series.meta, { aggregation: 'view_start', granularity: 'day' });
    });

    test('metrics.listBreakdownValues, all pages', async () => {
      const rows = await all(data.metrics.listBreakdownValues('rebuffer_percentage', { timeframe: window, group_by: 'video_title', limit: 5 }));
      const groups = Map.groupBy(views.filter(view => view.watched && view.watch_time > 0), view => dimensionOf('video_title', view));
      assert.equal(rows.length, groups.size);
      for (const row of rows) {
        const expected = answer('rebuffer_percentage', 'avg', groups.get(row.field));
        close(row.value, expected.value, row.field);
        assert.equal(row.views, expected.views);
      }
      assert.deepEqual(rows.map(row => row.negative_impact), rows.map((_, i) => i + 1));
    });

    test('metrics.getInsights', async () => {
      const insights = await data.metrics.getInsights('video_startup_time', { timeframe: window, measurement: 'median' });
      assert.ok(insights.data.length > 50);
      const worst = insights.data[0];
      const group = views.filter(view => dimensionOf(worst.filter_column, view) === worst.filter_value);
      close(worst.metric, answer('video_startup_time', 'median', group).value, 'worst');
      assert.ok(worst.negative_impact_score < 0);
      assert.equal(insights.total_row_count >= insights.data.length, true);
    });

    test('metrics.list', async () => {
      const { data: rows } = await data.metrics.list({ timeframe: window });
      assert.equal(rows[0].name, 'totals');
      assert.equal(rows[0].view_count, views.length);
      assert.equal(rows.length, 7);
      const startup = rows.find(row => row.metric === 'startup_time_score');
      assert.equal(startup.items.length, 13);
      close(startup.items[0].value, answer('video_startup_time', 'median', views).value, 'median startup');
      close(startup.value, answer('startup_time_score', 'avg', views).value, 'score');
    });

    test('dimensions.list, listValues, listTraceElements', async () => {
      const { data: lists, total_row_count: total } = await data.dimensions.list();
      assert.equal(lists.basic.length, 22);
      assert.equal(lists.advanced.length, 84);
      assert.equal(total, 106);
      const values = await all(data.dimensions.listValues('browser', { timeframe: window, limit: 3 }));
      assert.deepEqual(values, counts(views, view => dimensionOf('browser', view)));
      const elements = await all(data.dimensions.listTraceElements('video_cdn_trace', { timeframe: window }));
      const pairs = views.flatMap(view => [...new Set(view.detail.video_cdn_trace)].map(value => ({ value })));
      assert.deepEqual(elements, counts(pairs, pair => pair.value));
      assert.deepEqual((await data.dimensions.listValues('no_such_dimension', { timeframe: window })).data, []);
    });

    test('videoViews.list and retrieve', async () => {
      const rows = await all(data.videoViews.list({ timeframe: window, limit: 100 }));
      assert.equal(rows.length, views.length);
      const ends = rows.map(row => row.view_end);
      assert.deepEqual(ends, [...ends].sort().reverse());
      assert.ok(rows.every(row => row.total_row_count === views.length));
      const failed = await all(data.videoViews.list({ timeframe: window, filters: ['playback_failure:true'] }));
      assert.equal(failed.length, views.filter(view => view.playback_failure).length);
      const person = views.find(view => view.viewer_user_id).viewer_user_id;
      assert.equal((await all(data.videoViews.list({ timeframe: window, viewer_id: person }))).length,
        views.filter(view => view.viewer_user_id === person || view.mux_viewer_id === person).length);
      const { data: view } = await data.videoViews.retrieve(rows[0].id);
      const truth = views.find(one => one.view_id === view.view_id);
      assert.equal(Object.keys(view).length, 195); // the 194 published ones and mux_sample_rate
      assert.equal(view.time_to_first_frame, truth.time_to_first_frame);
      assert.equal(view.view_start, truth.view_start);
      assert.equal(view.viewer_experience_score === null ? null : typeof view.viewer_experience_score, truth.viewer_experience_score === null ? null : 'string');
      assert.equal(view.events[0].viewer_time, Math.min(...view.events.map(event => event.viewer_time)));
      await assert.rejects(data.videoViews.retrieve('nope'), error => error.status === 404 && error.error.error.type === 'not_found');
    });

    test('errors.list, and the views of an error', async () => {
      const { data: rows, total_row_count: total } = await data.errors.list({ timeframe: window });
      const key = view => JSON.stringify([view.player_error_code, view.player_error_message]);
      const failed = views.filter(view => view.player_error_code !== null || view.player_error_message !== null);
      const groups = Map.groupBy(failed, key);
      assert.equal(total, rows.length);
      assert.equal(rows.reduce((sum, row) => sum + row.count, 0), views.filter(view => view.detail.error_type_id !== null).length);
      for (const row of rows) {
        const group = groups.get(JSON.stringify([row.player_error_code, row.message])) ?? [];
        if (row.player_error_code !== null) assert.equal(row.count, group.length, row.message);
        close(row.percentage, 100 * row.count / views.length, row.message);
        assert.equal(row.code, /^-?\d+$/.test(row.player_error_code ?? '') ? Number(row.player_error_code) : null);
      }
      const listed = await all(data.videoViews.list({ timeframe: window, error_id: rows[0].id }));
      assert.equal(listed.length, rows[0].count);
      assert.ok(listed.every(view => view.error_type_id === rows[0].id));
    });

    test('exports.listVideoViews: the file holds the day', async () => {
      const yesterday = new Date(Date.now() - 26 * 3600_000).toISOString().slice(0, 10);
      const file = await until('the exports to be made', async () => {
        const { data: days } = await data.exports.listVideoViews();
        return days.find(day => day.export_date <= yesterday)?.files[0] && days.find(day => day.export_date <= yesterday);
      }, { seconds: 120, every: 1000 });
      const response = await fetch(file.files[0].path); // no credential
      const text = zlib.gunzipSync(Buffer.from(await response.arrayBuffer())).toString();
      const rows = parseCsv(text), header = rows.shift();
      assert.deepEqual(header, [...header].sort());
      assert.equal(header.length, 172);
      const expected = views.filter(view => new Date(view.view_end_ms).toISOString().startsWith(file.export_date));
      assert.equal(rows.length, expected.length);
      const column = name => header.indexOf(name);
      for (const row of rows) {
        const view = views.find(one => one.view_id === row[column('view_id')]);
        assert.equal(row[column('video_startup_time')], view.time_to_first_frame === null ? '' : String(view.time_to_first_frame));
        assert.equal(row[column('video_title')], view.video_title ?? '');
        assert.equal(row[column('view_end')], new Date(view.view_end_ms).toISOString().replace('T', ' ').replace('Z', ''));
        assert.equal(row[column('video_cdn_trace')], `[${view.detail.video_cdn_trace}]`);
        assert.equal(row[column('playback_success_score')], view.playback_score === null ? '' : String(view.playback_score));
        assert.equal(row[column('watched')], String(view.watched));
      }
    });

    test('annotations.create, retrieve, update, list, delete', async () => {
      const date = 1767600000;
      const made = await data.annotations.create({ note: `deploy of ${version}`, date, sub_property_id: 'site-a' });
      assert.equal(made.note, `deploy of ${version}`);
      assert.equal(made.date, '2026-01-05T08:00:00Z');
      assert.equal(made.sub_property_id, 'site-a');
      assert.deepEqual(await data.annotations.retrieve(made.id), made);
      const changed = await data.annotations.update(made.id, { note: 'rolled back', date: date + 60 });
      assert.deepEqual(changed, { ...made, note: 'rolled back', date: '2026-01-05T08:01:00Z' });
      const second = await data.annotations.create({ note: 'later', date: date + 3600 });
      assert.equal(second.sub_property_id, null);
      const listed = await all(data.annotations.list({ limit: 1 }));
      assert.deepEqual(listed.map(one => one.id), [made.id, second.id]);
      assert.deepEqual((await data.annotations.list({ order_direction: 'desc' })).data[0].id, second.id);
      assert.equal((await data.annotations.list({ timeframe: [String(date), String(date + 120)] })).data.length, 1);
      for (const one of [made, second]) await data.annotations.delete(one.id);
      await assert.rejects(data.annotations.retrieve(made.id), error => error.status === 404);
      assert.deepEqual((await data.annotations.list()).data, []);
    });

    if (newest) {
      test('engagement: heatmap and hotspots of videos, assets and playback ids', async () => {
        for (const [resource, key] of [['videos', 'video_id'], ['assets', 'asset_id'], ['playbackIds', 'playback_id']]) {
          const engagement = data.engagement[resource], id = counts(views.filter(view => view[key]), view => view[key])[0].value;
          const group = views.filter(view => view[key] === id), expected = parts.heatmap(group);
          assert.ok(expected.views >= 3 && expected.duration > 0 && new Set(expected.seen).size > 2, `${key} ${id} tells something`);
          assert.equal(expected.views, group.filter(view => view.view_content_playing_time > 0).length); // what is stored of a view with seeks, as the truth says
          const map = await engagement.heatmap(id, { timeframe: window });
          assert.deepEqual(map.data, { total_views: expected.views, value: expected.seen.map(n => n / expected.views) }, id);
          assert.deepEqual([map.timeframe, map.total_row_count], [[server.from, server.to - 1], 1]);
          for (const order_direction of ['desc', 'asc']) {
            const hot = parts.hotspots(expected, order_direction === 'asc');
            assert.ok(hot.length > 0);
            const spots = await engagement.hotspots(id, { timeframe: window, order_direction });
            assert.deepEqual(spots.data, { total_views: expected.views, hotspots: hot }, `${id} ${order_direction}`);
            assert.equal(spots.total_row_count, hot.length);
            assert.deepEqual((await engagement.hotspots(id, { timeframe: window, order_direction, limit: 1 })).data.hotspots, hot.slice(0, 1));
          }
          assert.deepEqual((await engagement.hotspots(id, { timeframe: window })).data.hotspots, parts.hotspots(expected));
          assert.deepEqual((await engagement.heatmap('no-such-thing', { timeframe: window })).data, { total_views: 0, value: Array(10).fill(0) });
          assert.deepEqual((await engagement.hotspots('no-such-thing', { timeframe: window })).data, { total_views: 0, hotspots: [] });
        }
      });

      test('subview metrics: values and breakdowns', async () => {
        const told = views.filter(parts.tellsParts), sum = of => told.reduce((all, view) => all + (of(view) ?? 0), 0);
        assert.ok(told.length > 0 && told.length < views.length);
        for (const [type, truth, of] of [['rendition', view => view.view_content_playing_time, view => parts.renditions(view)], ['playback_mode', view => view.view_playing_time, parts.modes]]) {
          const overall = await data.subviewMetrics.getOverallValues('playing_time', type, { timeframe: window });
          assert.equal(overall.data.metric_value, sum(truth), type);
          assert.equal(overall.total_row_count, null);
          assert.deepEqual(overall.meta, { subview_type: type, metric: 'playing_time', unit: 'ms' });
          const expected = parts.rows(views.flatMap(of));
          assert.ok(expected.length > 2, type);
          assert.equal(expected.reduce((all, row) => all + row.metric_value, 0), sum(truth), 'what is stored');
          assert.deepEqual(await all(data.subviewMetrics.listBreakdownValues('playing_time', type, { timeframe: window, limit: 2 })), expected);
        }
        const some = await all(data.subviewMetrics.listBreakdownValues('playing_time', 'rendition', { timeframe: window, group_by: ['video_source_width', 'video_source_codec'] }));
        assert.deepEqual(some, parts.rows(views.flatMap(view => parts.renditions(view, ['width', 'codec']))));
        assert.match(some[0].breakdown_value, /^\d+w \/ \w/);
      });

      test('subview metrics: comparison, over time, dimensions', async () => {
        const deviceOf = view => dimensionOf('viewer_device_category', view), heights = view => parts.renditions(view, ['height']);
        const devices = counts(views, deviceOf).map(one => one.value).filter(Boolean).slice(0, 2);
        const comparison = await data.subviewMetrics.listComparisonValues('playing_time', 'rendition',
          { timeframe: window, dimension: 'viewer_device_category', values: devices, group_by: ['video_source_height'], breakdown_value_limit: 2 });
        assert.deepEqual(comparison.data, devices.map(device => ({ dimension_value: device, values: parts.rows(views.filter(view => deviceOf(view) === device).flatMap(heights), 2) })));
        assert.ok(comparison.data.every(group => group.values.length === 3 && group.values[2].breakdown_value === 'other'));
        const filtered = await data.subviewMetrics.getOverallValues('playing_time', 'rendition', { timeframe: window, filters: [`viewer_device_category:${devices[0]}`] });
        assert.equal(filtered.data.metric_value, views.filter(view => parts.tellsParts(view) && deviceOf(view) === devices[0]).reduce((sum, view) => sum + (view.view_content_playing_time ?? 0), 0));

        const series = await data.subviewMetrics.getBreakdownTimeseries('playing_time', 'rendition', { timeframe: window, time_granularity: 'day', breakdown_value_limit: 3 });
        const now = Date.now(), day = 86_400_000, days = [];
        for (let start = server.from * 1000; start + day <= now; start += day) {
          const ended = views.filter(view => view.view_end_ms >= start && view.view_end_ms < start + day);
          days.push({ date: new Date(start).toISOString().replace('.000Z', 'Z'), status: start + day <= now - 3_600_000 ? 'complete' : 'partial', values: parts.rows(ended.flatMap(view => parts.renditions(view)), 3) });
        }
        assert.deepEqual(series.data, days);
        assert.ok(days.filter(one => one.values.length === 4).length > 1);
        assert.equal(series.total_row_count, days.length);

        assert.deepEqual((await data.subviewMetrics.listDimensions('playback_mode')).data.subview, ['player_playback_mode']);
        const asValues = list => parts.together(list).map(([value, playing_time]) => ({ value, playing_time }));
        assert.deepEqual(await all(data.subviewMetrics.listDimensionValues('rendition', 'video_source_height', { timeframe: window, limit: 2 })), asValues(views.flatMap(parts.heights)));
        const countries = views.flatMap(view => parts.renditions(view).map(([, ms]) => [dimensionOf('country', view) ?? '__empty__', ms]));
        const some = asValues(countries).filter(row => /u/i.test(row.value));
        assert.ok(some.length > 1);
        assert.deepEqual(await all(data.subviewMetrics.listDimensionValues('rendition', 'country', { timeframe: window, query: 'u' })), some);
      });

      test('usageExports.list is refused', async () => {
        await assert.rejects(system.usageExports.list(), error => error.status === 403 && error.error.error.type === 'forbidden');
        assert.deepEqual((await system.webhooks.list()).data, []);
      });
    } else {
      test('filters (deprecated)', async () => {
        const values = await all(data.filters.listValues('browser', { timeframe: window }));
        assert.deepEqual(values, counts(views, view => dimensionOf('browser', view)));
      });
    }

    test('utilities.whoami', async () => {
      const me = await system.utilities.whoami();
      assert.equal(me.environment_id, server.environment_id);
      assert.ok(me.permissions.includes('data:read') && me.permissions.includes('system:write'));
    });

    test('signingKeys.create, retrieve, list, delete; the key signs for /counts', async () => {
      const key = await system.signingKeys.create();
      assert.match(key.created_at, /^\d{10}$/);
      const pem = Buffer.from(key.private_key, 'base64').toString();
      assert.equal(crypto.createPrivateKey(pem).asymmetricKeyDetails.modulusLength, 2048);
      assert.deepEqual(await system.signingKeys.retrieve(key.id), { id: key.id, created_at: key.created_at });
      assert.ok((await all(system.signingKeys.list())).some(one => one.id === key.id && !('private_key' in one)));
      assert.deepEqual(Object.keys(await (await system.signingKeys.list().asResponse()).json()), ['data']);
      const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
      const jwt = claims => {
        const text = `${part({ alg: 'RS256', kid: key.id })}.${part({ sub: views[0].video_id, aud: 'video_id', exp: Math.floor(Date.now() / 1000) + 60, ...claims })}`;
        return `${text}.${crypto.sign('sha256', Buffer.from(text), pem).toString('base64url')}`;
      };
      const counted = await fetch(`${server.url}/counts?token=${jwt({})}`);
      assert.equal(counted.status, 200);
      assert.equal(counted.headers.get('access-control-allow-origin'), '*');
      assert.deepEqual((await counted.json()).data.map(({ views: n, viewers }) => [n, viewers]), [[0, 0]]); // all of them have ended
      for (const claims of [{ exp: 1 }, { exp: undefined }, { aud: 'country' }, { sub: undefined }, { nbf: 4e9 }])
        assert.equal((await fetch(`${server.url}/counts?token=${jwt(claims)}`)).status, 403, JSON.stringify(claims));
      await system.signingKeys.delete(key.id);
      await assert.rejects(system.signingKeys.retrieve(key.id), error => error.status === 404);
      assert.equal((await fetch(`${server.url}/counts?token=${jwt({})}`)).status, 403);
    });

    test('monitoring and incidents are not there yet: 404', async () => {
      const tried = [];
      for (const name of ['monitoring', 'realTime', 'incidents']) {
        if (!mux.data[name]) continue;
        for (const resource of [mux.data[name], ...Object.values(mux.data[name]).filter(one => one && typeof one === 'object' && '_client' in one)])
          for (const method of methodsOf(resource, name)) {
            await assert.rejects(async () => resource[method.split('.')[1]]('abcd1234', {}), error => error.status === 404, method);
            tried.push(method);
          }
      }
      assert.ok(tried.length >= 8, String(tried));
    });

    test('every method was called', () => {
      const skipped = /^data\.(monitoring|realTime|incidents|realtime)|^system\.webhooks\.(create|retrieve|update|delete|unwrap|verifySignature)/;
      const expected = [];
      const walk = (resource, name) => {
        expected.push(...methodsOf(resource, name));
        for (const key of Object.keys(resource))
          if (resource[key] && typeof resource[key] === 'object' && '_client' in resource[key]) walk(resource[key], `${name}.${key}`);
      };
      walk(mux.data, 'data');
      walk(mux.system, 'system');
      for (const name of ['data.metrics.getOverallValues', 'data.metrics.listBreakdownValues', 'data.videoViews.retrieve', 'data.monitoring.metrics.getTimeseries', 'data.annotations.update',
        'system.signingKeys.create', 'system.utilities.whoami', ...(newest ? ['data.engagement.playbackIds.hotspots', 'data.subviewMetrics.getBreakdownTimeseries', 'system.usageExports.list'] : ['data.filters.listValues'])])
        assert.ok(expected.includes(name), `the walk finds ${name}`);
      const missing = expected.filter(name => !called.has(name) && !skipped.test(name));
      assert.deepEqual(missing, []);
      assert.ok(called.size > 15);
    });
  });
}

// RFC 4180.
function parseCsv(text) {
  const rows = [];
  let row = [], field = '', quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c !== '"') field += c;
      else if (text[i + 1] === '"') field += text[++i];
      else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === ',') row.push(field), field = '';
    else if (c === '\n') row.push(field), rows.push(row), row = [], field = '';
    else field += c;
  }
  return rows;
}
