// SPDX-License-Identifier: Apache-2.0
// Views as SDKs other than the recorded one send them, with the numbers worked out by hand. Events are [name, ms since the
// start, fields in long names]; `wanted` is what the view's detail must say, whatever way the beacons came.
import { longName, shortName } from './reference.mjs';

export const START = Date.UTC(2026, 10, 22, 12);
const P = 'view_playing_time_ms_cumulative', ADS = 'ad_playing_time_ms_cumulative';
const text = value => value === null || typeof value === 'object' ? value : String(value);

// How an SDK writes: path, content type, whether the body has metadata, and what becomes of an event in short keys.
export const DIALECTS = {
  web: { path: '/', type: 'text/plain', metadata: true, event: event => event },
  android: { path: '/android', type: 'application/json', metadata: true, headers: { 'x-litix-env-key': 'none', 'x-litix-shard-id': 'device-7' },
    event: event => Object.fromEntries(Object.entries(event).map(([key, value]) => [key === 'vsohn' ? 'vsohonm' : key, text(value)])) },
  ios: { path: '/', type: 'application/json', metadata: true, pretty: true, event: event => event },
  // Times, sizes and booleans as text, literal words with a "_" more, its own configuration in every event.
  roku: { path: '/', type: 'application/json', metadata: false,
    event: event => ({ ...Object.fromEntries(Object.entries(event).map(([key, value]) => [key, /^(u?ti|xst|pwd|pht|pispa|pisfs|pauon)$/.test(key) ? text(value) + (key === 'pwd' ? ' ' : '') : value])),
      _beaconCollectionDomain_: 'beacons.example' }) },
};

// The events of a view in short keys. `bare`: without view_sequence_number, with the player's number from `from` on.
export function encode(view, base = START) {
  const shift = base - START;
  return view.events.map(([event, at, fields = {}], i) => {
    const all = { event, view_id: view.id, ...(view.bare ? {} : { view_sequence_number: i + 1 }), player_sequence_number: (view.from ?? 1) + i,
      viewer_time: START + at, ...fields };
    for (const [name, value] of Object.entries(all)) // points in time move with the view
      if (/^(viewer_time|view_start|player_program_time|request_(start|response_start|response_end))$/.test(name) && typeof value === 'number') all[name] = value + shift;
    return DIALECTS[view.dialect].event(Object.fromEntries(Object.entries(all).map(([name, value]) => [shortName(name), value])));
  });
}

const start = fields => ({ view_start: START, view_watch_time: 0, ...fields });
const request = (at, begin, first, end, bytes, more = {}) => ['requestcompleted', at, { request_type: 'media', request_start: START + begin,
  request_response_start: first === null ? null : START + first, request_response_end: START + end, request_bytes_loaded: bytes, ...more }];
const error = (at, fields = {}) => ['error', at, fields];

