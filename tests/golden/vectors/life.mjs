// SPDX-License-Identifier: Apache-2.0
// What is a view, its order, its start and end, and which value of a field it keeps.
import { T0 } from './wire.mjs';

const iso = ms => new Date(T0 + ms).toISOString().slice(0, 19) + 'Z';
const none = undefined;
const seq = n => ({ view_sequence_number: n });
const begin = ['viewstart', 0, { view_start: T0 }];
const frame = ['playing', 400, { view_time_to_first_frame: 400 }];
const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36';
const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:121.0) Gecko/20100101 Firefox/121.0';

const list = [
  // 6: an event is known by its view and its number; the first copy counts; order is by number.
  ['6', 'two copies in one POST', [begin, ['hb', 1000, { video_title: 'one', ...seq(2) }], ['hb', 2000, { video_title: 'two', ...seq(2) }],
    ['viewend', 3000, seq(3)]], { video_title: 'one', 'event:hb': 1 }],
  ['6', 'the player numbers stand in', [['viewstart', 0, { view_sequence_number: none, player_sequence_number: 7, view_start: T0 }],
    ['hb', 2000, { view_sequence_number: none, player_sequence_number: 9, custom_1: 'late' }],
    ['hb', 1000, { view_sequence_number: none, player_sequence_number: 8, custom_1: 'early' }],
    ['viewend', 3000, { view_sequence_number: none, player_sequence_number: 10 }]], { custom_1: 'late', view_dropped: false }],
  ['6', 'events without any number are refused', [begin, ['hb', 1000, { view_sequence_number: none, custom_1: 'x' }], ['viewend', 2000, seq(2)]],
    { custom_1: null, 'event:hb': 0 }],
  ['6', 'written in reverse', [['viewend', 9000, { ...seq(5), custom_1: 'end' }], ['hb', 4000, { ...seq(4), custom_1: 'late' }],
    ['hb', 3000, { ...seq(3), custom_1: 'mid', video_title: 't' }],
    ['playing', 400, { ...seq(2), view_time_to_first_frame: 400 }], ['viewstart', 0, { ...seq(1), view_start: T0 }]],
    { custom_1: 'end', video_title: 't', time_to_first_frame: 400, view_start: iso(0), view_end: iso(9000) }],
  ['6', 'gaps and text numbers', [['viewstart', 0, { view_start: T0, ...seq('3') }], ['hb', 1000, { custom_1: 'b', ...seq('20') }],
    ['hb', 500, { custom_1: 'a', ...seq('7') }], ['viewend', 2000, seq('100')]], { custom_1: 'b', 'event:hb': 2 }],
  // 7: when a view counts.
  ['7', 'viewstart', [['viewstart', 0], ['viewend', 1000]], { watched: false, exit_before_video_start: true }],
  ['7', 'play', [['play', 0], ['viewend', 1000]], { watched: false }],
  ['7', 'adbreakstart', [['adbreakstart', 0], ['viewend', 1000]], { view_has_ad: true }],
  ['7', 'view_start on any event', [['hb', 0, { view_start: T0 }], ['viewend', 1000]], { view_start: iso(0) }],
  ['7', 'a fatal error alone', [['error', 0, { player_error_code: 4 }]], { video_startup_failure: true, playback_failure: true, watched: false,
    view_start: iso(0), view_end: iso(0), view_dropped: true }],
  ['7', 'a fatal business exception alone', [['error', 0, { player_error_code: 4, player_error_business_exception: true }]],
    { playback_failure: false, exit_before_video_start: true }],
  ['7', 'an error and its viewend', [['error', 0, { player_error_code: 4, player_error_severity: 'fatal' }], ['viewend', 1000]],
    { video_startup_failure: true, view_dropped: false }],
  ['7', 'a warning is no view', [['error', 0, { player_error_code: 4, player_error_severity: 'warning' }], ['viewend', 1000]], null],
  ['7', 'a viewend is no view', [['viewend', 0, { view_watch_time: 500 }]], null],
  ['7', 'waiting for play is no view', [['networkchange', 0], ['playerready', 10, { player_startup_time: 10 }], ['loadstart', 20], ['hb', 10_000],
    ['viewend', 11_000]], null],
  ['7', 'playing alone is no view', [['playing', 0], ['hb', 1000]], null],
  ['7', 'an ad request is no view', [['adrequest', 0], ['adresponse', 100]], null],
  // 8: the first viewend ends it.
  ['8', 'what follows the viewend', [begin, frame, ['viewend', 5000, { custom_1: 'end', view_watch_time: 5000 }], ['hb', 6000, { custom_1: 'after' }],
    ['error', 7000, { player_error_code: 1 }], ['viewend', 8000, { custom_1: 'again', view_watch_time: 8000 }]],
    { custom_1: 'end', watch_time: 5000, view_end: iso(5000), playback_failure: false, 'event:viewend': 1, 'event:hb': 0 }],
  ['8', 'the first viewend by number', [begin, ['viewend', 8000, { ...seq(9), custom_1: 'nine' }],
    ['viewend', 4000, { ...seq(4), custom_1: 'four' }]],
    { custom_1: 'four', view_end: iso(4000) }],
  // 9: view_start.
  ['9', 'the first view_start', [['playbackmodechange', 3000, { view_start: T0 + 2000 }], ['viewstart', 4000, { view_start: T0 + 9000 }],
    ['viewend', 20_000]], { view_start: iso(2000) }],
  ['9', 'a late view_start counts', [['viewstart', 1000], ['play', 2000], ['hb', 9000, { view_start: T0 + 5000 }], ['viewend', 20_000]],
    { view_start: iso(5000) }],
  ['9', 'else the viewstart, though play came first', [['play', 1000], ['viewstart', 3000], ['viewstart', 5000], ['viewend', 20_000]],
    { view_start: iso(3000) }],
  ['9', 'else the first of play and adbreakstart', [['error', 1000, { player_error_code: 1 }], ['adbreakstart', 3000], ['play', 5000],
    ['viewend', 20_000]], { view_start: iso(3000) }],
  ['9', 'else the first fatal error', [['error', 1000, { player_error_severity: 'warning' }], ['error', 3000, { player_error_code: 2 }],
    ['error', 5000, { player_error_code: 2 }], ['viewend', 20_000]], { view_start: iso(3000) }],
  ['9', 'in order of number, not of time', [['play', 5000], ['play', 1000], ['viewend', 20_000]], { view_start: iso(5000) }],
  ['9', 'a view_start that is no time', [['viewstart', 2000, { view_start: 'soon' }], ['viewend', 3000, { view_start: -1 }]],
    { view_start: iso(2000) }],
  // 10: view_end.
  ['10', 'the largest time, not the last', [begin, ['hb', 30_000], ['rebufferstart', 10_000], ['viewend', 20_000]],
    { view_end: iso(30_000), long_resume: false }],
  ['10', 'events before the start count as well', [['hb', 9000], ['play', 3000], ['viewend', 4000]], { view_end: iso(9000), view_start: iso(3000) }],
  ['10', 'a viewend exactly an hour late', [begin, ['hb', 10_000], ['viewend', 3_610_000]], { view_end: iso(3_610_000), long_resume: false }],
  ['10', 'a viewend over an hour late', [begin, ['hb', 10_000], ['viewend', 3_610_001]], { view_end: iso(10_000), long_resume: true,
    view_dropped: false }],
  ['10', 'later than every other event', [begin, ['hb', 4_000_000], ['hb', 10_000], ['viewend', 4_000_001 + 3_500_000]],
    { view_end: iso(7_500_001), long_resume: false }],
  ['10', 'another event may be late', [begin, ['hb', 10_000], ['hb', 7_300_000], ['viewend', 7_301_000]],
    { view_end: iso(7_301_000), long_resume: false }],
  ['10', 'long rebuffering, at its border', [begin, frame, ['viewend', 400_000, { view_rebuffer_duration: 300_000 }]], { long_rebuffering: false }],
  ['10', 'long rebuffering', [begin, frame, ['viewend', 400_000, { view_rebuffer_duration: 300_001 }]], { long_rebuffering: true }],
  // 14, 15: dropped without a viewend.
  ['14', 'a view without viewend', [begin, frame, ['hb', 10_000, { view_watch_time: 10_000 }]], { view_dropped: true, view_end: iso(10_000),
    watch_time: 10_000, watched: true }],
  ['15', 'a tab that was killed', [['viewstart', 361, { view_start: T0 + 361 }],
    ['playing', 390, { view_time_to_first_frame: 29, view_watch_time: 29, view_playing_time_ms_cumulative: 0 }]],
    { time_to_first_frame: 29, watch_time: 29, view_playing_time: '0', watched: true, view_dropped: true }],
  // 18: the last value, the first value, once true.
  ['18', 'counters as sent, not the largest',
    [begin, frame, ['hb', 1000, { view_rebuffer_count: 3, view_watch_time: 900, view_max_playhead_position: 900, view_max_upscale_percentage: 0.5 }],
    ['viewend', 2000, { view_rebuffer_count: 2, view_watch_time: 800, view_max_playhead_position: 800, view_max_upscale_percentage: 0.2 }]],
    { buffering_count: 2, watch_time: 800, view_max_playhead_position: '800', view_max_upscale_percentage: '0.2' }],
  ['18', 'metadata may change',
    [begin, ['hb', 1000, { video_title: 'a', video_id: '1', viewer_user_id: 'u', experiment_name: 'x', sub_property_id: 's', custom_3: 'a',
    page_type: 'iframe' }],
    ['hb', 2000, { video_title: 'b', video_id: '2', viewer_user_id: 'v', experiment_name: 'y', sub_property_id: 't', custom_3: 'b',
      page_type: 'watchpage' }], ['viewend', 3000]],
    { video_title: 'b', video_id: '2', viewer_user_id: 'v', experiment_name: 'y', sub_property_id: 't', custom_3: 'b', page_type: 'watchpage' }],
  ['18', 'ids and load times: the first',
    [begin, ['hb', 1000, { session_id: 's1', mux_viewer_id: 'm1', player_instance_id: 'p1', player_startup_time: 100, page_load_time: 50 }],
    ['hb', 2000, { session_id: 's2', mux_viewer_id: 'm2', player_instance_id: 'p2', player_startup_time: 200, page_load_time: 70 }],
      ['viewend', 3000]],
    { session_id: 's1', mux_viewer_id: 'm1', player_instance_id: 'p1', player_startup_time: 100, player_load_time: 100, page_load_time: 50 }],
  ['18', 'the first that is defined', [['viewstart', 0, { view_start: T0, session_id: null, mux_viewer_id: '', player_startup_time: -1 }],
    ['hb', 1000, { session_id: 's2', mux_viewer_id: 'm2', player_startup_time: 'x' }], ['hb', 2000, { player_startup_time: 70 }],
      ['viewend', 3000, { player_startup_time: 90 }]],
    { session_id: 's2', mux_viewer_id: 'm2', player_startup_time: 70 }],
  ['18', 'the first by number', [['viewend', 3000, { ...seq(3), session_id: 's3' }],
    ['hb', 1000, { ...seq(2), session_id: 's2', player_startup_time: 2 }], ['viewstart', 0, { ...seq(1), view_start: T0, player_startup_time: 1 }]],
    { session_id: 's2', player_startup_time: 1 }],
  ['18', 'once true stays true', [begin, ['hb', 1000, { player_is_fullscreen: true, player_pip_enabled: true, player_captions_enabled: true,
    view_preroll_requested: true, view_preroll_played: true }],
    ['hb', 2000, { player_is_fullscreen: false, player_pip_enabled: false, player_captions_enabled: false, view_preroll_requested: false,
      view_preroll_played: false }], ['viewend', 3000]],
    { used_fullscreen: true, used_pip: true, used_captions: true, preroll_requested: true, preroll_played: true }],
  ['18', 'booleans that are not', [begin, ['hb', 1000, { player_autoplay_on: true, player_remote_played: true, view_time_shift_enabled: true }],
    ['viewend', 3000, { player_autoplay_on: false, player_remote_played: false, view_time_shift_enabled: false }]],
    { player_autoplay: false, player_remote_played: false, time_shift_enabled: false }],
  // 19: the playhead of a viewend that was read from the next source; 41: the timeline.
  ['19', 'a viewend whose playhead went back', [['viewstart', 0, { view_start: T0, player_playhead_time: 0 }],
    ['hb', 10_000, { player_playhead_time: 9000 }], ['viewend', 11_000, { player_playhead_time: 0 }]],
    { timeline: [['viewstart', 0, 0], ['hb', 10_000, 9000], ['viewend', 11_000, 9000]] }],
  ['41', 'by viewer_time, then by number', [['viewstart', 10, { view_start: T0 }], ['play', 10], ['renditionchange', 5],
    ['rebufferstart', 2000, { player_playhead_time: 1500 }],
    ['hb', 1000, { player_playhead_time: 990 }], ['viewend', 3000]],
    { timeline: [['renditionchange', 5, 0], ['viewstart', 10, 0], ['play', 10, 0], ['hb', 1000, 990], ['rebufferstart', 2000, 1500],
      ['viewend', 3000, 990]] }],
  ['41', 'the playhead in the state', [['viewstart', 0, { view_start: T0 }], ['hb', 1000, { player_playhead_time: 500.5 }], ['pause', 2000],
    ['hb', 3000, { player_playhead_time: -1 }], ['viewend', 4000]],
    { timeline: [['viewstart', 0, 0], ['hb', 1000, 501], ['pause', 2000, 501], ['hb', 3000, 501], ['viewend', 4000, 501]] }],
].map(([item, name, events, expect]) => ({ item, name, events, expect }));

