// SPDX-License-Identifier: Apache-2.0
// Wrong requests, each with the status and the sentence it gets. The server has no store at all, so that a request which
// got as far as the store would be answered 503: none of these does.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { watch } from '../lib/schema.mjs';
import { PROGRAM, Server, until } from '../lib/server.mjs';

class Storeless extends Server {
  async start() {
    this.port = await new Promise(resolve => {
      const probe = net.createServer().listen(0, '127.0.0.1', () => {
        const { port } = probe.address();
        probe.close(() => resolve(port));
      });
    });
    this.child = spawn(PROGRAM, ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`, '--store', 'http://127.0.0.1:1'],
      { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr.on('data', chunk => { this.log += chunk; });
    this.exited = new Promise(resolve => this.child.once('exit', (code, signal) => { this.stopped = true; resolve({ code, signal }); }));
    this.url = `http://127.0.0.1:${this.port}`;
    await until('the server to answer', async () => (await fetch(this.url + '/healthz')).ok);
    await watch(this.url);
    return this;
  }
}

let server;
before(async () => { server = await new Storeless().start(); });
after(() => server?.stop());

const overall = '/data/v1/metrics/views/overall?';
const metrics = [
  // timeframe
  ['timeframe[]=7', /two Unix timestamps in seconds, or one duration/],
  ['timeframe[]=days', /one duration such as 24:hours/],
  ['timeframe[]=string', /one duration/],
  ['timeframe=today', /one duration/],
  ['timeframe[]=:days', /whole number above 0/],
  ['timeframe[]=0:days', /whole number above 0/],
  ['timeframe[]=-1:days', /whole number above 0/],
  ['timeframe[]=1.5:days', /whole number above 0/],
  ['timeframe[]=%2B1:days', /whole number above 0/],
  ['timeframe[]=1e3:days', /whole number above 0/],
  ['timeframe[]=99999999999999999999:days', /whole number above 0/],
  ['timeframe[]=7:fortnights', /seconds, minutes, hours, days or weeks/],
  ['timeframe[]=7:Days', /seconds, minutes, hours, days or weeks/],
  ['timeframe[]=7:', /seconds, minutes, hours, days or weeks/],
  ['timeframe[]=7:months', /seconds, minutes, hours, days or weeks/],
  ['timeframe[]=3661:days', /at most 3660 days/],
  ['timeframe[]=88000:hours', /at most 3660 days/],
  ['timeframe[]=100&timeframe[]=100', /before its end/],
  ['timeframe[]=200&timeframe[]=100', /before its end/],
  ['timeframe[]=-100&timeframe[]=100', /before 1970/],
  ['timeframe[]=a&timeframe[]=b', /Unix timestamps/],
  ['timeframe[]=1.5&timeframe[]=2.5', /Unix timestamps/],
  ['timeframe[]=24:hours&timeframe[]=100', /Unix timestamps/],
  ['timeframe[]=100&timeframe[]=24:hours', /Unix timestamps/],
  ['timeframe[]=&timeframe[]=100', /Unix timestamps/],
  ['timeframe[]=1&timeframe[]=2&timeframe[]=3', /not more/],
  ['timeframe[]=1767600000000&timeframe[]=1767686400000', /looks like milliseconds/],
  ['timeframe[]=0&timeframe[]=1000000000', /at most 3660 days/],
  ["timeframe[]=1' OR '1'='1", /duration/],
  // measurement
  ['measurement=mean', /95th, median, avg, count or sum/],
  ['measurement=Median', /95th, median, avg, count or sum/],
  ['measurement=p95', /95th, median, avg, count or sum/],
  ['measurement=sum(1)', /95th, median, avg, count or sum/],
  // filters
  ['filters[]=country', /dimension:value/],
  ['filters[]=US', /dimension:value/],
  ['filters[]=Country:US', /no dimension "Country"/],
  ['filters[]=nonsense:1', /no dimension "nonsense"/],
  ['filters[]=:US', /no dimension ""/],
  ['filters[]=!', /dimension:value/],
  ['filters[]=!:US', /no dimension/],
  ['filters[]=views:1', /no dimension "views"/],
  ['filters[]=country%00:US', /no dimension/],
  ['filters[]=1=1;--:x', /no dimension/],
  ["filters[]=country' OR '1'='1:US", /no dimension/],
  ['filters[]=%2Bcountry:US', /for traces only/],
  ['filters[]=-country:US', /for traces only/],
  ['filters[]=!%2Bvideo_cdn_trace:a', /no dimension/],
  ['filters[]=video_cdn_trace:a', /is a trace/],
  ['filters[]=!video_cdn_trace:a', /is a trace/],
  ['filters[]=%2Bvideo_cdn_trace:[a]', /brackets cannot follow/],
  ['filters[]=-video_cdn_trace:[a,b]', /brackets cannot follow/],
  ['filters[]=%2Bvideo_cdn_trace:', /need a value/],
  ['filters[]=-video_cdn_trace:', /need a value/],
  ['filters[]=video_cdn_trace:[a', /closing bracket/],
  ['filters[]=view_has_ad:1', /takes true or false/],
  ['filters[]=view_has_ad:True', /takes true or false/],
  ['filters[]=playback_failure:yes', /takes true or false/],
  ['filters[]=player_remote_played:no', /takes true or false/],
  ['filters[]=asn:google', /takes a number/],
  ['filters[]=asn:1 OR 1', /takes a number/],
  ['filters[]=video_source_width:1920px', /takes a number/],
  ['filters[]=video_source_fps:NaN', /takes a number/],
  ['filters[]=view_dropped_frame_count:1e999', /takes a number/],
  ['filters[]=country:US&filters[]=bad', /dimension:value/],
  // metric filters
  ['metric_filters[]=rebuffer_count', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=x', /metric>=number/],
  ['metric_filters[]=rebuffer_count=>1', /metric>=number/],
  ['metric_filters[]=rebuffer_count~1', /no metric/],
  ['metric_filters[]=rebuffer_count>=1 OR 1=1', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=Infinity', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=%2B5', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=.5', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=5.', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=05', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=--5', /metric>=number/],
  ['metric_filters[]=rebuffer_count>=5e', /metric>=number/],
  ['metric_filters[]=rebuffer_count>= 5', /metric>=number/],
  ['metric_filters[]=nonsense>=1', /no metric "nonsense"/],
  ['metric_filters[]=country>=1', /no metric "country"/],
  ['metric_filters[]=>=1', /no metric ""/],
  ['metric_filters[]=views>=1', /cannot be used/],
  ['metric_filters[]=started_views>=1', /cannot be used/],
  ['metric_filters[]=unique_viewers>=1', /cannot be used/],
  ['metric_filters[]=exits_before_video_start=1', /cannot be used/],
  ['metric_filters[]=video_startup_failure_percentage=1', /cannot be used/],
  ['metric_filters[]=view_dropped_percentage=1', /cannot be used/],
].map(([params, message]) => ['GET', overall + params, undefined, 400, message]);

const window = 'timeframe[]=7:days';
const query = body => ['POST', '/data/v1/query', body];
const annotation = body => ['POST', '/data/v1/annotations', body];
const requests = [
  ...metrics,
  // metrics: paths, groupings, orders, pages
  ['GET', '/data/v1/metrics/nonsense/overall', undefined, 404, /no metric "nonsense"/],
  ['GET', '/data/v1/metrics/Views/overall', undefined, 404, /no metric/],
  ['GET', "/data/v1/metrics/views'%20OR%201=1--/overall", undefined, 404, /no metric/],
  ['GET', '/data/v1/metrics/views%00/overall', undefined, 400, /./],
  ['GET', '/data/v1/metrics/unique_viewers/overall?measurement=median', undefined, 400, /count only/],
  ['GET', '/data/v1/metrics/unique_viewers/timeseries?measurement=sum', undefined, 400, /count only/],
  ['GET', '/data/v1/metrics/views/timeseries?group_by=week', undefined, 400, /minute, ten_minutes, hour or day/],
  ['GET', '/data/v1/metrics/views/timeseries?group_by=country', undefined, 400, /minute, ten_minutes, hour or day/],
  ['GET', '/data/v1/metrics/views/timeseries?group_by=minute&timeframe[]=365:days', undefined, 400, /more than 45000 points/],
  ['GET', '/data/v1/metrics/views/timeseries?order_direction=up', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/metrics/views/breakdown?group_by=hour', undefined, 400, /has to be a dimension/],
  ['GET', '/data/v1/metrics/views/breakdown?group_by=COUNTRY', undefined, 400, /has to be a dimension/],
  ['GET', '/data/v1/metrics/views/breakdown?group_by=country,cdn', undefined, 400, /has to be a dimension/],
  ['GET', '/data/v1/metrics/views/breakdown?group_by=(SELECT 1)', undefined, 400, /has to be a dimension/],
  ['GET', '/data/v1/metrics/views/breakdown?order_by=country', undefined, 400, /negative_impact, value, views or field/],
  ['GET', '/data/v1/metrics/views/breakdown?order_by=value desc', undefined, 400, /negative_impact, value, views or field/],
  ['GET', '/data/v1/metrics/views/breakdown?order_direction=DESC', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/metrics/views/breakdown?limit=ten', undefined, 400, /limit has to be a whole number/],
  ['GET', '/data/v1/metrics/views/breakdown?limit=1.5', undefined, 400, /limit has to be a whole number/],
  ['GET', '/data/v1/metrics/views/breakdown?limit=1e2', undefined, 400, /limit has to be a whole number/],
  ['GET', '/data/v1/metrics/views/breakdown?page=first', undefined, 400, /page has to be a whole number/],
  ['GET', '/data/v1/metrics/views/breakdown?page=9999999999999999999x', undefined, 400, /page has to be a whole number/],
  ['GET', '/data/v1/metrics/views/breakdown?limit=-', undefined, 400, /limit has to be a whole number/],
  ['GET', '/data/v1/metrics/views/insights?order_direction=worst', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/metrics/comparison?dimension=country', undefined, 400, /belong together/],
  ['GET', '/data/v1/metrics/comparison?value=US', undefined, 400, /belong together/],
  ['GET', '/data/v1/metrics/comparison?dimension=country&value=', undefined, 400, /belong together/],
  ['GET', '/data/v1/metrics/comparison?dimension=country&value[]=', undefined, 400, /belong together/],
  ['GET', '/data/v1/metrics/comparison?dimension=nonsense&value=US', undefined, 400, /no dimension/],
  ['GET', '/data/v1/metrics/comparison?dimension=!country&value=US', undefined, 400, /no dimension/],
  ['GET', '/data/v1/metrics/comparison?dimension=country%00x&value=US', undefined, 400, /no dimension/],
  ['GET', '/data/v1/metrics/comparison?dimension=country:DE&value=US', undefined, 400, /no dimension/],
  ['GET', '/data/v1/metrics/comparison?dimension=view_has_ad&value=maybe', undefined, 400, /true or false/],
  ['GET', '/data/v1/metrics/comparison?timeframe[]=x', undefined, 400, /duration/],
  ['GET', '/metrics/nonsense/timeseries', undefined, 404, /no metric/],
  // dimensions, views, errors
  ['GET', '/data/v1/dimensions/country/elements', undefined, 400, /not a trace dimension/],
  ['GET', '/data/v1/dimensions/country?limit=x', undefined, 400, /limit/],
  ['GET', '/data/v1/dimensions/country?order_by=count', undefined, 400, /negative_impact, value, views or field/],
  ['GET', '/data/v1/filters/country?timeframe[]=1', undefined, 400, /duration/],
  ['GET', '/data/v1/video-views?error_id=some', undefined, 400, /whole number, or any/],
  ['GET', '/data/v1/video-views?error_id=1.5', undefined, 400, /whole number, or any/],
  ['GET', '/data/v1/video-views?order_direction=newest', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/video-views?page=x', undefined, 400, /page/],
  ['GET', '/data/v1/video-views?filters[]=x', undefined, 400, /dimension:value/],
  ['GET', '/data/v1/errors?metric_filters[]=views>1', undefined, 400, /cannot be used/],
  ['GET', '/data/v1/errors?timeframe[]=9', undefined, 400, /duration/],
  ['GET', '/data/v1/errors/abc', undefined, 404, /no such error/],
  ['PATCH', '/data/v1/errors/abc', { severity: 'fatal' }, 404, /no such error/],
  ['PATCH', '/data/v1/errors/12345', { severity: 'bad' }, 400, /^severity has to be fatal, warning, or null/],
  ['PATCH', '/data/v1/errors/12345', { business_exception: 1 }, 400, /^business_exception has to be true, false, or null/],
  ['PATCH', '/data/v1/errors/12345', { description: [] }, 400, /^description has to be text or null/],
  ['PATCH', '/data/v1/errors/12345', { notes: 5 }, 400, /^notes has to be text or null/],
  ['PATCH', '/data/v1/errors/12345', { notes: 'x'.repeat(2048) }, 400, /^notes may have at most 2047 bytes/],
  ['PATCH', '/data/v1/errors/12345', '{', 400, /not readable as JSON/, 'bad_request'],
  ['PATCH', '/data/v1/errors/12345', '[]', 400, /JSON object/, 'bad_request'],
  // engagement and subviews
  ['GET', '/data/v1/engagement/viewers/x/heatmap', undefined, 404, /assets, videos or playback-ids/],
  ['GET', '/data/v1/engagement/videos/x/heatmap?timeframe[]=y', undefined, 400, /duration/],
  ['GET', '/data/v1/engagement/videos/x/hotspots?limit=all', undefined, 400, /limit/],
  ['GET', '/data/v1/engagement/videos/x/hotspots?order_direction=hot', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/subview-metrics/views/rendition/overall', undefined, 404, /playing_time/],
  ['GET', '/data/v1/subview-metrics/playing_time/country/overall', undefined, 404, /rendition or playback_mode/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/overall?filters[]=browser:Safari', undefined, 400, /no dimension/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/overall?filters[]=video_source_height:tall', undefined, 400, /takes a number/],
  ['GET', '/data/v1/subview-metrics/playing_time/playback_mode/overall?filters[]=video_source_height:720', undefined, 400, /no dimension/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/breakdown?group_by[]=country', undefined, 400, /group_by\[\] takes/],
  ['GET', '/data/v1/subview-metrics/playing_time/playback_mode/breakdown?group_by[]=video_source_width', undefined, 400, /renditions only/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison', undefined, 400, /dimension has to be one/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country', undefined, 400, /1 to 4 values/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=browser&values[]=a', undefined, 400, /dimension has to be one/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&values[]=a&values[]=b&values[]=c&values[]=d&values[]=e', undefined, 400, /1 to 4 values/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&values[]=a&values[]=a', undefined, 400, /twice/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=player_autoplay&values[]=yes', undefined, 400, /true or false/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&values[]=', undefined, 400, /1 to 4 values/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&values[]=&values=', undefined, 400, /1 to 4 values/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&values[]=&values[]=a&values[]=&values[]=a', undefined, 400, /twice/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/breakdown-timeseries?time_granularity=minute', undefined, 400, /hour or day/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/breakdown-timeseries?breakdown_value_limit=x', undefined, 400, /breakdown_value_limit/],
  ['GET', '/data/v1/subview-metrics/scene/dimensions', undefined, 404, /rendition or playback_mode/],
  ['GET', '/data/v1/subview-metrics/rendition/dimensions/country?order_by=views', undefined, 400, /playing_time or value/],
  // annotations
  [...annotation('{'), 400, /not readable as JSON/, 'bad_request'],
  [...annotation(''), 400, /not readable as JSON/, 'bad_request'],
  [...annotation('[]'), 400, /JSON object/, 'bad_request'],
  [...annotation('"note"'), 400, /JSON/, 'bad_request'],
  [...annotation({}), 400, /note is missing/],
  [...annotation({ note: 'x' }), 400, /date is missing/],
  [...annotation({ date: 1 }), 400, /note is missing/],
  [...annotation({ note: 1, date: 1 }), 400, /note has to be text/],
  [...annotation({ note: '', date: 1 }), 400, /1 to 2047 bytes/],
  [...annotation({ note: 'x'.repeat(2048), date: 1 }), 400, /1 to 2047 bytes/],
  [...annotation({ note: 'a\0b', date: 1 }), 400, /has to be text/],
  [...annotation({ note: 'x', date: '2026-01-05' }), 400, /Unix timestamp in seconds/],
  [...annotation({ note: 'x', date: 1.5 }), 400, /Unix timestamp in seconds/],
  [...annotation({ note: 'x', date: -1 }), 400, /before 1970 or looks like milliseconds/],
  [...annotation({ note: 'x', date: 1767600000000 }), 400, /looks like milliseconds/],
  [...annotation({ note: 'x', date: 1, sub_property_id: 5 }), 400, /sub_property_id has to be text/],
  [...annotation({ note: 'x', date: 1, sub_property_id: 'x'.repeat(256) }), 400, /at most 255 bytes/],
  ['GET', '/data/v1/annotations?limit=x', undefined, 400, /limit/],
  ['GET', '/data/v1/annotations?timeframe[]=x', undefined, 400, /duration/],
  ['GET', '/data/v1/annotations?order_direction=x', undefined, 400, /asc or desc/],
  ['GET', '/data/v1/annotations/182bd5e5-6e1a-4fe4-a799-aa6d9a6ab26e', undefined, 404, /no such annotation/],
  ['PATCH', '/data/v1/annotations/nope', { note: 'x' }, 404, /no such annotation/],
  ['DELETE', "/data/v1/annotations/'%20OR%20'1'='1", undefined, 404, /no such annotation/],
  // signing keys, counts, exports
  ['GET', '/system/v1/signing-keys/nope', undefined, 404, /no such signing key/],
  ['DELETE', '/system/v1/signing-keys/nope', undefined, 404, /no such signing key/],
  ['GET', '/system/v1/signing-keys?page=x', undefined, 400, /page/],
  ['GET', '/system/v1/usage/exports', undefined, 403, /no billing/],
  ['GET', '/counts', undefined, 403, /token is missing/],
  ['GET', '/counts?token=', undefined, 403, /token is missing/],
  ['GET', '/counts?token=abc', undefined, 403, /not a JSON web token/],
  ['GET', '/counts?token=a.b.c', undefined, 403, /not a JSON web token/],
  ['GET', '/counts?token=eyJhbGciOiJub25lIn0.e30.AA', undefined, 403, /RS256/],
  ['GET', '/counts?token=eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AA', undefined, 403, /signature does not fit/],
  ['GET', '/data/v1/exports/files/x/2026-01-01.v14.csv.gz', undefined, 403, /not one that the server signed/],
  ['GET', '/data/v1/exports/files/x/2026-01-01.v14.csv.gz?expires=9999999999&signature=00', undefined, 403, /not one that the server signed/],
  ['GET', '/data/v1/exports/files/..%2F../accounts.db?expires=9999999999&signature=00', undefined, 403, /not one that the server signed/],
  // the query language (many more in its unit test)
  [...query('{'), 400, /not readable as JSON/, 'bad_request'],
  [...query('[]'), 400, /JSON object/, 'bad_request'],
  [...query({}), 400, /metrics has to be a list/],
  [...query({ metrics: [{ metric: 'nonsense' }] }), 400, /no metric "nonsense"/],
  [...query({ metrics: [{ metric: 'views' }], dimensions: ['nonsense'] }), 400, /no dimension "nonsense"/],
  [...query({ metrics: [{ metric: 'views' }], dimensions: ['a', 'b', 'c', 'd', 'e'] }), 400, /up to 4/],
  [...query({ metrics: [{ metric: 'views' }], filter: {} }), 400, /does not take "filter"/],
  [...query({ metrics: [{ metric: 'views' }], filters: { dimension: 'country', operator: 'like', value: 'U%' } }), 400, /operator has to be/],
  [...query({ metrics: [{ metric: 'views', percentile: 2 }] }), 400, /0 to 1/],
  [...query({ metrics: [{ metric: 'views', name: 'x; DROP TABLE firstframe.views' }] }), 400, /name of a column/],
  [...query({ metrics: [{ metric: 'video_startup_time' }], weighted: true }), 400, /cannot be weighted/],
  [...query({ metrics: [{ metric: 'views' }], limit: 100000 }), 400, /from 1 to 10000/],
  [...query({ metrics: [{ metric: 'views' }], environment_id: 'other' }), 400, /does not take "environment_id"/],
  [...query('{"metrics":' + '['.repeat(40) + ']'.repeat(40) + '}'), 400, /not readable as JSON/, 'bad_request'],
  [...query(' '.repeat(70000) + '{}'), 413, /at most 65536 bytes/],
  // more parameters than are read
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/overall?' + 'filters[]=country:US&'.repeat(513), undefined, 400, /at most 512 parameters/],
  ['GET', '/data/v1/subview-metrics/playing_time/rendition/comparison?dimension=country&' + 'values[]=&'.repeat(512) + 'values[]=a', undefined, 400, /at most 512 parameters/],
  ['GET', overall + 'filters[]=&'.repeat(512) + 'filters[]=bad', undefined, 400, /at most 512 parameters/],
  ['GET', overall + 'filters[]=country:US&'.repeat(257), undefined, 400, /At most 256 filters/],
  // environments and paths
  ['GET', `${overall}${window}&environment_id=another`, undefined, 403, /not yours/],
  ['GET', '/data/v1', undefined, 404, /nothing here/],
  ['GET', '/data/v1/', undefined, 404, /nothing here/],
  ['GET', '/data/v2/metrics/views/overall', undefined, 404, /nothing here/],
  ['GET', '/data/v1/_stainless_unknown_path', undefined, 404, /nothing here/],
  ['GET', '/system/v1/_stainless_unknown_path', undefined, 404, /nothing here/],
  ['GET', '/api/nothing', undefined, 404, /nothing here/],
  ['GET', '/video/v1/live-streams', undefined, 404, /nothing here/],
  ['GET', '/docs/nothing', undefined, 404, /nothing here/],
  ['GET', '/data/v1/metrics/views/overall/', undefined, 404, /nothing here/],
  ['POST', '/data/v1/metrics/views/overall', {}, 405, /not with this method/],
  ['DELETE', '/data/v1/video-views', undefined, 405, /not with this method/],
  ['PATCH', '/data/v1/annotations', {}, 405, /not with this method/],
  ['POST', '/system/v1/whoami', {}, 405, /not with this method/],
  ['GET', '/data/v1/query', undefined, 405, /not with this method/],
];
const TYPES = { 400: 'invalid_parameters', 403: 'forbidden', 404: 'not_found', 405: 'method_not_allowed', 413: 'payload_too_large' };

test('there are at least 150 of them', () => assert.ok(requests.length >= 150, String(requests.length)));

for (const [method, route, body, status, message, type] of requests) {
  test(`${method} ${route.slice(0, 110)} ${body === undefined ? '' : JSON.stringify(body).slice(0, 90)}`, async () => {
    const response = await fetch(server.url + route, {
      method,
      headers: { authorization: server.basic, 'content-type': 'application/json' },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    assert.equal(response.status, status, text);
    if (route.includes('%00')) return; // refused before it is a request of the API
    const { error } = JSON.parse(text);
    assert.equal(error.type, type ?? TYPES[status]);
    assert.equal(error.messages.length, 1);
    assert.match(error.messages[0], message);
    assert.match(error.messages[0], /^[A-Z].*\.$|^Unauthorized request$|^[a-z_\[\]]+ .*\.$|^[a-z_]+: .*\.$/s); // a sentence
  });
}

test('without a credential, with a wrong one, or with half of one: 401', async () => {
  const basic = text => 'Basic ' + Buffer.from(text).toString('base64');
  for (const headers of [{}, { authorization: '' }, { authorization: 'Basic' }, { authorization: 'Basic !!!' }, { authorization: basic('x') },
    { authorization: basic(`${server.token_id}:wrong`) }, { authorization: basic(`:${server.token_secret}`) },
    { authorization: 'Bearer ' + server.token_secret }, { authorization: 'Digest x' }, { 'beta-auth-token': 'x' }, { cookie: 'firstframe_session=x' }]) {
    const response = await fetch(server.url + overall, { headers });
    assert.equal(response.status, 401, JSON.stringify(headers));
    assert.deepEqual(await response.json(), { error: { type: 'unauthorized', messages: ['Unauthorized request'] } });
    assert.equal(response.headers.get('www-authenticate'), null);
  }
});

test('a client of the API that asks at a wrong path hears so, whatever the method', async () => {
  for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
    const response = await fetch(server.url + '/_stainless_unknown_path', { method, headers: { authorization: server.basic, accept: method === 'DELETE' ? '*/*' : 'application/json' } });
    assert.equal(response.status, 404, method);
    assert.equal((await response.json()).error.type, 'not_found');
  }
  assert.equal((await fetch(server.url + '/_stainless_unknown_path', { method: 'POST', body: '{}' })).status, 200); // a beacon, if a poor one
});

test('a method that a path does not have: 405, and which it has', async () => {
  for (const [method, route, allow] of [['PUT', '/data/v1/annotations', 'OPTIONS, GET, HEAD, POST'], ['POST', overall, 'OPTIONS, GET, HEAD'],
    ['GET', '/data/v1/query', 'OPTIONS, POST'], ['PUT', '/data/v1/annotations/1', 'OPTIONS, GET, HEAD, PATCH, DELETE'],
    ['DELETE', '/metrics/views/overall', 'OPTIONS, GET, HEAD']]) {
    const response = await fetch(server.url + route, { method, headers: { authorization: server.basic } });
    assert.equal(response.status, 405, route);
    assert.equal(response.headers.get('allow'), allow, route);
    assert.equal((await response.json()).error.type, 'method_not_allowed');
  }
});

test('right questions find the store away: 503 with Retry-After', async () => {
  for (const [method, route, body] of [['GET', overall + window], ['GET', '/data/v1/video-views'], ['GET', '/data/v1/errors'],
    ['GET', '/data/v1/dimensions/country'], ['POST', '/data/v1/query', '{"metrics":[{"metric":"views"}]}'],
    ['GET', '/data/v1/engagement/videos/x/heatmap'], ['GET', '/data/v1/subview-metrics/playing_time/rendition/overall']]) {
    const response = await fetch(server.url + route, { method, body, headers: { authorization: server.basic } });
    assert.equal(response.status, 503, route);
    assert.ok(Number(response.headers.get('retry-after')) > 0);
    assert.equal((await response.json()).error.type, 'service_unavailable');
  }
});

test('nothing was changed by any of them', async () => {
  for (const list of ['/data/v1/annotations', '/system/v1/signing-keys'])
    assert.deepEqual((await server.json(list)).data, [], list);
});
