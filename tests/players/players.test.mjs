// SPDX-License-Identifier: Apache-2.0
// Unmodified players and SDKs from npm in Chromium, pointed at the server: each view must say what pages/observer.js, which
// looks at nothing but the video element, measured beside it.
//
// Tolerances, and why they are not smaller:
//   startup time    100 ms  two listeners of one `playing`; the SDK's play handler works some tens of ms on a slow machine
//                           before it takes its time
//   stalls          equal   both call a stall what lasts a second
//   stalled time    500 ms  the observer looks every 20 ms, the SDK every 25 ms and ends a stall a few looks after the
//                           playhead moved; per stall some 100 ms
//   seeks           equal   unless a case says why not
//   playing time    500 ms  both sum what lies between their own looks; at play, pause and seek each may be one look off
//   renditions      equal   heights that the element showed, against changes of bitrate
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { Server, sleep, until } from '../lib/server.mjs';
import { Site, browser } from '../lib/site.mjs';

const TOLERANCE = { startup: 100, stalled: 500, playing: 500 };
let server, site, chromium, secure;

before(async () => {
  server = await new Server().start();
  site = await new Site().start();
  chromium = await browser();
});

// A proxy that ends TLS before the server: older cores (5.11 in the Shaka package) say https to localhost as well.
async function tlsProxy() {
  const file = name => path.join(server.data, name);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', file('test.key'), '-out', file('test.crt')],
    { stdio: 'ignore' });
  const proxy = tls.createServer({ key: fs.readFileSync(file('test.key')), cert: fs.readFileSync(file('test.crt')) }, socket => {
    const inner = net.connect(server.port, '127.0.0.1');
    for (const [from, to] of [[socket, inner], [inner, socket]]) from.on('error', () => to.destroy()).pipe(to);
  });
  await new Promise(resolve => proxy.listen(0, 'localhost', resolve));
  return proxy;
}

after(async () => {
  await chromium?.close();
  secure?.close();
  await site?.stop();
  await server?.stop();
});

const time = (page, seconds) => page.waitForFunction(at => video.currentTime >= at, seconds, { timeout: 60_000, polling: 50 });
const seek = async (page, to) => {
  await page.evaluate(at => { video.currentTime = at; }, to);
  await page.waitForFunction(() => !video.seeking, null, { timeout: 60_000, polling: 50 });
};

// Opens the page, lets act() use it, pauses, leaves (which makes the SDK send its viewend), and waits for the view.
async function watch(video, html, query, act) {
  const page = await chromium.newPage({ ignoreHTTPSErrors: true });
  const complaints = [];
  page.on('pageerror', error => complaints.push(error.message));
  try {
    await page.goto(`${site.url}/${html}?` + new URLSearchParams({ collector: `localhost:${server.port}`, key: server.env_key, video, ...query }));
    await page.waitForFunction(() => window.isReady, null, { timeout: 60_000 });
    await act(page);
    await page.evaluate(() => window.video.pause());
    await sleep(300);
    const seen = await page.evaluate(() => window.seen);
    await page.goto('about:blank');
    const row = await until('the ended view', async () => (await server.json(`/data/v1/video-views?timeframe[]=1:hour&filters[]=video_id:${video}`)).data[0],
      { seconds: 60 });
    const { data } = await server.json('/data/v1/video-views/' + row.id);
    assert.deepEqual(complaints, []);
    return { seen, data };
  } finally {
    site.bytesPerSecond = 0;
    await page.close();
  }
}

function near(name, actual, wanted, tolerance) {
  assert.ok(Math.abs(actual - wanted) <= tolerance, `${name}: the view says ${actual}, the observer ${Math.round(wanted)} ms`);
}

function whole(data) {
  const names = data.events.map(event => event.name);
  assert.equal(names.filter(name => name === 'viewstart').length, 1);
  assert.equal(names.at(-1), 'viewend');
  assert.equal(data.view_dropped, false);
  assert.equal(data.watched, true);
  assert.equal(data.playback_failure, false);
  assert.equal(data.video_title, 'Test title');
  assert.equal(data.viewer_user_id, 'viewer-1');
}

// renditions: null for a source that has no bitrates to change between.
function agrees({ seen, data }, { seeks = seen.seeks, renditions = seen.heights.length - 1 } = {}) {
  console.log(`# ${data.video_id}: ` + JSON.stringify({ startup: [data.time_to_first_frame, Math.round(seen.startupMs)], stalls: [data.buffering_count, seen.stalls],
    stalled: [data.buffering_duration, Math.round(seen.stalledMs)], hiccups: seen.hiccups, seeks: [data.view_seek_count, seen.seeks],
    playing: [Number(data.view_playing_time), Math.round(seen.playingMs)], renditions: [data.rendition_change_count, seen.heights] }));
  whole(data);
  for (const name of ['play', 'pause']) assert.equal(data.events.filter(event => event.name === name).length, seen.counts[name], name);
  near('startup', data.time_to_first_frame, seen.startupMs, TOLERANCE.startup);
  assert.equal(data.buffering_count, seen.stalls);
  near('stalled', data.buffering_duration, seen.stalledMs, TOLERANCE.stalled);
  assert.equal(data.view_seek_count ?? 0, seeks);
  near('playing', Number(data.view_playing_time), seen.playingMs, TOLERANCE.playing);
  assert.equal(data.rendition_change_count, renditions);
}

