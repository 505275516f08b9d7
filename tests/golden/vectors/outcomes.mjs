// SPDX-License-Identifier: Apache-2.0
// Errors, outcomes and scores.
import { near } from './run.mjs';
import { T0 } from './wire.mjs';

const begin = ['viewstart', 0, { view_start: T0 }];
const frame = (ms = 400, more = {}) => ['playing', ms, { view_time_to_first_frame: ms, view_watch_time: ms, ...more }];
const error = (at, code, more = {}) => ['error', at, { player_error_code: code, ...more }];
const business = { player_error_business_exception: true }, warning = { player_error_severity: 'warning' };
const end = (at, more = {}) => ['viewend', at, more];
const play = ms => 8 / (8 + ms / 1000);
const smooth = (n, p) => (1 / Math.sqrt(1 + (n / 2) ** 2) + Math.exp(-10 * p)) / 2;
const sharp = (max, mean) => Math.exp(-0.33 * (0.15 * max + 0.85 * mean));
const pairs = (sm, q, su) => [[sm, q, 0.62], [sm, su, 0.54], [su, q, 0.58]].filter(([a, b]) => a !== null && b !== null).map(([a, b,
  w]) => a ** w * b ** (1 - w));
const overall = (success, sm, q, su) => {
  const t = pairs(sm, q, su), single = [sm, q, su].filter(x => x !== null);
  return success * (t.length ? t.reduce((a, b) => a + b) / t.length : single.length ? single[0] : 1);
};
const score = value => (value === null ? null : near(value));
const scores = (success, su, sm, q) => ({ playback_score: score(success), startup_score: score(su), rebuffering_score: score(sm),
  quality_score: score(q),
  viewer_experience_score: score(success === null ? null : success === 0 ? 0 : overall(success, sm, q, su)) });
const outcome = (failure, startup, exit, watched) => ({ playback_failure: failure, video_startup_failure: startup, exit_before_video_start: exit,
  watched });
const ids = (failure, exception, startupException, ad) => ({ playback_failure_error_type_id: failure,
  playback_business_exception_error_type_id: exception,
  video_startup_business_exception_error_type_id: startupException, ad_playback_failure_error_type_id: ad });

