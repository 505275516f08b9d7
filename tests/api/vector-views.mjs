// SPDX-License-Identifier: Apache-2.0
// Views made by hand: the beacons of each, and what must be stored of it, worked out from what was decided about views and
// not from the server's code.

// Dimension -> long name on the wire, for what the player says itself.
export const WIRE = {
  browser: 'viewer_application_name', browser_version: 'viewer_application_version', operating_system: 'viewer_os_family',
  operating_system_version: 'viewer_os_version', viewer_device_category: 'viewer_device_category',
  viewer_device_manufacturer: 'viewer_device_manufacturer', viewer_device_model: 'viewer_device_model',
  viewer_device_name: 'viewer_device_name', asset_id: 'asset_id', playback_id: 'playback_id', live_stream_id: 'live_stream_id',
  experiment_name: 'experiment_name', page_type: 'page_type', page_url: 'page_url', player_autoplay: 'player_autoplay_on',
  player_preload: 'player_preload_on', player_mux_plugin_name: 'player_mux_plugin_name',
  player_mux_plugin_version: 'player_mux_plugin_version', player_name: 'player_name', player_remote_played: 'player_remote_played',
  player_software: 'player_software_name', player_software_version: 'player_software_version', player_version: 'player_version',
  preroll_ad_asset_hostname: 'view_preroll_ad_asset_hostname', preroll_ad_tag_hostname: 'view_preroll_ad_tag_hostname',
  preroll_played: 'view_preroll_played', preroll_requested: 'view_preroll_requested', source_hostname: 'video_source_hostname',
  source_type: 'video_source_mime_type', stream_type: 'video_stream_type', sub_property_id: 'sub_property_id',
  video_content_type: 'video_content_type', video_encoding_variant: 'video_encoding_variant', video_id: 'video_id',
  video_series: 'video_series', video_title: 'video_title', view_drm_type: 'view_drm_type', view_session_id: 'view_session_id',
  viewer_connection_type: 'viewer_connection_type', viewer_user_id: 'viewer_user_id',
  client_application_name: 'view_client_application_name', client_application_version: 'view_client_application_version',
  video_affiliate: 'video_affiliate', viewer_plan: 'viewer_plan', viewer_plan_status: 'viewer_plan_status',
  viewer_plan_category: 'viewer_plan_category', view_drm_level: 'view_drm_level', video_brand: 'video_brand',
  used_pip: 'player_pip_enabled', time_shift_enabled: 'view_time_shift_enabled', used_captions: 'player_captions_enabled',
  audio_codec: 'video_audio_codec', video_dynamic_range_type: 'video_dynamic_range_type', view_cdn_edge_pop: 'view_cdn_edge_pop',
  view_cdn_origin: 'view_cdn_origin', video_creator_id: 'video_creator_id', player_language: 'player_language_code',
  player_poster: 'video_poster_url', video_language: 'video_language_code', video_producer: 'video_producer',
  video_variant_id: 'video_variant_id', video_variant_name: 'video_variant_name', view_dropped_frame_count: 'view_dropped_frame_count',
};
for (let i = 1; i <= 20; i++) WIRE['custom_' + i] = 'custom_' + i;

// The user agent of every view, and what the rules of uap-core make of it; what a player says itself wins.
const AGENT = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0';
const AGENT_DIMS = { browser: 'Firefox', browser_version: '128.0', operating_system: 'Windows', operating_system_version: '10',
  viewer_device_category: 'desktop', viewer_device_name: 'Other' };
const NEVER_NULL = ['view_has_ad', 'used_pip', 'used_captions', 'time_shift_enabled', 'player_autoplay', 'player_preload',
  'preroll_requested', 'preroll_played'];
const SUBVIEW_KEYS = ['bitrate', 'width', 'height', 'fps', 'codec', 'name'];
const RENDITION_WIRE = { bitrate: 'video_source_bitrate', width: 'video_source_width', height: 'video_source_height',
  fps: 'video_source_fps', codec: 'video_source_codec', name: 'video_source_rendition_name' };