test('mux-embed on an MP4: pause, resume, seek, end', async () => {
  const result = await watch('native', 'player.html', { player: 'native', src: '/media/clip12.mp4' }, async page => {
    await page.evaluate(() => video.play());
    await time(page, 3);
    await page.evaluate(() => video.pause());
    await sleep(1000);
    await page.evaluate(() => video.play());
    await time(page, 4);
    await seek(page, 9);
    await page.waitForFunction(() => video.ended, null, { timeout: 60_000 });
  });
  agrees(result, { renditions: null });
  assert.equal(result.data.player_source_duration, 12_000);
});

test('mux-embed with hls.js on a bad network: one stall', async () => {
  const config = JSON.stringify({ maxBufferLength: 2, maxMaxBufferLength: 2, startLevel: 1, testBandwidth: false, fragLoadPolicy: { default: { maxTimeToFirstByteMs: 30_000,
    maxLoadTimeMs: 60_000, timeoutRetry: null, errorRetry: null } } });
  const result = await watch('hls-stall', 'player.html', { player: 'hls', src: '/media/hls/master.m3u8', config }, async page => {
    await page.evaluate(() => { hls.loadLevel = 1; return video.play(); });
    await time(page, 2);
    site.bytesPerSecond = 8000; // a segment of 2 s takes 9
    await page.waitForFunction(() => { // until it has stood still for 2 s
      window.still = video.currentTime === window.stillAt ? window.still ?? performance.now() : null;
      window.stillAt = video.currentTime;
      return window.still !== null && performance.now() - window.still > 2000;
    }, null, { timeout: 60_000, polling: 50 });
    site.bytesPerSecond = 0;
    await page.waitForFunction(at => video.currentTime > window.stillAt + 1, null, { timeout: 60_000, polling: 50 });
    await seek(page, 14);
    await time(page, 16);
  });
  agrees(result);
  assert.ok(result.seen.stalls >= 1, 'the network was to stall it');
  assert.ok(result.data.events.filter(event => event.name === 'requestcompleted').length >= 5);
  assert.ok(result.data.view_average_request_throughput > 0);
});

test('mux-embed with hls.js: rendition changes', async () => {
  const config = JSON.stringify({ startLevel: 1, maxBufferLength: 4, maxMaxBufferLength: 4 });
  const result = await watch('hls-levels', 'player.html', { player: 'hls', src: '/media/hls/master.m3u8', config }, async page => {
    await page.evaluate(() => { hls.loadLevel = 1; return video.play(); });
    await time(page, 2);
    await page.evaluate(() => { hls.nextLevel = 0; });
    await page.waitForFunction(() => seen.heights.at(-1) === 240, null, { timeout: 60_000 });
    await page.evaluate(() => { hls.nextLevel = 1; });
    await page.waitForFunction(() => seen.heights.at(-1) === 360, null, { timeout: 60_000 });
    await sleep(1000);
  });
  agrees(result);
  assert.deepEqual(result.seen.heights, [360, 240, 360]);
  assert.deepEqual([result.data.rendition_change_count, result.data.rendition_upshift_count, result.data.rendition_downshift_count], [2, 1, 1]);
  assert.deepEqual([result.data.video_source_height_initial, result.data.video_source_height, result.data.video_source_bitrate], [360, 360, 277_200]);
});

test('mux-embed with dash.js: a seek', async () => {
  // The quality is held, so that nothing but the SDK's own way of telling makes a change: it reports dash.js's video bitrate
  // first and the sum of video and audio once the audio is there, which the rule (a change is a change of bitrate) counts.
  const config = JSON.stringify({ streaming: { abr: { autoSwitchBitrate: { video: false }, initialBitrate: { video: 220 } } } });
  const result = await watch('dash', 'player.html', { player: 'dash', src: '/media/dash/manifest.mpd', config }, async page => {
    await page.evaluate(() => video.play());
    await time(page, 3);
    await seek(page, 12);
    await time(page, 15);
  });
  const bitrates = result.data.events.filter(event => event.name === 'renditionchange').map(event => event.details.video_source_bitrate).filter(Boolean);
  assert.deepEqual(bitrates, [220_000, 252_000]);
  agrees(result, { renditions: 1 });
});

