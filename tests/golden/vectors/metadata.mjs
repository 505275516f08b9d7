// SPDX-License-Identifier: Apache-2.0
// CDNs, stream types, renames, modes, media ids, devices, and the dialects of other SDKs.
import { T0 } from './wire.mjs';

const begin = ['viewstart', 0, { view_start: T0 }];
const frame = ['playing', 400, { view_time_to_first_frame: 400 }];
const end = ['viewend', 60_000];
const view = (...fields) => [begin, frame, ...fields.map((field, at) => ['hb', 1000 + at, field]), end];
const cdns = (...names) => view(...names.map(name => ({ video_cdn: name })));
const source = url => view({ video_source_url: url });

const list = [
  // 33: the last CDN, and the trace of all.
  ['33', 'there and back', cdns('cdn-a', 'cdn-b', 'cdn-c', 'cdn-a'), { cdn: 'cdn-a', video_cdn_trace: ['cdn-a', 'cdn-b', 'cdn-c', 'cdn-a'] }],
  ['33', 'case makes no change, spelling as sent', cdns('CDN-A', 'cdn-a', 'Cdn-B', 'cdn-b', 'CDN-A'),
    { cdn: 'CDN-A', video_cdn_trace: ['CDN-A', 'Cdn-B', 'CDN-A'] }],
  ['33', 'the last spelling', cdns('CDN-A', 'cdn-a'), { cdn: 'cdn-a', video_cdn_trace: ['CDN-A'] }],
  ['33', 'none', view({}), { cdn: null, video_cdn_trace: [] }],
  ['33', 'events without it between', view({ video_cdn: 'a' }, {}, { video_cdn: null }, { video_cdn: 'a' }), { cdn: 'a', video_cdn_trace: ['a'] }],
  ['33', 'on a cdnchange', [begin, frame, ['cdnchange', 500, { video_cdn: 'b', video_previous_cdn: 'a' }], end],
    { cdn: 'b', video_cdn_trace: ['b'] }],
  // 34: stream type.
  ['34', 'as sent, before all else', view({ video_stream_type: 'event', video_source_is_live: true, video_source_duration: 5 }),
    { video_stream_type: 'event' }],
  ['34', 'live', view({ video_source_is_live: true, video_source_duration: 60_000 }), { video_stream_type: 'live' }],
  ['34', 'not live', view({ video_source_is_live: false }), { video_stream_type: 'on-demand' }],
  ['34', 'not live, as text', view({ video_source_is_live: 'false' }), { video_stream_type: 'on-demand' }],
  ['34', 'a duration', view({ video_source_duration: 60_000 }), { video_stream_type: 'on-demand' }],
  ['34', 'nothing', view({ video_source_duration: null }), { video_stream_type: null }],
  ['34', 'unset', view({ video_stream_type: 'live', video_source_is_live: false }, { video_stream_type: '' }), { video_stream_type: 'on-demand' }],
  // 35: renames.
  ['35', 'player', view({ player_autoplay_on: true, player_language_code: 'en-us', video_language_code: 'de',
    video_poster_url: 'https://x.test/p.png', player_name: 'n', player_version: 'v',
    player_software: 'HTML5 Video Element', player_software_version: '3', player_mux_plugin_name: 'pn', player_mux_plugin_version: 'pv',
      player_width: 800, player_height: 450, page_type: 'iframe' }),
    { player_autoplay: true, player_language: 'en-us', video_language: 'de', player_poster: 'https://x.test/p.png', player_name: 'n',
      player_version: 'v', player_software: 'HTML5 Video Element',
      player_software_version: '3', player_mux_plugin_name: 'pn', player_mux_plugin_version: 'pv', player_width: 800, player_height: 450,
        page_type: 'iframe' }],
  ['35', 'player_software_name first', view({ player_software_name: 'Video.js' }, { player_software: 'later' }), { player_software: 'Video.js' }],
  ['35', 'source', view({ video_source_url: 'https://cdn.example.com:8443/a/b.m3u8?x=1', video_source_domain: 'example.com',
    video_source_mime_type: 'application/x-mpegurl', video_source_duration: 60_000 }),
    { player_source_url: 'https://cdn.example.com:8443/a/b.m3u8?x=1', player_source_domain: 'example.com',
      player_source_type: 'application/x-mpegurl', player_source_duration: 60_000 }],
  ['35', 'the host as sent', view({ video_source_url: 'https://other.test/a', video_source_hostname: 'localhost:8080' }),
    { player_source_host_name: 'localhost:8080', player_source_domain: null }],
  ['35', 'the host of the URL', source('https://cdn.example.com/a/b.m3u8'), { player_source_host_name: 'cdn.example.com',
    player_source_domain: null }],
  ['35', 'no host in the URL', source('/media/a.mp4'), { player_source_url: '/media/a.mp4', player_source_host_name: null }],
  ['35', 'video metadata', view({ video_id: 'i', video_title: 't', video_series: 's', video_duration: 90_000, video_content_type: 'movie',
    video_producer: 'p', video_encoding_variant: 'e', video_variant_id: 'vi',
    video_variant_name: 'vn', video_creator_id: 'c', video_affiliate: 'a', video_brand: 'b' }),
    { video_id: 'i', video_title: 't', video_series: 's', video_duration: 90_000, video_content_type: 'movie', video_producer: 'p',
      video_encoding_variant: 'e', video_variant_id: 'vi', video_variant_name: 'vn',
      video_creator_id: 'c', video_affiliate: 'a', video_brand: 'b' }],
  ['35', 'codecs', view({ video_source_codec: 'avc1', player_audio_track_codec: 'mp4a' }), { video_codec: 'avc1', audio_codec: 'mp4a' }],
  ['35', 'codecs by name come first', view({ video_codec: 'hvc1', video_audio_codec: 'ec-3' },
    { video_source_codec: 'avc1', player_audio_track_codec: 'mp4a' }), { video_codec: 'hvc1', audio_codec: 'ec-3' }],
  ['35', 'application, DRM, plan, time shift, CDN edge', view({ view_client_application_name: 'app', view_client_application_version: '1.2',
    view_drm_type: 'widevine', view_drm_level: 'L1', viewer_plan: 'gold',
    viewer_plan_status: 'paid', viewer_plan_category: 'family', view_time_shift_enabled: true, view_cdn_edge_pop: 'fra', view_cdn_origin: 'eu',
      view_session_id: 'vs', viewer_connection_type: 'wifi' }),
    { client_application_name: 'app', client_application_version: '1.2', view_drm_type: 'widevine', view_drm_level: 'L1', viewer_plan: 'gold',
      viewer_plan_status: 'paid', viewer_plan_category: 'family',
      time_shift_enabled: true, view_cdn_edge_pop: 'fra', view_cdn_origin: 'eu', view_session_id: 'vs', viewer_connection_type: 'wifi' }],
  ...[['none', false], ['', false], [false, false], ['false', false], ['metadata', true], ['auto', true], [true, true], ['true', true]]
    .map(([sent, kept]) => ['35', `preload ${JSON.stringify(sent)}`, view({ player_preload_on: sent }), { player_preload: kept }]),
  ['35', 'preload, never sent', view({}), { player_preload: false, player_autoplay: false, time_shift_enabled: false, player_remote_played: null }],
  // 36: modes at any time of the view.
  ['36', 'fullscreen by mode', view({ player_playback_mode: 'fullscreen' }, { player_playback_mode: 'standard' }),
    { used_fullscreen: true, used_pip: false }],
  ['36', 'pip by mode', view({ player_playback_mode: 'pip' }, { player_playback_mode: 'standard' }), { used_fullscreen: false, used_pip: true }],
  ['36', 'captions by text track', [begin, frame, ['texttrackchange', 500, { player_text_track_enabled: true }],
    ['texttrackchange', 600, { player_text_track_enabled: false }], end], { used_captions: true }],
  ['36', 'no captions', [begin, frame, ['texttrackchange', 500, { player_text_track_enabled: false }], end],
    { used_captions: false, used_fullscreen: false, used_pip: false }],
  ['36', 'before the view began', [['playbackmodechange', -100, { player_is_fullscreen: true }], begin, ['hb', 10, { player_is_fullscreen: false }],
    end], { used_fullscreen: true }],
  // 38: media ids.
  ['38', 'from a stream.mux.com URL', source('https://stream.mux.com/abc123.m3u8?token=x'), { playback_id: 'abc123', asset_id: null,
    live_stream_id: null }],
  ['38', 'the first path segment', source('https://stream.mux.com/abc123/high.mp4'), { playback_id: 'abc123' }],
  ['38', 'without extension', source('https://stream.mux.com/abc123'), { playback_id: 'abc123' }],
  ['38', 'no path', source('https://stream.mux.com/'), { playback_id: null }],
  ['38', 'another host', source('https://stream.mux.com.example.com/abc123.m3u8'), { playback_id: null }],
  ['38', 'the host in another place', source('https://example.com/stream.mux.com/abc123.m3u8'), { playback_id: null }],
  ['38', 'as sent, before the URL',
    view({ playback_id: 'mine', asset_id: 'as', live_stream_id: 'ls', video_source_url: 'https://stream.mux.com/abc123.m3u8' }),
    { playback_id: 'mine', asset_id: 'as', live_stream_id: 'ls' }],
  // 37: what is sent wins over the agent.
  ['37', 'the platform as sent', view({ viewer_application_name: 'App', viewer_application_version: '1', viewer_application_engine: 'Gecko',
    viewer_os_family: 'Roku OS', viewer_os_version: '12.0', viewer_os_architecture: 'arm',
    viewer_device_category: 'tv', viewer_device_manufacturer: 'Roku', viewer_device_model: '4800X', viewer_device_name: 'Ultra' }),
    { viewer_application_name: 'App', viewer_application_version: '1', viewer_application_engine: 'Gecko', viewer_os_family: 'Roku OS',
      viewer_os_version: '12.0', viewer_os_architecture: 'arm',
      viewer_device_category: 'tv', viewer_device_manufacturer: 'Roku', viewer_device_model: '4800X', viewer_device_name: 'Ultra',
        platform_summary: 'App' }],
  ['37', 'the overriding keys first', view({ viewer_device_category: 'desktop', viewer_device_manufacturer: 'x', viewer_device_model: 'y',
    viewer_device_name: 'z' },
    { mux_viewer_device_category: 'tv', mux_viewer_device_manufacturer: 'LG', mux_viewer_device_model: 'C3', mux_viewer_device_name: 'OLED' },
      { viewer_device_category: 'phone' }),
    { viewer_device_category: 'tv', viewer_device_manufacturer: 'LG', viewer_device_model: 'C3', viewer_device_name: 'OLED' }],
  ['37', 'an unknown agent', view({ viewer_device_category: '' }), { viewer_device_category: null, viewer_user_agent: 'vectors' }],
].map(([item, name, events, expect]) => ({ item, name, events, expect }));