const given = value => value !== undefined && value !== null;
const add = (map, key, value) => map.set(key, (map.get(key) ?? 0) + value);

/**
 * A view of a hand-written description (times and durations in ms):
 *   id, start, end, dims {dimension: value}, watch, ttff, play (false: never `playing`), playerStartup, pageLoad, aggregate,
 *   seek [count, wait], rebuffer [count, wait], scale {up, down, content, maxUp, maxDown}, live [latencies],
 *   phases [{rendition {}, mode, ms}] of playing time, requests [[to first byte, to end, bytes]], cdns [],
 *   preroll {request, load, requests}, ads [pods of attempts 'ok', 'bad', 'broken', 'left'], errors [{code, message, severity, business, ad}],
 *   ranges [[start, end]], duration, ended (false: no viewend), muxViewer, address.
 * Answers { events, headers, record }.
 */
export function makeView(spec, envKey) {
  const { id, start, end } = spec;
  const events = [];
  const record = { view_id: id, view_start: start, view_end: end, dims: {} };
  const base = { env_key: envKey, view_id: id, player_instance_id: 'p-' + id };
  let at = start, played = 0;
  const emit = (event, fields = {}, time = at) => {
    at = Math.max(at, time);
    events.push({ ...base, event, view_sequence_number: events.length + 1, player_sequence_number: events.length + 1,
      viewer_time: time, player_playhead_time: played, ...fields });
  };
  const meta = { view_start: start, session_id: 's-' + id };
  if (spec.muxViewer) meta.mux_viewer_id = spec.muxViewer;
  for (const [dimension, value] of Object.entries(spec.dims ?? {}))
    if (WIRE[dimension] && given(value)) meta[WIRE[dimension]] = value;
  if (given(spec.duration)) meta.video_source_duration = spec.duration;
  if (spec.live?.length) meta.video_source_is_live = true;
  emit('viewstart', meta);

  const errors = [];
  const fail = (error, inAd) => {
    emit('error', { player_error_code: error.code, player_error_message: error.message,
      player_error_context: error.context, player_error_severity: error.severity, player_error_business_exception: error.business });
    errors.push({ ...error, ad: inAd, time: at });
  };
  for (const error of spec.errors ?? []) if (error.first) fail(error, false);

  // Ads come before the content; their times are fixed: 100 ms to a break, 200 to each attempt's outcome, 1,000 of an ad.
  const ads = { attempts: 0, breaks: 0, impressions: 0, errors: 0, startup: 0, breakErrors: 0, exits: 0 };
  let left = false, firstAdPlaying, firstBreak, lastBreak;
  for (const pod of spec.ads ?? []) {
    emit('adbreakstart', {}, at + 100);
    firstBreak ??= at;
    ads.breaks++;
    let bad = false;
    for (const attempt of pod) {
      emit('adplay');
      ads.attempts++;
      if (attempt === 'left') { ads.exits++; left = true; break; }
      if (attempt !== 'bad') {
        emit('adplaying', firstAdPlaying === undefined && given(spec.ttff) ? { view_time_to_first_frame: spec.ttff } : {}, at + 200);
        firstAdPlaying ??= at;
        ads.impressions++;
      }
      if (attempt === 'ok') emit('adended', {}, at + 1000);
      else {
        emit('aderror', {}, at + 50);
        ads.errors++;
        if (attempt === 'bad') ads.startup++;
        bad = true;
      }
    }
    if (bad) ads.breakErrors++;
    for (const error of spec.errors ?? []) if (error.ad) fail(error, true);
    if (left) break;
    emit('adbreakend');
    lastBreak = at;
  }

  const playing = spec.play ?? given(spec.ttff);
  let firstPlaying;
  if (!left) emit('play');
  if (playing && !left) {
    firstPlaying = at + (firstAdPlaying === undefined ? spec.ttff ?? 0 : 30);
    emit('playing', given(spec.ttff) && firstAdPlaying === undefined ? { view_time_to_first_frame: spec.ttff } : {}, firstPlaying);
  }

  // Playing time by rendition and mode: each phase is announced, then its time arrives with a heartbeat.
  const renditions = new Map(), modes = new Map();
  const rendition = {};
  let mode = null, weight = 0, weighted = 0, known, changes = 0, up = 0, down = 0;
  const seen = { bitrate: [], width: [], height: [], fps: [], codec: [], name: [] };
  for (const phase of spec.phases ?? []) {
    if (phase.rendition) {
      for (const [key, value] of Object.entries(phase.rendition)) if (given(value)) rendition[key] = value; // absent changes nothing
      emit('renditionchange', Object.fromEntries(Object.entries(rendition).map(([key, value]) => [RENDITION_WIRE[key], value])));
      const { bitrate } = phase.rendition;
      if (bitrate > 0 && bitrate !== known) {
        if (known !== undefined) { changes++; bitrate > known ? up++ : down++; }
        known = bitrate;
      }
      for (const key of SUBVIEW_KEYS) if (phase.rendition[key]) seen[key].push(phase.rendition[key]);
    }
    if (phase.mode) emit('playbackmodechange', { player_playback_mode: mode = phase.mode });
    played += phase.ms;
    emit('hb', { view_playing_time_ms_cumulative: played }, Math.min(at + 1, end));
    add(renditions, JSON.stringify(SUBVIEW_KEYS.map(key => rendition[key] ?? null)), phase.ms);
    add(modes, mode, phase.ms);
    if (rendition.bitrate > 0) { weight += phase.ms; weighted += phase.ms * rendition.bitrate; }
  }
  for (const latency of spec.live ?? []) emit('hb', { player_program_time: at - latency, player_is_paused: false });

  let bytes = 0, took = 0, waits = 0, waited = 0, worst = null, counted = 0;
  for (const [first, last, size] of spec.requests ?? []) {
    emit('requestcompleted', { request_type: 'media', request_start: at, request_response_start: at + first,
      request_response_end: at + last, request_bytes_loaded: size });
    if (last - first > 0 && size > 0) {
      counted++; bytes += size; took += last - first;
      if (first > 0) { waits++; waited += first; worst = Math.max(worst ?? 0, first); }
    }
  }
  const trace = [];
  let cdn = null;
  for (const name of spec.cdns ?? []) {
    emit('cdnchange', { video_cdn: name });
    if (trace.at(-1)?.toLowerCase() !== name.toLowerCase()) trace.push(name);
    cdn = name;
  }
  for (const error of spec.errors ?? []) if (!error.first && !error.ad) fail(error, left); // a break that was left is still open

  const totals = { view_watch_time: spec.watch, view_aggregate_startup_time: spec.aggregate,
    player_startup_time: undefined, view_seek_count: spec.seek?.[0], view_seek_duration: spec.seek?.[1],
    view_rebuffer_count: spec.rebuffer?.[0], view_rebuffer_duration: spec.rebuffer?.[1],
    view_total_upscaling: spec.scale?.up, view_total_downscaling: spec.scale?.down,
    view_total_content_playback_time: spec.scale?.content, view_max_upscale_percentage: spec.scale?.maxUp,
    view_max_downscale_percentage: spec.scale?.maxDown,
    video_playback_range: spec.ranges ? JSON.stringify(spec.ranges.map(range => range.join(':'))) : undefined,
    view_preroll_played: spec.preroll ? true : undefined, view_preroll_requested: spec.preroll ? true : undefined,
    view_startup_preroll_request_time: spec.preroll?.request, view_startup_preroll_load_time: spec.preroll?.load,
    view_preroll_request_count: spec.preroll?.requests };
  if (given(spec.playerStartup) || given(spec.pageLoad))
    emit('playerready', { player_startup_time: spec.playerStartup, page_load_time: spec.pageLoad });
  emit(spec.ended === false ? 'hb' : 'viewend', Object.fromEntries(Object.entries(totals).filter(([, value]) => given(value))), end);

  // What is stored.
  const startup = firstPlaying === undefined && firstAdPlaying === undefined ? undefined : spec.ttff;
  const r = record, hasPlayed = firstPlaying !== undefined || firstAdPlaying !== undefined || played > 0;
  const fatal = errors.filter(error => error.severity !== 'warning');
  const failures = fatal.filter(error => !error.business), exceptions = fatal.filter(error => error.business);
  const theError = failures[0] ?? exceptions[0] ?? null;
  r.watched = hasPlayed;
  r.error = theError;
  r.errors = { playback_failure: failures[0] ?? null, playback_business_exception: exceptions[0] ?? null };
  r.playback_failure = failures.length > 0;
  r.video_startup_failure = r.playback_failure && !hasPlayed;
  r.playback_business_exception = exceptions.length > 0;
  r.video_startup_business_exception = exceptions.length > 0 && !hasPlayed;
  r.ad_playback_failure = r.playback_failure && theError.ad;
  r.content_playback_failure = r.playback_failure && !theError.ad;
  r.exit_before_video_start = !hasPlayed && !r.playback_failure;
  r.view_dropped = spec.ended === false;
  r.watch_time = spec.watch ?? null;
  r.view_playing_time = spec.phases?.length ? played
    : hasPlayed ? Math.max(0, (spec.watch ?? 0) - (startup ?? 0) - (spec.rebuffer?.[1] ?? 0) - (spec.seek?.[1] ?? 0)) : 0;
  r.video_startup_time = startup ?? null;
  r.player_startup_time = spec.playerStartup ?? null;
  r.page_load_time = spec.pageLoad ?? null;
  r.aggregate_startup_time = spec.aggregate ?? (given(startup) && given(spec.playerStartup) && given(spec.pageLoad)
    ? startup + spec.playerStartup + spec.pageLoad : null);
  r.view_content_startup_time = firstPlaying === undefined ? null
    : firstAdPlaying === undefined ? r.video_startup_time : firstPlaying - start - (lastBreak - firstBreak);
  r.video_startup_preroll_request_time = spec.preroll?.request ?? null;
  r.video_startup_preroll_load_time = spec.preroll?.load ?? null;
  r.ad_preroll_startup_time = spec.preroll?.load ?? null;
  r.requests_for_first_preroll = spec.preroll?.requests ?? null;
  r.view_seek_count = spec.seek?.[0] ?? null;
  r.view_seek_duration = spec.seek?.[1] ?? (spec.seek?.[0] > 0 ? 0 : null);
  r.rebuffer_count = hasPlayed ? spec.rebuffer?.[0] ?? 0 : null;
  r.rebuffer_duration = hasPlayed ? spec.rebuffer?.[1] ?? 0 : null;
  Object.assign(r, { view_total_upscaling: spec.scale?.up ?? null, view_total_downscaling: spec.scale?.down ?? null,
    view_total_content_playback_time: spec.scale?.content ?? null, max_upscale_percentage: spec.scale?.maxUp ?? null,
    max_downscale_percentage: spec.scale?.maxDown ?? null });
  const fresh = (spec.live ?? []).filter(latency => latency >= 0 && latency <= 300_000);
  r.live_stream_latency = fresh.length ? Math.floor(fresh.reduce((a, b) => a + b, 0) / fresh.length + 0.5) : null;
  r.weighted_average_bitrate = weight ? weighted / weight : null;
  const switched = hasPlayed && known !== undefined;
  r.rendition_change_count = switched ? changes : null;
  r.rendition_upshift_count = switched ? up : null;
  r.rendition_downshift_count = switched ? down : null;
  r.request_throughput = counted ? Math.floor(8000 * bytes / took + 0.5) : null;
  r.request_latency = waits ? Math.floor(waited / counted + 0.5) : null;
  r.max_request_latency = worst;
  const hasAd = ads.breaks > 0 || spec.dims?.view_has_ad === true;
  Object.assign(r, { ad_attempt_count: ads.attempts, ad_break_count: ads.breaks, ad_impression_count: ads.impressions,
    ad_error_count: ads.errors, ad_break_error_count: ads.breakErrors, ad_startup_error_count: ads.startup,
    ad_exit_before_start_count: ads.exits });
  if (!hasAd) for (const key of Object.keys(r)) if (/^ad_.*_count$/.test(key)) r[key] = null;
  r.ranges = spec.ranges ?? null;
  r.duration = spec.duration ?? null;
  r.renditions = renditions;
  r.modes = modes;
  r.viewer = spec.dims?.viewer_user_id ?? spec.muxViewer ?? null;
  r.mux_viewer_id = spec.muxViewer ?? null;
  r.spec = spec;
  Object.assign(r.dims, spec.dims);
  for (const dimension of Object.keys(WIRE)) r.dims[dimension] ??= null;
  for (const dimension of NEVER_NULL) r.dims[dimension] ??= false;
  if (spec.phases?.some(phase => phase.mode === 'pip')) r.dims.used_pip = true;
  Object.entries(AGENT_DIMS).forEach(([dimension, value]) => { r.dims[dimension] ??= value; });
  if (spec.preroll) r.dims.preroll_played = r.dims.preroll_requested = true;
  r.dims.view_has_ad = hasAd;
  for (const predicate of ['playback_failure', 'video_startup_failure', 'playback_business_exception', 'view_dropped',
    'video_startup_business_exception', 'ad_playback_failure', 'content_playback_failure', 'exit_before_video_start'])
    r.dims[predicate] = r[predicate];
  r.dims.player_error_code = theError?.code === undefined || theError?.code === null ? null : String(theError.code);
  r.dims.cdn = cdn;
  r.dims.video_cdn_trace = trace;
  r.dims.stream_type ??= spec.live?.length ? 'live' : given(spec.duration) ? 'on-demand' : null;
  Object.assign(r.dims, { video_source_bitrate: seen.bitrate.at(-1) ?? null, video_source_bitrate_initial: seen.bitrate[0] ?? null,
    video_source_width: seen.width.at(-1) ?? null, video_source_width_initial: seen.width[0] ?? null,
    video_source_height: seen.height.at(-1) ?? null, video_source_height_initial: seen.height[0] ?? null,
    video_source_fps: seen.fps.at(-1) ?? null, video_source_fps_initial: seen.fps[0] ?? null,
    video_codec: seen.codec.at(-1) ?? null, video_codec_initial: seen.codec[0] ?? null,
    audio_codec_initial: r.dims.audio_codec, video_dynamic_range_type_initial: r.dims.video_dynamic_range_type });
  scores(r, end - start);
  const headers = { 'user-agent': AGENT, ...(spec.address ? { 'x-forwarded-for': spec.address } : {}) };
  return { events, headers, record: r };
}

