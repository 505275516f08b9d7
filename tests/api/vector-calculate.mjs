// SPDX-License-Identifier: Apache-2.0
// The answers of the Data API over views known in full, calculated from what was decided about metrics, windows, filters and
// order. Not made from the server's tables or code.

const field = name => r => r[name] ?? null;
const bool = name => r => (r[name] ? 1 : 0);
const N = (v, def, more = {}) => ({ v: typeof v === 'string' ? field(v) : v, def, ...more });
const R = (a, b, def, more = {}) => ({ def, ratio: true,
  a: typeof a === 'string' ? field(a) : a, b: typeof b === 'string' ? field(b) : b, ...more });
const P = (name, more = {}) => ({ v: bool(name), def: 'avg', ...more });
const S = { clock: 'view_start' }, UP = { up: true };
const ad = name => r => (r.dims.view_has_ad ? r[name] : null);

export const METRICS = {
  views: N(() => 1, 'count', { ...S, ...UP, nofilter: true }),
  unique_viewers: { def: 'count', distinct: true, v: r => (r.viewer === null ? null : 1), ...S, ...UP, nofilter: true },
  playing_time: N(r => r.view_playing_time ?? 0, 'sum', { ...S, ...UP }),
  ad_attempt_count: N(ad('ad_attempt_count'), 'sum', { ...S, ...UP }),
  ad_break_count: N(ad('ad_break_count'), 'sum', { ...S, ...UP }),
  ad_impression_count: N(ad('ad_impression_count'), 'sum', { ...S, ...UP }),
  ad_error_count: N(ad('ad_error_count'), 'sum'),
  ad_break_error_count: N(ad('ad_break_error_count'), 'sum'),
  ad_startup_error_count: N(ad('ad_startup_error_count'), 'avg'),
  ad_exit_before_start_count: N(ad('ad_exit_before_start_count'), 'avg'),
  ad_error_percentage: R('ad_error_count', 'ad_attempt_count', 'avg'),
  ad_startup_error_percentage: R('ad_startup_error_count', 'ad_attempt_count', 'avg'),
  ad_exit_before_start_percentage: R('ad_exit_before_start_count', 'ad_attempt_count', 'avg'),
  ad_break_error_percentage: R('ad_break_error_count', 'ad_break_count', 'avg'),
  playback_failure_percentage: P('playback_failure'),
  video_startup_failure_percentage: P('video_startup_failure', { nofilter: true }),
  playback_business_exception_percentage: P('playback_business_exception'),
  video_startup_business_exception_percentage: P('video_startup_business_exception'),
  content_playback_failure_percentage: P('content_playback_failure', { extra: true }),
  ad_playback_failure_percentage: P('ad_playback_failure', { extra: true }),
  view_dropped_percentage: P('view_dropped', { nofilter: true }),
  exits_before_video_start: P('exit_before_video_start', { nofilter: true }),
  viewer_experience_score: N('viewer_experience_score', 'avg', UP),
  playback_success_score: N('playback_success_score', 'avg', UP),
  startup_time_score: N('startup_time_score', 'avg', UP),
  rebuffer_score: N('rebuffer_score', 'avg', UP),
  video_quality_score: N('video_quality_score', 'avg', UP),
  video_startup_time: N('video_startup_time', 'median'),
  player_startup_time: N('player_startup_time', 'median'),
  page_load_time: N('page_load_time', 'median'),
  aggregate_startup_time: N('aggregate_startup_time', 'median'),
  view_content_startup_time: N('view_content_startup_time', 'median'),
  ad_preroll_startup_time: N('ad_preroll_startup_time', 'median'),
  video_startup_preroll_request_time: N('video_startup_preroll_request_time', 'median'),
  video_startup_preroll_load_time: N('video_startup_preroll_load_time', 'median'),
  requests_for_first_preroll: N('requests_for_first_preroll', 'median'),
  seek_latency: R('view_seek_duration', 'view_seek_count', 'avg'),
  rebuffer_percentage: R(r => (r.watched ? r.rebuffer_duration : null), 'watch_time', 'avg'),
  rebuffer_frequency: R(r => (r.watched ? 60_000 * r.rebuffer_count : null), 'watch_time', 'avg'),
  rebuffer_count: N('rebuffer_count', 'median'),
  rebuffer_duration: N('rebuffer_duration', 'median'),
  rendition_change_count: N('rendition_change_count', 'median'),
  rendition_upshift_count: N('rendition_upshift_count', 'median'),
  rendition_downshift_count: N('rendition_downshift_count', 'median'),
  upscale_percentage: R('view_total_upscaling', 'view_total_content_playback_time', 'avg'),
  downscale_percentage: R('view_total_downscaling', 'view_total_content_playback_time', 'avg'),
  max_upscale_percentage: N('max_upscale_percentage', 'median'),
  max_downscale_percentage: N('max_downscale_percentage', 'median'),
  live_stream_latency: N('live_stream_latency', 'median'),
  request_latency: N('request_latency', 'median'),
  max_request_latency: N('max_request_latency', 'median'),
  weighted_average_bitrate: N('weighted_average_bitrate', 'median', UP),
  request_throughput: N('request_throughput', 'median', UP),
};