const agent = (ua, events) => ({ events, headers: { 'user-agent': ua } });
list.push(
  // 6: overlapping POSTs, in any order.
  { item: '6', name: 'POSTs out of order and repeated', posts: [
    { events: [['hb', 5000, { ...seq(5), custom_1: 'five' }], ['hb', 6000, { ...seq(6), custom_1: 'six' }]] },
    { events: [['hb', 3000, { ...seq(3), custom_1: 'three' }], ['hb', 5000, { ...seq(5), custom_1: 'not five' }]] },
    { events: [['viewstart', 0, { ...seq(1), view_start: T0 }], ['playing', 400, { ...seq(2), view_time_to_first_frame: 400 }],
      ['hb', 4000, { ...seq(4), custom_2: 'four' }]] },
    { events: [['hb', 6000, { ...seq(6), custom_1: 'not six' }], ['viewend', 7000, { ...seq(7), view_watch_time: 7000 }]] },
  ], expect: { custom_1: 'six', custom_2: 'four', time_to_first_frame: 400, watch_time: 7000, 'event:hb': 4, view_start: iso(0),
    view_end: iso(7000) } },
  { item: '8', name: 'a POST after the viewend adds nothing', posts: [
    { events: [begin, frame, ['viewend', 5000, { custom_1: 'end' }]] },
    { events: [['hb', 6000, { custom_1: 'after' }], ['viewend', 7000, { custom_1: 'after' }]] },
  ], expect: { custom_1: 'end', view_end: iso(5000), 'event:hb': 0 } },
  // 7: events before the start, in a POST of their own.
  { item: '7', name: 'the start arrives later', posts: [
    { events: [['playerready', -500, { player_startup_time: 77, video_title: 't' }], ['loadstart', -400]] },
    { events: [['viewstart', 0, { view_start: T0 }], ['viewend', 1000]] },
  ], expect: { player_startup_time: 77, video_title: 't', view_start: iso(0), 'event:playerready': 1 } },
  // 17: the agent of the POST that brought the lowest number, its first receipt.
  { item: '17', name: 'the agent of the lowest number', posts: [
    agent(firefox, [['hb', 5000, seq(5)]]), agent(chrome, [['viewstart', 0, { view_start: T0, ...seq(1) }]]),
      agent(firefox, [['viewend', 6000, seq(6)]]),
  ], expect: { viewer_application_name: 'Chrome', viewer_os_family: 'Linux', viewer_user_agent: chrome } },
  { item: '17', name: 'the agent of its first receipt', posts: [
    agent(chrome, [['viewstart', 0, { view_start: T0, ...seq(1) }]]),
      agent(firefox, [['viewstart', 0, { view_start: T0, ...seq(1) }], ['viewend', 6000, seq(6)]]),
  ], expect: { viewer_application_name: 'Chrome' } },
  { item: '17', name: 'the network of the lowest number', posts: [
    { headers: { 'x-forwarded-for': '8.8.8.8' }, events: [['hb', 500, seq(2)]] },
    { headers: { 'x-forwarded-for': '133.11.0.1' }, events: [['viewstart', 0, { view_start: T0, ...seq(1) }], ['viewend', 1000, seq(3)]] },
  ], expect: { country_code: 'JP', country_name: 'Japan', continent_code: 'AS', asn: 2501, latitude: '35.6', longitude: '139.7' } },
  { item: '37', name: 'south and west are cut towards zero', posts: [{ headers: { 'x-forwarded-for': '200.160.2.3' }, events: [begin, ['viewend', 1000]] }],
    expect: { country_code: 'BR', latitude: '-23.5', longitude: '-46.6' } },
  { item: '17', name: 'a lower number brings its agent', posts: [
    agent(chrome, [['viewstart', 0, { view_start: T0, ...seq(3) }]]), agent(firefox, [['loadstart', -100, seq(2)], ['viewend', 6000, seq(6)]]),
  ], expect: { viewer_application_name: 'Firefox' } },
);
export default list;