function scores(r, length) {
  const wait = r.watch_time ?? length;
  r.playback_success_score = r.playback_failure ? 0 : r.watched ? 1 : wait < 1000 ? null : 0.5;
  r.startup_time_score = r.video_startup_time === null ? null : 8 / (8 + r.video_startup_time / 1000);
  r.rebuffer_score = r.watched && r.watch_time > 0
    ? (1 / Math.sqrt(1 + (r.rebuffer_count / 2) ** 2) + Math.exp(-10 * Math.min(1, r.rebuffer_duration / r.watch_time))) / 2 : null;
  r.video_quality_score = r.watched && r.max_upscale_percentage !== null && r.view_total_upscaling !== null
    && r.view_total_content_playback_time > 0
    ? Math.exp(-0.33 * (0.15 * r.max_upscale_percentage + 0.85 * r.view_total_upscaling / r.view_total_content_playback_time)) : null;
  const sm = r.rebuffer_score, su = r.startup_time_score, q = r.video_quality_score, success = r.playback_success_score;
  const pairs = [];
  if (sm !== null && q !== null) pairs.push(sm ** 0.62 * q ** 0.38);
  if (sm !== null && su !== null) pairs.push(sm ** 0.54 * su ** 0.46);
  if (su !== null && q !== null) pairs.push(su ** 0.58 * q ** 0.42);
  const single = [sm, su, q].filter(value => value !== null);
  r.viewer_experience_score = success === null || success === 0 ? success
    : success * (pairs.length ? pairs.reduce((a, b) => a + b, 0) / pairs.length : single.length ? single[0] : 1);
}