// Other SDKs, as they write.
const roku = { '=pispa': 'false', '=pwd': '1920', '=pht': '1080 ', '=pisfs': 'true', '=pswnm': 'RokuSG', '=uosfm': 'Roku OS', '=udvcg': 'tv',
  '=mapve': '2.1', '=pmxpinm': 'roku-mux', '=pmxpive': '2.8.0',
  '=_beaconCollectionDomain_': 'beacons.example', '=_my_key_': 1 };
list.push(
  { item: '17', name: 'Roku: complete events, text, no metadata', posts: [{ metadata: null, headers: { 'content-type': 'application/json' }, events: [
    ['viewstart', 0, { ...roku, view_start: String(T0), viewer_time: String(T0), view_rebuffer_count: 0 }],
    ['playing', 500, { ...roku, viewer_time: String(T0 + 500), view_time_to_first_frame: '500', view_watch_time: '500' }],
    ['viewend', 9000, { ...roku, viewer_time: `${T0 + 9000} `, view_watch_time: 9000, view_rebuffer_count: 1, view_rebuffer_duration: '250',
      video_playback_range: ['0:4000'], '=xdp_frames_co': '3' }]] }],
    expect: { player_width: 1920, player_height: 1080, used_fullscreen: true, player_software: 'RokuSG', viewer_os_family: 'Roku OS',
      viewer_device_category: 'tv', time_to_first_frame: 500, watch_time: 9000,
      buffering_count: 1, buffering_duration: 250, view_dropped_frame_count: 3, player_mux_plugin_name: 'roku-mux',
        player_mux_plugin_version: '2.8.0', mux_api_version: '2.1', view_dropped: false } },
  { item: '17', name: 'Android: all text, delta records',
    posts: [{ path: '/android', metadata: { rtt_ms: '84', transmission_timestamp: String(T0 + 9001) },
    headers: { 'content-type': 'application/json', 'x-litix-env-key': 'none' }, events: [
      ['viewstart', 0, { view_sequence_number: '1', viewer_time: String(T0), view_start: String(T0), player_is_paused: 'false',
        viewer_device_model: 'Pixel 8', viewer_os_version: '14' }],
      ['adplay', 5, { view_sequence_number: '2', viewer_time: String(T0 + 5) }],
        ['adplaying', 300, { view_sequence_number: '3', viewer_time: String(T0 + 300), view_time_to_first_frame: '300' }],
      ['error', 5000, { view_sequence_number: '4', viewer_time: String(T0 + 5000), player_error_code: '-1004', player_error_message: 'io' }],
      ['viewend', 9000, { view_sequence_number: '5', viewer_time: String(T0 + 9000), view_watch_time: '9000', '=xrqfbco': '2', '=xadplco': '1' }]] }],
    expect: { time_to_first_frame: 300, watch_time: 9000, viewer_device_model: 'Pixel 8', viewer_os_version: '14', player_error_code: '-1004',
      ad_attempt_count: 1, playback_failure: true } },
  { item: '17', name: 'iOS: pretty-printed, an error blob', posts: [{ pretty: true, headers: { 'content-type': 'application/json' },
    events: [begin, ['error', 500, { '=pioerda': '{"a":1}', player_error_code: -11800 }], end] }],
    expect: { player_error_code: '-11800', video_startup_failure: true } },
);
export default list;