export const ALIASES = {
  playback_failure_score: 'playback_success_score', smoothness_score: 'rebuffer_score', time_to_first_frame: 'video_startup_time',
  content_startup_time: 'view_content_startup_time', player_average_live_latency: 'live_stream_latency',
  view_average_request_latency: 'request_latency', view_average_request_throughput: 'request_throughput',
  view_max_request_latency: 'max_request_latency', started_views: 'views', startup_score: 'startup_time_score',
  quality_score: 'video_quality_score', playback_score: 'playback_success_score', rebuffering_score: 'rebuffer_score',
  buffering_count: 'rebuffer_count', buffering_duration: 'rebuffer_duration',
};
export const MEASUREMENTS = ['95th', 'median', 'avg', 'count', 'sum'];

const words = text => text.trim().split(/\s+/);
export const BOTH = words(`asn asset_id browser browser_version cdn continent_code country custom_1 custom_2 custom_3 custom_4 custom_5
  custom_6 custom_7 custom_8 custom_9 custom_10 exit_before_video_start experiment_name live_stream_id operating_system
  operating_system_version page_type page_url playback_failure playback_business_exception playback_id player_autoplay
  player_error_code player_mux_plugin_name player_mux_plugin_version player_name player_preload player_remote_played player_software
  player_software_version player_version preroll_ad_asset_hostname preroll_ad_tag_hostname preroll_played preroll_requested region
  source_hostname source_type stream_type sub_property_id video_content_type video_encoding_variant video_id video_series
  video_startup_failure video_startup_business_exception video_title view_drm_type view_has_ad view_session_id viewer_connection_type
  viewer_device_category viewer_device_manufacturer viewer_device_model viewer_device_name viewer_user_id ad_playback_failure
  content_playback_failure view_dropped client_application_name client_application_version video_affiliate viewer_plan
  viewer_plan_status viewer_plan_category view_drm_level video_brand used_pip time_shift_enabled used_captions video_codec audio_codec
  video_dynamic_range_type view_cdn_edge_pop view_cdn_origin video_creator_id video_cdn_trace`);
export const GROUP_ONLY = words(`video_source_height_initial video_source_width_initial video_source_bitrate_initial video_codec_initial
  audio_codec_initial video_source_fps_initial video_dynamic_range_type_initial video_source_fps video_source_bitrate
  video_source_height video_source_width`);
export const LISTED = words(`custom_11 custom_12 custom_13 custom_14 custom_15 custom_16 custom_17 custom_18 custom_19 custom_20
  environment_id player_language player_poster video_language video_producer video_variant_id video_variant_name
  view_dropped_frame_count`);
export const DIMENSIONS = [...BOTH, ...GROUP_ONLY, ...LISTED];
const NO_INSIGHT = new Set(words(`exit_before_video_start playback_failure playback_business_exception video_startup_failure
  video_startup_business_exception ad_playback_failure content_playback_failure view_dropped player_error_code page_url
  view_session_id viewer_user_id video_cdn_trace`));
const TRACES = new Set(['video_cdn_trace']);
const BOOLEANS = new Set(words(`exit_before_video_start playback_failure playback_business_exception player_autoplay player_preload
  player_remote_played preroll_played preroll_requested video_startup_failure video_startup_business_exception view_has_ad
  ad_playback_failure content_playback_failure view_dropped used_pip time_shift_enabled used_captions`));