export default [
  // 42, 43: which error is the view's.
  ['43', 'the first fatal one', [begin, frame(), error(500, 7, { player_error_message: 'boom', player_error_context: 'line 1\nline 2' }),
    error(600, 8, { player_error_message: 'later' }), end(1000)],
    { player_error_code: '7', player_error_message: 'boom', player_error_context: 'line 1\nline 2', error_type_id: 'set', view_error_id: 'set',
      ...ids('set', null, null, null) }],
  ['43', 'the first by number', [begin, ['error', 900, { view_sequence_number: 4, player_error_code: 'b' }],
    ['error', 500, { view_sequence_number: 3, player_error_code: 'a' }], ['viewend', 1000, { view_sequence_number: 5 }]], { player_error_code: 'a' }],
  ['43', 'before business exceptions', [begin, error(500, 402, business), error(600, 7), error(700, 8), end(1000)],
    { player_error_code: '7', ...ids('set', 'set', 'set', null) }],
  ['43', 'else the first business exception', [begin, frame(), error(500, 402, business), error(600, 403, business), end(1000)],
    { player_error_code: '402', error_type_id: 'set', ...ids(null, 'set', null, null) }],
  ['43', 'warnings decide nothing', [begin, frame(), error(500, 1001, warning), error(600, 402, { ...warning, ...business }), end(1000)],
    { player_error_code: null, player_error_message: null, error_type_id: null, view_error_id: null, ...outcome(false, false, false, true),
      ...ids(null, null, null, null) }],
  ['43', 'an error that says nothing', [begin, frame(), ['error', 500], error(600, 7), end(1000)],
    { player_error_code: null, player_error_message: null, player_error_context: null, error_type_id: 'set', playback_failure: true }],
  ['42', 'nothing is inherited', [begin, frame(), error(400, 1001, { ...warning, player_error_message: 'w', player_error_context: 'c' }),
    ['error', 500], end(1000)],
    { player_error_code: null, player_error_message: null, player_error_context: null, playback_failure: true }],
  ['42', 'nor severity, nor the business flag', [begin, frame(), error(400, 402, business), error(450, 1001, warning), error(500, 7), end(1000)],
    { player_error_code: '7', playback_failure: true }],
  ['42', 'fields of an error on other events', [begin, frame(), ['hb', 500, { player_error_code: 9, player_error_message: 'm' }], end(1000)],
    { player_error_code: null, playback_failure: false, error_type_id: null }],
  ['42', 'flags as text', [begin, frame(), error(500, 402, { player_error_business_exception: 'true' }),
    error(600, '1', { player_error_severity: 'warning' }), end(1000)],
    { playback_failure: false, player_error_code: '402', ...ids(null, 'set', null, null) }],
  ['42', 'a business exception that is not', [begin, frame(), error(500, 402, { player_error_business_exception: 'false' }), end(1000)],
    { playback_failure: true, ...ids('set', null, null, null) }],
  ['44', 'codes are text', [begin, frame(), error(500, 'networkError', { player_error_message: 'fragLoadError' }), end(1000)],
    { player_error_code: 'networkError' }],
  ['44', 'long numbers as they are', [begin, frame(), error(500, -11800), end(1000)], { player_error_code: '-11800' }],
  // 46: watched.
  ['46', 'a startup time alone', [begin, ['hb', 500, { view_time_to_first_frame: 400 }], end(1000)], { watched: true }],
  ['46', 'playing alone', [begin, ['playing', 500], end(1000)], { watched: true, time_to_first_frame: null }],
  ['46', 'adplaying alone', [begin, ['adplaying', 500], end(1000)], { watched: true }],
  ['46', 'playing time alone', [begin, ['hb', 500, { view_playing_time_ms_cumulative: 1 }], end(1000)], { watched: true }],
  ['46', 'playing time of 0', [begin, ['hb', 500, { view_playing_time_ms_cumulative: 0, view_watch_time: 500 }], end(1000)], { watched: false }],
  ['46', 'playing time that was a stall', [begin, ['hb', 500, { view_playing_time_ms_cumulative: 0 }],
    ['rebufferstart', 500, { view_playing_time_ms_cumulative: 1000 }], end(2000)], { watched: false, view_playing_time: '0' }],
  ['46', 'a playhead alone', [begin, ['hb', 500, { player_playhead_time: 400, view_max_playhead_position: 400 }], end(1000)], { watched: false }],
  // 51: the table.
  ['51', 'a plays, leaves', [begin, frame(), end(60_000, { view_watch_time: 60_000 })], { ...outcome(false, false, false, true),
    ...scores(1, play(400), 1, null) }],
  ['51', 'b leaves after 800 ms', [begin, end(800, { view_watch_time: 800 })], { ...outcome(false, false, true, false),
    ...scores(null, null, null, null) }],
  ['51', 'c leaves after 3 s', [begin, end(3000, { view_watch_time: 3000 })], { ...outcome(false, false, true, false),
    ...scores(0.5, null, null, null) }],
  ['51', 'd fatal after 2 s, no frame', [begin, error(2000, 4, { view_watch_time: 2000 }), end(2100)], { ...outcome(true, true, false, false),
    ...scores(0, null, null, null), ...ids('set', null, null, null) }],
  ['51', 'e plays, business exception', [begin, frame(), error(30_400, 402, { ...business, view_watch_time: 30_400 }), end(30_500)],
    { ...outcome(false, false, false, true), ...scores(1, play(400), 1, null), ...ids(null, 'set', null, null) }],
  ['51', 'f business exception after 3 s, no frame', [begin, error(3000, 402, { ...business, view_watch_time: 3000 }), end(3100)],
    { ...outcome(false, false, true, false), ...scores(0.5, null, null, null), ...ids(null, 'set', 'set', null) }],
  ['51', 'g fatal before play, then plays', [error(-100, 2), begin, frame(), end(60_000, { view_watch_time: 60_000 })],
    { ...outcome(true, false, false, true), ...scores(0, play(400), 1, null) }],
  ['51', 'h error-custom', [begin, frame(), error(1000, 1001, warning), error(2000, 402, business), error(3000, 7, { player_error_message: 'boom' }),
    error(4000, 7, { player_error_message: 'boom' }), ['error', 5000], end(9000, { view_watch_time: 2500 })],
    { ...outcome(true, false, false, true), ...scores(0, play(400), 1, null), player_error_code: '7', player_error_message: 'boom',
      ...ids('set', 'set', null, null) }],
  // 52: the wait before an exit.
  ['52', 'exactly 1,000 ms', [begin, end(1000, { view_watch_time: 1000 })], { playback_score: '0.5', viewer_experience_score: '0.5' }],
  ['52', '999 ms', [begin, end(5000, { view_watch_time: 999 })], { playback_score: null, viewer_experience_score: null }],
  ['52', 'without a watch time: the end', [begin, end(1000)], { playback_score: '0.5' }],
  ['52', 'without a watch time: too early', [begin, end(999)], { playback_score: null }],
  ['52', 'a watch time of 0', [begin, end(9000, { view_watch_time: 0 })], { playback_score: null }],
  ['52', 'a failure is 0, however short', [begin, error(10, 4), end(20)], { playback_score: '0', viewer_experience_score: '0' }],
  // 53-56: the scores.
  ['53', 'startup', [begin, frame(2000), end(9000)], { startup_score: '0.8' }],
  ['53', 'startup of 8 s', [begin, frame(8000), end(90_000)], { startup_score: '0.5' }],
  ['53', 'no startup time', [begin, ['playing', 500], end(9000, { view_watch_time: 9000 })], { startup_score: null, ...scores(1, null, 1, null) }],
  ['54', 'stalls', [begin, frame(), end(60_400, { view_watch_time: 60_000, view_rebuffer_count: 1, view_rebuffer_duration: 3000 })],
    scores(1, play(400), smooth(1, 0.05), null)],
  ['54', 'never over the whole watch time',
    [begin, frame(), end(60_400, { view_watch_time: 1000, view_rebuffer_count: 2, view_rebuffer_duration: 3000 })],
    { rebuffering_score: score(smooth(2, 1)), rebuffer_percentage: '3' }],
  ['54', 'no watch time', [begin, ['playing', 400, { view_time_to_first_frame: 400 }], end(9000)], { ...scores(1, play(400), null, null) }],
  ['54', 'nothing known but success', [begin, ['playing', 400], end(9000)], scores(1, null, null, null)],
  ['54', 'failed after the start',
    [begin, frame(), error(30_000, 3), end(60_400, { view_watch_time: 60_000, view_rebuffer_count: 4, view_rebuffer_duration: 600 })],
    scores(0, play(400), smooth(4, 0.01), null)],
  ['55', 'the worked example', [begin, frame(), end(60_400, { view_watch_time: 60_000, view_rebuffer_count: 1, view_rebuffer_duration: 3000,
    view_max_upscale_percentage: 0.25, view_total_upscaling: 14_250, view_total_content_playback_time: 57_000 })],
    scores(1, play(400), smooth(1, 0.05), sharp(0.25, 0.25))],
  ['55', 'rebuffer', [begin, frame(274), end(46_850, { view_watch_time: 44_846, view_rebuffer_count: 3, view_rebuffer_duration: 16_749,
    view_max_upscale_percentage: 0, view_total_upscaling: 0, view_total_content_playback_time: 27_628 })],
    scores(1, play(274), smooth(3, 16_749 / 44_846), 1)],
  ['55', 'quality alone',
    [begin, ['playing', 400], end(9000, { view_max_upscale_percentage: 1, view_total_upscaling: 5000, view_total_content_playback_time: 10_000 })],
    scores(1, null, null, sharp(1, 0.5))],
  ['55', 'startup and quality', [begin, ['playing', 400, { view_time_to_first_frame: 400 }],
    end(9000, { view_max_upscale_percentage: 1, view_total_upscaling: 5000, view_total_content_playback_time: 10_000 })],
    scores(1, play(400), null, sharp(1, 0.5))],
  ['55', 'smoothness and quality', [begin, ['playing', 400], end(9000, { view_watch_time: 9000, view_rebuffer_count: 1, view_rebuffer_duration: 900,
    view_max_upscale_percentage: 1, view_total_upscaling: 5000, view_total_content_playback_time: 10_000 })],
    scores(1, null, smooth(1, 0.1), sharp(1, 0.5))],
  ['55', 'no largest upscale', [begin, frame(), end(9000, { view_total_upscaling: 0, view_total_content_playback_time: 10_000 })],
    { quality_score: null }],
  ['55', 'no total', [begin, frame(), end(9000, { view_max_upscale_percentage: 0, view_total_content_playback_time: 10_000 })],
    { quality_score: null }],
  ['55', 'no content', [begin, frame(), end(9000, { view_max_upscale_percentage: 0, view_total_upscaling: 0, view_total_content_playback_time: 0 })],
    { quality_score: null }],
  ['55', 'not watched', [begin, end(9000, { view_max_upscale_percentage: 0, view_total_upscaling: 0, view_total_content_playback_time: 100 })],
    { quality_score: null }],
  ['56', 'an exit keeps its half', [begin, end(9000, { view_watch_time: 9000, view_rebuffer_count: 3, view_rebuffer_duration: 100 })],
    scores(0.5, null, null, null)],
].map(([item, name, events, expect]) => ({ item, name, events, expect }));