test('videojs-mux', async () => {
  const result = await watch('videojs', 'videojs.html', { src: '/media/hls/master.m3u8' }, async page => {
    await page.evaluate(() => player.play());
    await time(page, 3);
    await seek(page, 12);
    await time(page, 15);
  });
  agrees(result);
  assert.equal(result.data.player_mux_plugin_name, 'videojs-mux');
});

test('@mux/mux-data-shakaplayer', async () => {
  secure = await tlsProxy();
  const result = await watch('shaka', 'shaka.html', { src: '/media/dash/manifest.mpd', collector: `localhost:${secure.address().port}` }, async page => {
    await page.evaluate(() => video.play());
    await time(page, 3);
    await seek(page, 12);
    await time(page, 15);
  });
  agrees(result);
});

test('@mux/mux-player', async () => {
  const result = await watch('mux-player', 'muxplayer.html', { src: '/media/hls/master.m3u8' }, async page => {
    await page.evaluate(() => video.play());
    await time(page, 3);
    await seek(page, 12);
    await time(page, 15);
  });
  agrees(result);
  assert.equal(result.data.player_software, 'mux-player');
});

test('@mux/mux-data-google-ima with a stand-in for Google\'s script', async () => {
  const ad = (page, ...what) => page.evaluate(all => window.ad(...all), what);
  let asked, shown, adsMs = 0;
  const { seen, data } = await watch('ima', 'ima.html', { src: '/media/clip12.mp4' }, async page => {
    await page.evaluate(() => { loader.requestAds({ adTagUrl: 'https://ads.example.net/vast?x=1' }); });
    await sleep(200);
    await page.evaluate(() => loader.deliver());
    for (const n of [1, 2]) { // a pre-roll pod of two, the first paused on the way, the second skipped
      await ad(page, 'LOADED', n);
      if (n === 1) asked = await ad(page, 'CONTENT_PAUSE_REQUESTED', n);
      await sleep(200);
      const at = await ad(page, 'STARTED', n);
      shown ??= at;
      await sleep(500);
      if (n === 1) {
        adsMs += await ad(page, 'PAUSED', n);
        await sleep(300);
        adsMs -= await ad(page, 'RESUMED', n);
      }
      await sleep(500);
      adsMs += await ad(page, n === 1 ? 'COMPLETE' : 'SKIPPED', n) - at;
    }
    await ad(page, 'CONTENT_RESUME_REQUESTED', 2);
    await page.evaluate(() => video.play());
    await time(page, 3);
    await page.evaluate(() => video.pause());
    await ad(page, 'LOADED', 3, 5);
    await ad(page, 'CONTENT_PAUSE_REQUESTED', 3, 5);
    adsMs -= await ad(page, 'STARTED', 3, 5);
    await sleep(700);
    adsMs += await ad(page, 'COMPLETE', 3, 5);
    await ad(page, 'CONTENT_RESUME_REQUESTED', 3, 5);
    await page.evaluate(() => video.play());
    await time(page, 4);
    await page.evaluate(() => { // a request that is answered with an error
      loader.requestAds({ adTagUrl: 'https://ads.example.net/vast?x=2' });
      loader.fire('adError', { getError: () => ({ getType: () => 'adLoadError' }) });
    });
    await sleep(300);
  });
  console.log('# ima: ' + JSON.stringify({ startup: [data.time_to_first_frame, Math.round(shown - asked)],
    playing: [Number(data.view_playing_time), Math.round(seen.playingMs + adsMs)], stalls: [data.buffering_count, seen.stalls], seeks: [data.view_seek_count, seen.seeks], names: data.events.map(event => event.name).join(' ') }));
  whole(data);
  near('startup', data.time_to_first_frame, shown - asked, TOLERANCE.startup);
  assert.equal(data.view_has_ad, true);
  assert.deepEqual([data.ad_break_count, data.ad_attempt_count, data.ad_impression_count], [2, 4, 3]);
  assert.deepEqual([data.ad_error_count, data.ad_startup_error_count, data.ad_break_error_count, data.ad_exit_before_start_count], [1, 1, 0, 0]);
  assert.deepEqual([data.preroll_requested, data.preroll_played, data.preroll_ad_tag_hostname], [true, true, 'ads.example.net']);
  assert.equal(data.buffering_count, seen.stalls);
  near('stalled', data.buffering_duration, seen.stalledMs, TOLERANCE.stalled);
  assert.equal(data.view_seek_count ?? 0, seen.seeks);
  assert.equal(data.rendition_change_count, null);
  // Content that moved and ads from their start to their end, without their pauses: two clocks an ad more than elsewhere.
  near('playing', Number(data.view_playing_time), seen.playingMs + adsMs, TOLERANCE.playing + 3 * 100);
});