export const render = value => value === null || value === undefined ? null
  : Array.isArray(value) ? `[${value.join(',')}]` : String(value);
const bytewise = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
export const byField = (a, b) => a === b ? 0 : a === null ? 1 : b === null ? -1 : bytewise(a, b);
export const idOf = metric => ALIASES[metric] ?? metric;

// The view's own value of a metric, null outside its population.
export function own(metric, r) {
  const m = METRICS[idOf(metric)];
  if (!m.ratio) return m.v(r);
  const a = m.a(r), b = m.b(r);
  return a === null || b === null || !(b > 0) ? null : a / b;
}

export function percentile(values, q) {
  const sorted = [...values].sort((a, b) => a - b), h = q * (sorted.length - 1), low = Math.floor(h);
  return sorted[low] + (h - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

// What a question says about a set of views: value, population, watch and playing time.
export function measure(metric, views, measurement) {
  const m = METRICS[idOf(metric)], how = measurement ?? m.def;
  const population = views.filter(r => own(metric, r) !== null), values = population.map(r => own(metric, r));
  const total = list => list.reduce((a, b) => a + b, 0);
  let value;
  if (m.distinct) value = new Set(population.map(r => r.viewer)).size;
  else if (how === 'count') value = population.length;
  else if (how === 'sum') value = total(values);
  else if (!population.length) value = idOf(metric) === 'views' ? 0 : null;
  else if (how === 'avg') value = m.ratio ? total(population.map(m.a)) / total(population.map(m.b)) : total(values) / values.length;
  else value = percentile(values, how === 'median' ? 0.5 : m.up ? 0.05 : 0.95);
  return { value, views: population.length, watch: total(population.map(r => r.watch_time ?? 0)),
    playing: total(population.map(r => r.view_playing_time ?? 0)) };
}

export function snap(start, end) {
  const length = Math.ceil((end - start) / 60) * 60;
  const step = length < 5400 ? 60 : length <= 21600 ? 600 : length <= 1296000 ? 3600 : 86400;
  return { start: Math.floor(start / step) * step, end: Math.ceil(end / step) * step,
    unit: { 60: 'minute', 600: 'ten_minutes', 3600: 'hour', 86400: 'day' }[step] };
}
export const STEPS = { minute: 60, ten_minutes: 600, hour: 3600, day: 86400 };

export const inside = (views, window, clock = 'view_end') =>
  views.filter(r => r[clock] >= window.start * 1000 && r[clock] < window.end * 1000);
export const clockOf = metric => METRICS[idOf(metric)].clock ?? 'view_end';

// One element of filters[] as a predicate with what it belongs to.
function parseFilter(element) {
  let op = '', text = element;
  if (/^[!+\- ]/.test(text)) { op = text[0] === ' ' ? '+' : text[0]; text = text.slice(1); }
  const colon = text.indexOf(':'), dimension = text.slice(0, colon), value = text.slice(colon + 1);
  const empty = value === '' || value === '__empty__';
  if (TRACES.has(dimension)) {
    const list = r => r.dims[dimension];
    if (op === '+') return { dimension, and: true, test: r => list(r).includes(value) };
    if (op === '-') return { dimension, and: true, test: r => !list(r).includes(value) };
    const same = empty ? r => list(r).length === 0 : r => render(list(r)) === value;
    return op === '!' ? { dimension, and: true, test: r => !same(r) } : { dimension, test: same };
  }
  const numeric = r => typeof r.dims[dimension] === 'number' ? r.dims[dimension] === Number(value) : render(r.dims[dimension]) === value;
  const same = empty ? r => r.dims[dimension] === null : numeric;
  return op === '!' ? { dimension, and: true, test: r => !same(r) } : { dimension, test: same };
}

export function filter(views, filters = [], metricFilters = []) {
  const parsed = filters.filter(element => element !== '').map(parseFilter);
  const byDimension = Map.groupBy(parsed, element => element.dimension);
  const OPS = { '>=': (a, b) => a >= b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '<': (a, b) => a < b,
    '=': (a, b) => a === b, '==': (a, b) => a === b, '!=': (a, b) => a !== b };
  return views.filter(r =>
    [...byDimension.values()].every(elements => {
      const ors = elements.filter(element => !element.and);
      return (!ors.length || ors.some(element => element.test(r))) && elements.every(element => !element.and || element.test(r));
    })
    && metricFilters.every(text => {
      const [, id, op, number] = /^([a-z_]+)(>=|<=|==|!=|>|<|=)(.*)$/.exec(text);
      const value = own(id, r);
      return value !== null && OPS[op](value, Number(number));
    }));
}

function score(metric, measurement, overall, segment) {
  const m = METRICS[idOf(metric)], how = measurement ?? m.def;
  if (m.distinct || idOf(metric) === 'views' || how === 'count') return 0;
  if (how === 'sum') return m.up ? 0 : -segment.value;
  return (m.up ? segment.value - overall.value : overall.value - segment.value) * segment.views;
}
const near = x => Number(x.toPrecision(12)); // scores that differ only by rounding are ties

export function breakdown(metric, views, { measurement, dimension = 'country', order = 'negative_impact', direction } = {}) {
  const overall = measure(metric, views, measurement);
  const groups = Map.groupBy(views.filter(r => own(metric, r) !== null), r => render(r.dims[dimension]));
  const rows = [...groups].map(([name, members]) => {
    const m = measure(metric, members, measurement);
    return { field: name, value: m.value, views: m.views, total_watch_time: m.watch, total_playing_time: m.playing,
      score: near(score(metric, measurement, overall, m)) };
  });
  const ties = (a, b) => b.views - a.views || byField(a.field, b.field);
  rows.sort((a, b) => a.score - b.score || ties(a, b));
  rows.forEach((row, i) => { row.negative_impact = i + 1; });
  const way = (direction ?? (order === 'field' ? 'asc' : 'desc')) === 'asc' ? 1 : -1;
  const keys = {
    negative_impact: (a, b) => -way * (a.negative_impact - b.negative_impact),
    value: (a, b) => way * (near(a.value) - near(b.value)),
    views: (a, b) => way * (a.views - b.views),
    field: (a, b) => a.field === null || b.field === null ? byField(a.field, b.field) : way * byField(a.field, b.field),
  };
  rows.sort((a, b) => keys[order](a, b) || ties(a, b));
  return rows;
}

export function insights(metric, views, measurement) {
  const overall = measure(metric, views, measurement);
  const rows = [];
  for (const dimension of BOTH) {
    if (NO_INSIGHT.has(dimension)) continue;
    const population = views.filter(r => own(metric, r) !== null && (r.dims[dimension] ?? null) !== null);
    for (const [value, members] of Map.groupBy(population, r => render(r.dims[dimension]))) {
      const m = measure(metric, members, measurement);
      rows.push({ filter_column: dimension, filter_value: value, metric: m.value, total_views: m.views, total_watch_time: m.watch,
        total_playing_time: m.playing, negative_impact_score: score(metric, measurement, overall, m) });
    }
  }
  return rows.sort((a, b) => near(a.negative_impact_score) - near(b.negative_impact_score) || b.total_views - a.total_views
    || bytewise(a.filter_column, b.filter_column) || bytewise(a.filter_value, b.filter_value));
}

export function timeseries(metric, views, window, { measurement, unit = window.unit, direction = 'asc' } = {}) {
  const step = STEPS[unit], clock = clockOf(metric), rows = [];
  const buckets = Map.groupBy(views, r => Math.floor(r[clock] / 1000 / step));
  for (let bucket = Math.floor(window.start / step); bucket <= Math.floor((window.end - 1) / step); bucket++) {
    const m = measure(metric, buckets.get(bucket) ?? [], measurement);
    rows.push([new Date(bucket * step * 1000).toISOString().replace('.000', ''), m.value, m.views]);
  }
  return direction === 'asc' ? rows : rows.reverse();
}

export function values(views, dimension, { order, direction, elements } = {}) {
  const counts = new Map();
  for (const r of views) {
    const found = elements ? [...new Set(r.dims[dimension])] : [render(r.dims[dimension])];
    for (const value of found) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const rows = [...counts].map(([value, total_count]) => ({ value, total_count }));
  const way = (direction ?? (order === 'field' ? 'asc' : 'desc')) === 'asc' ? 1 : -1;
  return rows.sort((a, b) => order === 'field'
    ? (a.value === null || b.value === null ? byField(a.value, b.value) : way * byField(a.value, b.value))
    : way * (a.total_count - b.total_count) || byField(a.value, b.value));
}
export { BOOLEANS, TRACES };
