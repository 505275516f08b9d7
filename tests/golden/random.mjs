// SPDX-License-Identifier: Apache-2.0
// Beacons that no player would send, but any may: every field with every kind of value, on every event, in any order of
// arrival. A seed names a view.
import { KIND, shortName } from './reference.mjs';

const START = Date.UTC(2026, 10, 21, 8);

// mulberry32: a seed names an order, so that a failure can be looked at again.
export function random(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

export function shuffled(list, next) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

const TEXTS = `session_id view_session_id player_instance_id mux_viewer_id viewer_user_id sub_property_id mux_api_version mux_embed
  mux_embed_version video_id video_title video_series video_content_type video_stream_type video_language_code video_producer
  video_encoding_variant video_variant_id video_variant_name video_creator_id video_affiliate video_brand video_codec video_audio_codec
  video_dynamic_range_type video_cdn view_cdn_edge_pop view_cdn_origin asset_id live_stream_id playback_id view_drm_type view_drm_level
  experiment_name player_name player_version player_software player_software_name player_software_version player_mux_plugin_name
  player_mux_plugin_version player_preload_on player_language_code video_source_domain video_source_hostname video_source_mime_type
  player_playback_mode player_playback_mode_data page_type view_client_application_name view_client_application_version
  viewer_connection_type viewer_plan viewer_plan_status viewer_plan_category view_preroll_ad_tag_hostname view_preroll_ad_asset_hostname
  viewer_application_name viewer_application_version viewer_application_engine viewer_os_family viewer_os_version viewer_os_architecture
  viewer_device_category viewer_device_manufacturer viewer_device_model viewer_device_name mux_viewer_application_name mux_viewer_os_family
  mux_viewer_device_category mux_viewer_device_name mux_viewer_device_model mux_viewer_device_manufacturer mux_viewer_os_version
  mux_viewer_application_version player_error_code player_error_message player_error_severity video_source_codec
  video_source_rendition_name video_previous_cdn ad_id ad_creative_id ad_universal_id ad_type request_type request_event_type
  request_hostname request_id request_error request_error_code request_error_text request_cancel player_audio_track_codec
  player_audio_track_language player_audio_track_name player_text_track_language player_text_track_name custom_1 custom_2 custom_3
  custom_4 custom_5 custom_6 custom_7 custom_8 custom_9 custom_10`.trim().split(/\s+/);
const WORDS = { video_stream_type: ['live', 'on-demand', 'event'], player_playback_mode: ['standard', 'fullscreen', 'pip', 'cinema'],
  player_error_severity: ['fatal', 'warning', 'odd'], player_preload_on: ['none', 'auto', 'metadata', false, true, 'false'],
  video_cdn: ['cdn-a', 'CDN-A', 'cdn-b', 'Cdn-B', 'c'], request_type: ['manifest', 'media', 'video', 'audio', 'encryption'],
  viewer_device_category: ['', 'tv', 'phone'], video_source_hostname: ['', 'h.example.com', 'h2.example.com:8080'] };
const URLS = ['https://cdn.example.com/a/b.m3u8?x=1', 'https://stream.mux.com/AbC123.m3u8?token=1', 'http://localhost:8080/v.mp4', 'blob:https://example.com/1',
  'MSE style URL', '', 'https://stream.mux.com/only'];
const EVENTS = `viewstart play play playing playing pause ended seeking seeked rebufferstart rebufferstart rebufferend hb hb hb renditionchange
  renditionchange renditionchange audiotrackchange texttrackchange playbackmodechange cdnchange requestcompleted requestcompleted requestcompleted
  requestfailed requestcanceled error error adrequest adresponse adbreakstart adplay adplaying adpause adfirstquartile admidpoint adthirdquartile
  adended adbreakend aderror adimpression adskipped adclicked devicesleep devicewake waiting ratechange networkchange playerready loadstart
  somethingnew`.trim().split(/\s+/);
const FIELDS = [...TEXTS, ...Object.keys(KIND).filter(name => !['view_sequence_number', 'player_sequence_number', 'viewer_time', 'view_start'].includes(name))];
const GROWING = ['view_playing_time_ms_cumulative', 'ad_playing_time_ms_cumulative', 'view_watch_time', 'view_content_playback_time',
  'view_total_content_playback_time', 'player_playhead_time', 'view_rebuffer_duration', 'view_rebuffer_count'];

export function randomView(id, seed) {
  const next = random(seed), below = n => Math.floor(next() * n), pick = list => list[below(list.length)], chance = p => next() < p;
  const used = new Set(FIELDS.filter(() => chance(0.25))); // a view knows some of the fields only
  for (const name of GROWING) if (chance(0.7)) used.add(name);
  if (chance(0.8)) used.add('video_source_bitrate');
  const names = [...used], sums = {};
  const strings = chance(0.3); // an SDK that sends text for everything

  function number(whole) {
    const odd = below(14);
    const value = whole ? below(5000) : next() * 3;
    if (odd === 0) return -1 - value;
    if (odd === 1) return null;
    if (odd === 2) return ` ${value} `;
    if (odd === 3) return value + 0.5;
    if (odd === 4) return 'many';
    if (odd === 5) return 0;
    if (odd === 6) return whole ? 3e9 + value : value;
    return strings ? String(value) : value;
  }
  function text(name) {
    const odd = below(20);
    if (odd === 0) return null;
    if (odd === 1) return '';
    if (odd === 2) return below(1000);
    if (odd === 3) return { a: [1, 'x'] };
    if (odd === 4) return 'ü€😀'.repeat(below(400));
    if (odd === 5) return 'cut \ud83d';
    return pick(WORDS[name] ?? [name + below(3), 'a', 'B']);
  }
  function value(name, at) {
    const kind = KIND[name] ?? 'text';
    if (GROWING.includes(name) && !chance(0.15)) {
      sums[name] = Math.max(0, (sums[name] ?? 0) + (chance(0.05) ? -below(900) : below(1200)));
      return strings ? String(sums[name]) : chance(0.2) ? sums[name] + 0.25 : sums[name];
    }
    if (/^request_(start|response)/.test(name)) return chance(0.1) ? null : at - below(400);
    if (name === 'player_program_time') return at - below(400_000);
    if (kind === 'bool') return pick(strings ? ['true', 'false', '1', '0'] : [true, false, true, false, 1, 0, 2, 'maybe', null]);
    if (kind === 'url') return chance(0.05) ? 'https://long.example.com/' + 'x'.repeat(3000) : pick(URLS);
    if (kind === 'context') return chance(0.1) ? 'c'.repeat(9000) : pick(['line 1\nline 2', '', null]);
    return kind === 'text' ? text(name) : number(kind !== 'num');
  }

  const count = 4 + below(50), events = [];
  let at = START + below(86_400_000), sequence = chance(0.8) ? 1 : 1 + below(9);
  for (let i = 0; i < count; i++, sequence += chance(0.95) ? 1 : 1 + below(4)) {
    at += chance(0.02) ? below(5_000_000) - 1_000_000 : chance(0.1) ? -below(300) : below(3000);
    const event = chance(0.02) ? 'viewend' : i === count - 1 && chance(0.7) ? 'viewend' : pick(EVENTS);
    const sent = { event, view_id: id, viewer_time: strings ? String(at) : at };
    if (chance(0.9)) sent.view_sequence_number = sequence;
    sent.player_sequence_number = sequence;
    if (chance(0.1)) sent.view_start = at - below(500);
    const of = event.startsWith('request') ? /^request_/ : event === 'error' ? /^player_error_/ : event === 'renditionchange' ? /^video_source_/ : /^$/;
    for (const name of names) if (chance(of.test(name) ? 0.9 : 0.12)) sent[name] = value(name, at);
    for (const name of GROWING) if (used.has(name) && chance(0.6)) sent[name] = value(name, at);
    events.push(Object.fromEntries(Object.entries(sent).map(([name, v]) => [shortName(name), v])));
  }
  return events;
}

// Some requests that hold all of them, some of them twice, in any order.
export function randomPosts(events, seed) {
  const next = random(seed), posts = [];
  for (let at = 0; at < events.length;) {
    const n = 1 + Math.floor(next() * 12);
    posts.push(events.slice(at, at + n));
    if (next() < 0.3) posts.push(events.slice(Math.max(0, at - 3), at + n));
    at += n;
  }
  return shuffled(posts, next);
}
