// SPDX-License-Identifier: Apache-2.0
// The reference against numbers that were worked out by hand: from the recordings, and from views made up for one rule each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captures, expected } from './golden.mjs';
import { EXAMPLES, view } from './examples.mjs';
import { decode, detail, longName, shortName } from './reference.mjs';

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/156.0.0.0 Safari/537.36';

test('there is an expected file for every recording, with every key', () => {
  for (const { name } of captures())
    for (const { fields, null: none } of Object.values(expected(name)))
      assert.equal(Object.keys(fields).length + none.split(' ').length, 194 - 5 - 1 + 1, name); // without OWN and events, with mux_sample_rate
});

test('keys', () => {
  for (const [short, long] of [['xsqno', 'view_sequence_number'], ['c12', 'custom_12'], ['c07', 'custom_07'], ['uusid', 'viewer_user_id'],
    ['foo_', 'foo'], ['foo_id', 'foo_id'], ['foo__bar_', 'foo_bar'], ['v_foo_id', 'video_foo_id'], ['vid_foo_', 'video_id_foo'], ['_Foo_id', 'Foo_id'], ['vid_id', 'vid_id'],
    ['udv_orientation_', 'viewer_device_orientation'], ['xdp_frames_co', 'view_dropped_frames_count'], ['xrqfbco', 'xrqfbco']])
    assert.equal(longName(short), long);
  for (const name of ['view_id', 'custom_12', 'viewer_device_orientation', 'foo_bar', 'ad_playing_time_ms_cumulative']) assert.equal(longName(shortName(name)), name);
});

const near = (actual, wanted, digits, what) => assert.equal(Number(actual).toFixed(digits), wanted, what);

test('what the recordings come to', () => {
  const all = name => Object.values(expected(name)).map(({ fields }) => fields);
  const [rebuffer] = all('rebuffer'), [hls] = all('hls-basic'), [ads] = all('ads-emit');
  assert.equal(rebuffer.view_playing_time, '27789');
  near(rebuffer.startup_score, '0.966884', 6);
  near(rebuffer.rebuffering_score, '0.289289', 6);
  near(rebuffer.viewer_experience_score, '0.649362', 6);
  assert.equal(hls.view_average_request_throughput, 2718540160);
  assert.deepEqual([hls.view_average_request_latency, hls.view_max_request_latency], [8, 64]);
  near(hls.weighted_average_bitrate, '1728758.58', 2);
  assert.deepEqual([hls.rendition_change_count, hls.rendition_upshift_count, hls.rendition_downshift_count], [3, 2, 1]);
  assert.equal(ads.view_content_startup_time, 12);
  assert.deepEqual([ads.ad_attempt_count, ads.ad_impression_count, ads.ad_break_count, ads.ad_error_count, ads.ad_startup_error_count,
    ads.ad_break_error_count, ads.ad_exit_before_start_count], [4, 3, 2, 1, 1, 1, 0]);
  assert.deepEqual(all('cdn-change')[0].video_cdn_trace, ['cdn-a', 'cdn-b', 'cdn-c', 'cdn-a']);
  const [missing] = all('error-404-mp4');
  assert.deepEqual([missing.video_startup_failure, missing.watched, missing.time_to_first_frame], [true, false, undefined]);
  const [custom] = all('error-custom');
  assert.deepEqual([custom.player_error_code, custom.player_error_message, custom.playback_score, custom.viewer_experience_score], ['7', 'boom', '0', '0']);
  const [killed] = all('tab-kill');
  assert.deepEqual([killed.view_start, killed.view_end, killed.time_to_first_frame, killed.watch_time, killed.view_playing_time, killed.view_dropped],
    ['2026-11-23T04:38:49Z', '2026-11-23T04:38:49Z', 29, 29, '0', true]);
  const changed = all('videochange');
  assert.deepEqual(changed.map(one => one.video_id), ['vid-1', 'vid-2', 'vid-3']);
  assert.deepEqual([changed[1].view_total_upscaling, changed[1].view_total_content_playback_time], ['3288.0000000000005', 4932]);
  assert.deepEqual([changed[2].viewer_experience_score, changed[2].time_to_first_frame], ['1', undefined]);
});

for (const { what, events, wanted } of EXAMPLES) {
  test(what, () => {
    const found = detail(view('x', 'k', events).map(decode), AGENT);
    for (const [key, value] of Object.entries(wanted)) {
      if (typeof value === 'string' && /^\d\.\d{6}$/.test(value)) near(found[key], value, 6, key);
      else assert.deepEqual(found[key], value, key);
    }
  });
}
