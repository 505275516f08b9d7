// SPDX-License-Identifier: Apache-2.0
// One real view, end to end: a browser with hls.js and the unmodified SDK, then the API by every way a user would ask.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import Mux from '@mux/mux-node';
import { EMAIL, PASSWORD, Server, sleep, until } from '../lib/server.mjs';
import { Site, browser } from '../lib/site.mjs';

let server, site, chromium, seen, view;

before(async () => {
  server = await new Server().start();
  site = await new Site().start();
  chromium = await browser();
  const page = await chromium.newPage();
  const query = new URLSearchParams({ player: 'hls', src: '/media/hls/master.m3u8', collector: `localhost:${server.port}`, key: server.env_key });
  await page.goto(`${site.url}/player.html?${query}`);
  await page.waitForFunction(() => window.isReady);
  await page.evaluate(() => document.getElementById('video').play());
  await page.waitForFunction(() => document.getElementById('video').currentTime > 3, null, { timeout: 60_000 });
  seen = await page.evaluate(() => window.seen);
  await page.goto('about:blank'); // the SDK sends viewend while the page goes away
  const left = Date.now();
  view = await until('the ended view to be in the answers', async () => (await server.json('/data/v1/video-views?timeframe[]=1:hour')).data[0], { seconds: 30 });
  console.log(`# view visible ${Date.now() - left} ms after the page was left`);
  await page.close();
});

after(async () => {
  await chromium?.close();
  await site?.stop();
  await server?.stop();
});

test('exactly that view is there, with the startup time the page measured', async () => {
  const list = await server.json('/data/v1/video-views?timeframe[]=1:hour');
  assert.equal(list.total_row_count, 1);
  assert.equal(list.data[0].video_title, 'Test title');
  assert.equal(list.data[0].playback_failure, false);
  const detail = (await server.json('/data/v1/video-views/' + view.id)).data;
  assert.ok(Math.abs(detail.time_to_first_frame - seen.startupMs) <= 100, `${detail.time_to_first_frame} against ${seen.startupMs} ms`);
  assert.equal(detail.viewer_user_id, 'viewer-1');
  assert.equal(detail.viewer_application_name, 'HeadlessChrome');
  assert.equal(detail.player_software, 'HTML5 Video Element');
  assert.equal(detail.view_dropped, false);
  assert.ok(detail.events.some(event => event.name === 'viewstart'));
  assert.equal(detail.events.at(-1).name, 'viewend');
});

test('the announcement: log in, ask with beta-auth-token, draw with jq', async () => {
  const line = `
    TOKEN=$(curl -s -X POST -H 'content-type: application/json' -d '{"session":{"email":"${EMAIL}","password":"${PASSWORD}"}}' ${server.url}/api/sessions | jq -r .data.token)
    curl -s -g -H "beta-auth-token: $TOKEN" '${server.url}/data/v1/metrics/time_to_first_frame/timeseries?timeframe[]=24:hours' | jq -c '.data[][1]'`;
  const values = execFileSync('bash', ['-c', line], { encoding: 'utf8' }).trim().split('\n').map(text => JSON.parse(text));
  assert.equal(values.length, 25); // hourly buckets of a snapped day
  const detail = (await server.json('/data/v1/video-views/' + view.id)).data;
  assert.deepEqual(values.filter(value => value !== null), [detail.time_to_first_frame]);
});

test('the unmodified node client gets the same number', async () => {
  const mux = new Mux({ tokenId: server.token_id, tokenSecret: server.token_secret, baseURL: server.url });
  const detail = (await server.json('/data/v1/video-views/' + view.id)).data;
  const series = await mux.data.metrics.getTimeseries('video_startup_time', { timeframe: ['24:hours'] });
  assert.deepEqual(series.data.filter(row => row[2] > 0).map(row => [row[1], row[2]]), [[detail.time_to_first_frame, 1]]);
  const overall = await mux.data.metrics.getOverallValues('video_startup_time', { timeframe: ['24:hours'] });
  assert.equal(overall.data.value, detail.time_to_first_frame);
  assert.equal(overall.data.total_views, 1);
  assert.equal(overall.meta.aggregation, 'view_end');
  const breakdown = await mux.data.metrics.listBreakdownValues('views', { group_by: 'browser', timeframe: ['24:hours'] });
  assert.deepEqual(breakdown.data.map(row => [row.field, row.value]), [['HeadlessChrome', 1]]);
  const views = await mux.data.videoViews.list({ timeframe: ['24:hours'] });
  assert.equal(views.data[0].id, view.id);
});

test('the sparkline command draws it', () => {
  const program = new URL('../../build/firstframe', import.meta.url).pathname;
  const out = execFileSync(process.env.FIRSTFRAME_BUILD ? process.env.FIRSTFRAME_BUILD + '/firstframe' : program,
    ['spark', 'time_to_first_frame', '--url', server.url], { encoding: 'utf8',
      env: { ...process.env, FIRSTFRAME_TOKEN_ID: server.token_id, FIRSTFRAME_TOKEN_SECRET: server.token_secret } });
  assert.match(out, /[▁▂▃▄▅▆▇█]/u);
});

test('a beacon with an unknown env key is answered 200 and counted', async () => {
  const send = body => fetch(server.url + '/', { method: 'POST', body });
  const before = await (await fetch(server.url + '/metrics')).text();
  const response = await send(JSON.stringify({ events: [{ e: 'viewstart', ake: 'nobody', xid: 'x', xsqno: 1, uti: Date.now() }] }));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), '*');
  assert.equal((await send('not json')).status, 200);
  await sleep(100);
  const text = await (await fetch(server.url + '/metrics')).text();
  const count = (page, reason) => Number(new RegExp(`reason="${reason}"[^}]*} (\\d+)`).exec(page)?.[1] ?? 0);
  assert.equal(count(text, 'unknown_env') - count(before, 'unknown_env'), 1);
  assert.equal(count(text, 'not_json') - count(before, 'not_json'), 1);
});

test('bad questions get their status and the error body', async () => {
  for (const [route, status, type] of [
    ['/data/v1/metrics/nonsense/overall', 404, 'not_found'],
    ['/data/v1/metrics/views/overall?timeframe[]=7', 400, 'invalid_parameters'],
    ['/data/v1/metrics/views/overall?filters[]=nonsense:1', 400, 'invalid_parameters'],
    ['/data/v1/metrics/unique_viewers/overall?measurement=median', 400, 'invalid_parameters'],
    ['/data/v1/nothing', 404, 'not_found'],
  ]) {
    const response = await server.get(route);
    assert.equal(response.status, status, route);
    const body = await response.json();
    assert.equal(body.error.type, type);
    assert.ok(body.error.messages[0].length > 0);
  }
  assert.equal((await fetch(server.url + '/data/v1/metrics/views/overall')).status, 401);
  assert.equal((await fetch(server.url + '/healthz')).status, 200);
});
