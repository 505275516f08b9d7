// SPDX-License-Identifier: Apache-2.0
// Views made up for one rule each, with the numbers that were worked out by hand for them. Events are in long names;
// [name, ms since the start, fields]; view() makes them what an SDK sends. The reference and the server must both come to `wanted`.
import { shortName } from './reference.mjs';

const START = Date.UTC(2026, 10, 22, 12);

export const view = (id, key, events) => events.map(([event, at, fields], i) => Object.fromEntries(Object.entries({ event, env_key: key, view_id: id,
  view_sequence_number: i + 1, player_sequence_number: i + 1, viewer_time: START + at, ...fields }).map(([name, value]) => [shortName(name), value])));

const begin = (fields = {}) => ['viewstart', 0, { view_start: START, view_watch_time: 0, view_playing_time_ms_cumulative: 0, ...fields }];
const plays = (ttff = 400) => ['playing', ttff, { view_time_to_first_frame: ttff, view_watch_time: ttff }];
const ends = (at, fields = {}) => ['viewend', at, { view_watch_time: at, ...fields }];
const error = (at, code, fields = {}) => ['error', at, { player_error_code: code, view_watch_time: at, ...fields }];
const outcome = (failure, startup, business, exit, success, overall) => ({ playback_failure: failure, video_startup_failure: startup,
  exit_before_video_start: exit, playback_score: success, ...(overall === undefined ? {} : { viewer_experience_score: overall }),
  ...(business ? {} : { playback_business_exception_error_type_id: null }) });
const BUSINESS = { player_error_business_exception: true };
const request = (at, start, first, end, bytes) => ['requestcompleted', at, { request_type: 'media', request_start: START + start, request_response_start: START + first,
  request_response_end: START + end, request_bytes_loaded: bytes, view_request_count: 11, view_average_request_throughput: 999, view_average_request_latency: 77 }];

export const EXAMPLES = [
  { what: 'plays, leaves', events: [begin(), plays(), ends(30_000)], wanted: outcome(false, false, false, false, '1') },
  { what: 'leaves after 800 ms', events: [begin(), ends(800)], wanted: outcome(false, false, false, true, null, null) },
  { what: 'leaves after 3 s', events: [begin(), ends(3000)], wanted: outcome(false, false, false, true, '0.5', '0.5') },
  { what: 'fatal after 2 s, no frame', events: [begin(), error(2000, '4'), ends(2500)], wanted: outcome(true, true, false, false, '0', '0') },
  { what: 'business exception after 30 s', events: [begin(), plays(), error(30_000, '402', BUSINESS), ends(31_000)], wanted: outcome(false, false, true, false, '1') },
  { what: 'business exception, no frame', events: [begin(), error(3000, '402', BUSINESS), ends(3000)], wanted: outcome(false, false, true, true, '0.5', '0.5') },
  { what: 'fatal before play, then plays', events: [error(-50, '2'), begin(), plays(), ends(9000)], wanted: outcome(true, false, false, false, '0', '0') },
  { what: 'a warning decides nothing', events: [begin(), plays(), error(5000, '9', { player_error_severity: 'warning' }), ends(9000)],
    wanted: { ...outcome(false, false, false, false, '1'), player_error_code: null, error_type_id: null } },
  { what: 'scores: 400 ms, one stall of 3 s in 60 s, 25 % upscaled throughout',
    events: [begin(), plays(), ends(60_000, { view_rebuffer_count: 1, view_rebuffer_duration: 3000, view_max_upscale_percentage: 0.25,
      view_total_upscaling: 14_150, view_total_content_playback_time: 56_600 })],
    wanted: { startup_score: '0.952381', rebuffering_score: '0.750479', quality_score: '0.920811', viewer_experience_score: '0.862512' } },
  { what: 'requests of the view alone, whatever the player counted before',
    events: [begin(), plays(), request(500, 0, 40, 240, 1_250_000), ends(5000)],
    wanted: { view_average_request_throughput: 50_000_000, view_average_request_latency: 40, view_max_request_latency: 40 } },
  { what: 'a viewend more than an hour late is not the end', events: [begin(), plays(), ['hb', 10_000], ['viewend', 4_000_000]],
    wanted: { view_end: new Date(START + 10_000).toISOString().replace('.000', ''), long_resume: true } },
  { what: 'a viewend an hour late to the ms is the end', events: [begin(), plays(), ['hb', 10_000], ['viewend', 3_610_000]],
    wanted: { view_end: new Date(START + 3_610_000).toISOString().replace('.000', ''), long_resume: false } },
  { what: 'nothing after viewend', events: [begin({ video_title: 'a' }), plays(), ends(5000), ['hb', 6000, { video_title: 'b' }]],
    wanted: { video_title: 'a', watch_time: 5000 } },
  { what: 'text for numbers, blanks, halves, nonsense', events: [begin({ player_width: ' 1920 ', player_height: '1079.5', view_seek_count: -1, view_dropped_frame_count: 'many',
    player_autoplay_on: 'true', viewer_user_id: 7 }), plays(), ends(5000)],
  wanted: { player_width: 1920, player_height: 1080, view_seek_count: null, view_dropped_frame_count: null, player_autoplay: true, viewer_user_id: '7' } },
  { what: 'null keeps, "" unsets', events: [begin({ video_title: 'a', video_series: 'b' }), plays(), ends(5000, { video_title: null, video_series: '' })],
    wanted: { video_title: 'a', video_series: null } },
  { what: 'live latency is the mean of what is plausible and not paused',
    events: [begin({ video_source_is_live: true, player_is_paused: false }), plays(), ['hb', 10_000, { player_program_time: START + 4000 }], ['hb', 20_000, { player_program_time: START + 13_000 }],
      ['hb', 25_000, { player_program_time: START - 900_000 }], ['pause', 30_000, { player_is_paused: true, player_program_time: START }], ends(31_000)],
    wanted: { live_stream_latency: 6500, video_stream_type: 'live' } },
  { what: 'an ad that nobody saw is an exit before its start', events: [begin(), ['adbreakstart', 10], ['adplay', 20], ends(2000)],
    wanted: { view_has_ad: true, ad_attempt_count: 1, ad_impression_count: 0, ad_exit_before_start_count: 1, ad_exit_before_start_percentage: '1' } },
  { what: 'a failure within an ad break', events: [begin(), plays(), ['adbreakstart', 5000], ['adplay', 5010], error(6000, '3'), ends(7000)],
    wanted: { playback_failure: true, ad_playback_failure_error_type_id: { code: '3', message: null } } },
  { what: 'a viewend that reads the playhead of the next source', events: [begin(), plays(), ['hb', 5000, { player_playhead_time: 4600 }], ends(6000, { player_playhead_time: 0 })],
    wanted: { watch_time: 6000 } },
];