export const VIEWS = [
  { what: 'Android: ExoPlayer with everything as text, and no playing time', dialect: 'android', events: [
    ['viewinit', -900, { player_init_time: START - 1500, viewer_device_manufacturer: 'Google', viewer_device_model: 'Pixel 7', viewer_device_category: 'phone',
      viewer_os_family: 'Android', viewer_os_version: '13', viewer_application_name: 'tv.example.app', viewer_application_version: '4.1', mux_viewer_id: 'device-7',
      player_software_name: 'Media3 ExoPlayer', player_software_version: '1.4.1', player_mux_plugin_name: 'mux-media3', mux_embed: 'mux-stats-sdk-core' }],
    ['playerready', -600, { player_startup_time: 900 }],
    ['viewstart', 0, start({ video_source_url: 'https://stream.mux.com/AbCd01.m3u8?x=1', video_source_hostname: 'stream.mux.com', video_source_duration: 734_000, player_width: 1080,
      player_height: 2400, player_is_fullscreen: true, player_is_paused: false, view_rebuffer_count: 0 })],
    ['play', 1, {}],
    ['renditionchange', 300, { video_source_bitrate: 1_200_000, video_source_width: 960, video_source_height: 540, video_source_fps: 29.97, video_source_codec: 'avc1.4d401f' }],
    request(500, 310, 350, 450, 500_000, { request_hostname: 'stream.mux.com' }),
    ['playing', 900, { view_time_to_first_frame: 900, view_watch_time: 900 }],
    ['renditionchange', 20_900, { video_source_bitrate: 3_400_000, video_source_width: 1920, video_source_height: 1080, view_content_playback_time: 20_000, view_watch_time: 20_900 }],
    ['rebufferstart', 30_900, { view_rebuffer_count: 1, view_content_playback_time: 30_000 }],
    ['rebufferend', 33_400, { view_rebuffer_duration: 2500 }],
    ['seeking', 40_000, { view_seek_count: 1 }],
    ['seeked', 40_600, { view_seek_duration: 600 }],
    error(50_000, { player_error_code: 2001, player_error_message: 'slow', player_error_severity: 'warning' }),
    error(59_000, { player_error_code: -1001, player_error_message: 'gone', player_error_context: 'at Player.java:12' }),
    error(59_500, {}), // an unchanged code and message are not sent again; nothing is inherited
    ['viewend', 60_000, { view_watch_time: 60_000, view_content_playback_time: 56_000, player_playhead_time: 56_000 }],
  ], wanted: { time_to_first_frame: 900, player_startup_time: 900, watch_time: 60_000, view_playing_time: '56000', buffering_count: 1, buffering_duration: 2500,
    view_seek_count: 1, view_seek_duration: 600, weighted_average_bitrate: (20_000 * 1_200_000 + 36_000 * 3_400_000) / 56_000,
    rendition_change_count: 1, rendition_upshift_count: 1, rendition_downshift_count: 0, view_average_request_throughput: 40_000_000, view_average_request_latency: 40,
    video_source_fps: 29.97, video_source_bitrate_initial: 1_200_000, player_width: 1080, used_fullscreen: true, playback_id: 'AbCd01',
    player_source_host_name: 'stream.mux.com', player_source_duration: 734_000, video_stream_type: 'on-demand', viewer_device_model: 'Pixel 7', viewer_device_category: 'phone',
    viewer_os_family: 'Android', viewer_application_name: 'tv.example.app', playback_failure: true, player_error_code: '-1001', player_error_message: 'gone',
    player_error_context: 'at Player.java:12', playback_score: '0', mux_viewer_id: 'device-7', session_id: '' } },
  { what: 'Android: a source that does not load, and nothing else', dialect: 'android', events: [
    ['playerready', -600, { player_startup_time: 40 }], error(0, { player_error_code: 'ERROR_CODE_IO_BAD_HTTP_STATUS', player_error_message: 'Source error' }),
  ], wanted: { playback_failure: true, video_startup_failure: true, exit_before_video_start: false, watched: false, time_to_first_frame: null, buffering_count: null,
    view_playing_time: '0', view_dropped: true, player_startup_time: 40, viewer_experience_score: '0', player_error_code: 'ERROR_CODE_IO_BAD_HTTP_STATUS' } },

  { what: 'iOS: first of three views of one player', dialect: 'ios', player: 'ios', events: [
    ['viewstart', 0, start({ player_instance_id: 'p', [P]: 0, [ADS]: 0, video_id: 'one', player_view_count: 1, viewer_device_model: 'iPhone15,2', player_software_name: 'AVPlayer' })],
    ['play', 1, { [P]: 0 }], ['adbreakstart', 2], ['adplay', 3], ['adplaying', 200, { view_time_to_first_frame: 200, view_watch_time: 200, [P]: 0, [ADS]: 0 }],
    ['adended', 5200, { [P]: 5000, [ADS]: 5000 }], ['adbreakend', 5201], ['playing', 5300, { [P]: 5000 }],
    request(6000, 5400, 5450, 5850, 100_000), ['viewend', 15_300, { [P]: 15_000, [ADS]: 5000, view_watch_time: 15_300, view_request_count: 1 }],
  ], wanted: { video_id: 'one', player_view_count: 1, view_playing_time: '15000', ad_attempt_count: 1, ad_impression_count: 1, ad_break_count: 1, view_content_startup_time: 101,
    view_average_request_throughput: 2_000_000, view_average_request_latency: 50, video_source_bitrate: null, rendition_change_count: null } },
  { what: 'iOS: second view, whose counters of ads and requests go on', dialect: 'ios', player: 'ios', from: 11, events: [
    ['viewstart', 20_000, { view_start: START + 20_000, player_instance_id: 'p', [P]: 0, [ADS]: 5000, video_id: 'two', player_view_count: 2, view_request_count: 1 }],
    ['playing', 20_300, { view_time_to_first_frame: 300, view_watch_time: 300, [P]: 0, [ADS]: 5000 }],
    request(21_000, 20_400, 20_440, 20_640, 1_250_000, { view_request_count: 2, view_average_request_throughput: 11_000_000, view_average_request_latency: 45 }),
    ['adbreakstart', 30_300, { [P]: 10_000, [ADS]: 5000 }], ['adplaying', 30_500, { [P]: 10_000 }], ['adended', 38_500, { [P]: 18_000, [ADS]: 13_000 }],
    ['viewend', 40_000, { [P]: 18_000, [ADS]: 13_000, view_watch_time: 20_000 }],
  ], wanted: { video_id: 'two', view_playing_time: '18000', view_average_request_throughput: 50_000_000, view_average_request_latency: 40, view_max_request_latency: 40,
    ad_impression_count: 1, ad_attempt_count: 1, ad_break_count: 1, time_to_first_frame: 300, view_content_startup_time: 300, view_max_playhead_position: null } },
  { what: 'iOS: third view, never played: videochange ends it', dialect: 'ios', player: 'ios', from: 18, events: [
    ['loadstart', 41_000, { player_instance_id: 'p', video_id: 'three', [P]: 0 }], ['viewend', 42_000, { [P]: 0 }] ], wanted: null },

  { what: 'Roku: text for times and booleans, a list of ranges, no playing time, no metadata', dialect: 'roku', events: [
    ['playbackmodechange', -5, { player_playback_mode: 'standard' }], ['networkchange', -4, { viewer_connection_type: 'wifi' }],
    ['viewstart', 0, start({ player_width: 1920, player_height: 1080, player_is_fullscreen: true, player_is_paused: false, player_software_name: 'RokuSG', viewer_os_family: 'Roku OS',
      viewer_device_category: 'tv', view_rebuffer_count: 0, view_rebuffer_duration: 0, player_preload_on: false, video_source_is_live: false })],
    ['adbreakstart', 50], ['adimpression', 100], ['adplaying', 120, { view_time_to_first_frame: 120 }], ['adskipped', 3000],
    ['adimpression', 3100], ['adended', 8000], ['adbreakend', 8100],
    ['play', 8150], ['playing', 8400, { view_watch_time: 8400 }],
    ['hb', 18_400, { view_watch_time: 18_400, view_dropped_frames_count: 12, video_playback_range: ['0:4000', '9000:8000', '5000:9000'], player_playhead_time: 9000 }],
    ['viewend', 28_400, { view_watch_time: 28_400, view_rebuffer_count: 2, view_rebuffer_duration: 1250, player_playhead_time: 19_000 }],
  ], wanted: { view_playing_time: String(28_400 - 120 - 1250), view_dropped_frame_count: 12, buffering_count: 2, buffering_duration: 1250, player_width: 1920, used_fullscreen: true,
    viewer_device_category: 'tv', viewer_os_family: 'Roku OS', ad_break_count: 1, ad_attempt_count: 2, ad_impression_count: 2, ad_error_count: 0, player_preload: false,
    view_content_startup_time: 8400 - (8100 - 50), mux_viewer_id: '', session_id: '', view_seek_count: null, view_seek_duration: null, video_stream_type: 'on-demand' } },
  { what: 'Roku: no view_sequence_number, so the player\'s stands in; almost nothing else', dialect: 'roku', bare: true, from: 57, events: [
    ['play', 0], ['playing', 2100], ['viewend', 9000],
  ], wanted: { watched: true, time_to_first_frame: null, watch_time: null, view_playing_time: '0', playback_score: '1', viewer_experience_score: '1', rebuffer_percentage: null,
    buffering_count: 0, exit_before_video_start: false, player_view_count: null } },

  { what: 'live: latency while it plays, nothing while it is paused, behind or ahead', dialect: 'web', events: [
    ['viewstart', 0, start({ [P]: 0, video_source_is_live: true, video_source_duration: null, player_is_paused: false })],
    ['playing', 500, { view_time_to_first_frame: 500, [P]: 0, player_program_time: START + 500 - 6000 }],
    ['hb', 10_500, { [P]: 10_000, player_program_time: START + 10_500 - 6001 }],
    ['pause', 12_000, { [P]: 11_500, player_is_paused: true, player_program_time: START + 12_000 - 6000 }],
    ['play', 42_000, { [P]: 11_500, player_is_paused: false, player_program_time: START + 42_000 - 36_000 }],
    ['hb', 52_000, { [P]: 21_500, player_program_time: START + 52_000 - 300_001 }], ['hb', 62_000, { [P]: 31_500, player_program_time: START + 62_000 + 1 }],
    ['viewend', 63_000, { [P]: 32_500, view_watch_time: 33_000 }],
  ], wanted: { live_stream_latency: 16_000 /* (6000 + 6001 + 36000) / 3 = 16000.33 */, video_stream_type: 'live', view_playing_time: '32500', player_source_duration: null } },
  { what: 'live: the next programme has no startup time, and is watched', dialect: 'web', events: [
    ['viewstart', 0, start({ [P]: 0, video_source_is_live: 'true', view_program_changed: true })], ['play', 1], ['playing', 2, { [P]: 0 }],
    ['viewend', 60_002, { [P]: 60_000, view_watch_time: 60_000 }],
  ], wanted: { watched: true, time_to_first_frame: null, startup_score: null, rebuffering_score: '1', viewer_experience_score: '1', view_content_startup_time: null, video_stream_type: 'live' } },

  { what: 'ads: a pod of three without adplay, a failure that was not filled, a post-roll left', dialect: 'web', events: [
    ['adrequest', -50, { view_preroll_requested: true, ad_type: 'preroll' }], ['adresponse', -20], ['viewstart', 0, start({ [P]: 0, view_preroll_request_count: 1 })],
    ['adbreakstart', 10], ['adplay', 20, { view_startup_preroll_request_time: 20, view_preroll_played: true }],
    ['adplaying', 420, { view_time_to_first_frame: 420, view_startup_preroll_load_time: 400 }], ['adended', 5420], ['adresponse', 5430], ['adplaying', 5440], ['adended', 8440],
    ['adresponse', 8450], ['adplaying', 8460], ['adended', 9460], ['adbreakend', 9500], ['play', 9510], ['playing', 9600],
    ['pause', 30_000], ['adbreakstart', 30_010], ['adresponse', 30_020], ['aderror', 30_030], ['aderror', 30_040], ['adbreakend', 30_050], ['play', 30_060], ['playing', 30_070],
    ['ended', 60_000], ['adbreakstart', 60_010], ['adplay', 60_020], ['viewend', 60_500],
  ], wanted: { ad_break_count: 3, ad_attempt_count: 6, ad_impression_count: 3, ad_error_count: 2, ad_startup_error_count: 2, ad_break_error_count: 1, ad_exit_before_start_count: 1,
    ad_error_percentage: '0.3333333333333333', ad_exit_before_start_percentage: '0.16666666666666666', view_content_startup_time: 9600 - (9500 - 10), ad_preroll_startup_time: 400,
    video_startup_preroll_request_time: 20, video_startup_preroll_load_time: 400, requests_for_first_preroll: 1, preroll_requested: true, preroll_played: true } },
  { what: 'ads: a client-side preroll that fails, then the content', dialect: 'android', events: [
    ['viewstart', 0, start({ view_preroll_requested: true, view_preroll_request_count: 2, view_startup_preroll_request_time: 80 })], ['adbreakstart', 5], ['adrequest', 6],
    ['aderror', 900], ['adbreakend', 901], ['play', 902], ['playing', 1500, { view_time_to_first_frame: 1500, view_watch_time: 1500 }], ['viewend', 11_500, { view_watch_time: 11_500 }],
  ], wanted: { view_has_ad: true, ad_attempt_count: 1, ad_impression_count: 0, ad_error_count: 1, ad_startup_error_count: 1, ad_break_error_count: 1, view_content_startup_time: 1500,
    preroll_requested: true, preroll_played: false, requests_for_first_preroll: null, video_startup_preroll_request_time: null, ad_preroll_startup_time: null, view_playing_time: '10000' } },

  { what: 'errors: a business exception in an ad break, then a fatal one outside', dialect: 'web', events: [
    ['viewstart', 0, start()], ['playing', 300, { view_time_to_first_frame: 300 }], ['adbreakstart', 1000],
    error(1100, { player_error_code: 402, player_error_message: 'pay', player_error_business_exception: 'true' }), ['adbreakend', 1200],
    error(2000, { player_error_code: '5', player_error_message: '' , player_error_severity: 'fatal' }), ['viewend', 3000, { view_watch_time: 3000 }],
  ], wanted: { player_error_code: '5', player_error_message: null, playback_failure: true, playback_business_exception_error_type_id: { code: '402', message: 'pay' },
    ad_playback_failure_error_type_id: null, playback_failure_error_type_id: { code: '5', message: null }, video_startup_business_exception_error_type_id: null } },

  { what: 'a pause of two hours and the viewend of an SDK that woke then', dialect: 'web', events: [
    ['viewstart', 0, start({ [P]: 0 })], ['playing', 200, { view_time_to_first_frame: 200, [P]: 0 }], ['pause', 10_200, { [P]: 10_000, view_watch_time: 10_200 }],
    ['viewend', 7_210_200, { [P]: 10_000, view_watch_time: 10_200 }],
  ], wanted: { long_resume: true, view_end: new Date(START + 10_000).toISOString().replace('.000', ''), watch_time: 10_200, view_playing_time: '10000', view_dropped: false }, fixed: ['view_end'] },
  { what: 'sleep and wake: eight minutes with the lid closed', dialect: 'web', events: [
    ['viewstart', 0, start({ [P]: 0 })], ['playing', 200, { view_time_to_first_frame: 200, [P]: 0 }], ['hb', 10_200, { [P]: 10_000, view_watch_time: 10_200 }],
    ['devicesleep', 12_000, { [P]: 11_800, view_watch_time: 12_000 }], ['devicewake', 492_000, { [P]: 11_800 }], ['playing', 492_100, { [P]: 11_800 }],
    ['viewend', 502_100, { [P]: 21_800, view_watch_time: 22_100 }],
  ], wanted: { view_playing_time: '21800', watch_time: 22_100, long_resume: false, buffering_count: 0 } },
  { what: 'a clock that is set back an hour while it plays, and forward again', dialect: 'android', events: [
    ['viewstart', 0, start({ [P]: 0, video_source_bitrate: 900_000 })], ['playing', 400, { view_time_to_first_frame: 400, [P]: 0 }], ['hb', 10_400, { [P]: 10_000 }],
    ['rebufferstart', 20_400 - 3_600_000, { [P]: 20_000, view_rebuffer_count: 1 }], ['rebufferend', 21_400 - 3_600_000, { [P]: 20_000, view_rebuffer_duration: 1000 }],
    ['rebufferstart', 31_400, { [P]: 30_000, view_rebuffer_count: 2 }], ['rebufferend', 32_000, { [P]: 30_000, view_rebuffer_duration: 1600 }],
    ['viewend', 40_000, { [P]: 38_000, view_watch_time: 40_000 }],
    // At the first stall time went back, so nothing of the 10,000 is taken; at the second it is within what passed.
  ], wanted: { view_playing_time: '28000', buffering_count: 2, buffering_duration: 1600, watch_time: 40_000, long_resume: false, weighted_average_bitrate: 900_000 } },

  { what: 'two players on a page: the one', dialect: 'web', player: 'page', events: [
    ['viewstart', 0, start({ player_instance_id: 'a', [P]: 0, session_id: 's', mux_viewer_id: 'm' })], ['playing', 700, { view_time_to_first_frame: 700, [P]: 0 }],
    ['viewend', 5700, { [P]: 5000, view_watch_time: 5700 }],
  ], wanted: { player_instance_id: 'a', time_to_first_frame: 700, view_playing_time: '5000', session_id: 's' } },
  { what: 'two players on a page: the other', dialect: 'web', player: 'page', events: [
    ['viewstart', 100, start({ view_start: START + 100, player_instance_id: 'b', [P]: 0, session_id: 's', mux_viewer_id: 'm' })], ['viewend', 2100, { view_watch_time: 2000 }],
  ], wanted: { player_instance_id: 'b', time_to_first_frame: null, exit_before_video_start: true, playback_score: '0.5', session_id: 's' } },

  { what: 'renditions: what another event has told already is no change, and what viewstart told is known', dialect: 'web', events: [
    ['viewstart', 0, start({ [P]: 0, video_source_bitrate: 1_000_000 })], ['renditionchange', 1, { video_source_bitrate: 2_000_000 }], ['playing', 200, { view_time_to_first_frame: 200 }],
    ['hb', 10_000, { video_source_bitrate: 3_000_000 }], ['renditionchange', 10_001, { video_source_bitrate: 3_000_000 }], ['renditionchange', 12_000, { video_source_bitrate: 0 }],
    ['renditionchange', 14_000, { video_source_bitrate: 1_000_000, video_source_width: 640 }], ['renditionchange', 15_000, { video_source_width: 641 }], ['viewend', 20_000],
  ], wanted: { rendition_change_count: 2, rendition_upshift_count: 1, rendition_downshift_count: 1, video_source_bitrate: 1_000_000, video_source_bitrate_initial: 1_000_000,
    video_source_width_initial: 640, player_source_width: 641 } },
  { what: 'sources of the page\'s own making, old names, and numbers out of range', dialect: 'web', events: [
    ['viewstart', 0, start({ video_source_url: 'blob:https://site.example/0b1e', video_source_duration: 2 ** 31, player_source_height: 720, player_source_width: 0, video_duration: -5,
      view_max_playhead_position: 2 ** 40, page_url: 'https://site.example/watch?v=1#t' })], ['playing', 90, { player_source_height: 0 }], ['viewend', 900],
  ], wanted: { player_source_url: 'MSE style URL', player_source_host_name: null, player_source_duration: null, video_duration: null, player_source_height: 720, player_source_width: null,
    video_stream_type: null, view_max_playhead_position: String(2 ** 40), page_url: 'https://site.example/watch?v=1#t' } },
].map((view, i) => ({ ...view, id: `player-${i}` }));

export const longKeys = event => Object.fromEntries(Object.entries(event).map(([key, value]) => [longName(key), value]));
