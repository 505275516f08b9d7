// SPDX-License-Identifier: Apache-2.0
// The metrics calculated a second time, from the simulator's truth, in another language and without SQL. Definitions are
// those of docs/metrics.md, written down here again on purpose.
import assert from 'node:assert/strict';

export const MEASUREMENTS = ['95th', 'median', 'avg', 'count', 'sum'];

const number = (key, extra = {}) => ({ kind: 'number', value: view => view[key] ?? null, ...extra });
const watched = key => number(key, { population: view => view.watched });
const withAd = key => number(key, { population: view => view.view_has_ad });
const predicate = key => ({ kind: 'predicate', value: view => (view[key] ? 1 : 0) });
const ratio = (a, b, extra = {}) => ({ kind: 'ratio', a: view => a(view), b: view => view[b] ?? null, ...extra });
const sum = { default: 'sum' }, avg = { default: 'avg' }, start = { clock: 'start' }, higher = { better: 'higher' };

export const METRICS = {
  aggregate_startup_time: number('aggregate_startup_time'),
  downscale_percentage: ratio(view => view.view_total_downscaling, 'view_total_content_playback_time', avg),
  exits_before_video_start: { ...predicate('exit_before_video_start'), ...avg },
  live_stream_latency: number('live_stream_latency'),
  max_downscale_percentage: number('view_max_downscale_percentage'),
  max_request_latency: number('view_max_request_latency'),
  max_upscale_percentage: number('view_max_upscale_percentage'),
  page_load_time: number('page_load_time'),
  playback_failure_percentage: { ...predicate('playback_failure'), ...avg },
  playback_success_score: number('playback_score', { ...avg, ...higher }),
  player_startup_time: number('player_startup_time'),
  playing_time: { kind: 'number', value: view => view.view_playing_time ?? 0, ...sum, ...start, ...higher },
  rebuffer_count: watched('buffering_count'),
  rebuffer_duration: watched('buffering_duration'),
  rebuffer_frequency: ratio(view => (view.buffering_count === null ? null : 60000 * view.buffering_count), 'watch_time',
    { ...avg, population: view => view.watched }),
  rebuffer_percentage: ratio(view => view.buffering_duration, 'watch_time', { ...avg, population: view => view.watched }),
  request_latency: number('view_average_request_latency'),
  request_throughput: number('view_average_request_throughput', higher),
  rebuffer_score: number('rebuffering_score', { ...avg, ...higher }),
  requests_for_first_preroll: number('requests_for_first_preroll'),
  seek_latency: ratio(view => view.view_seek_duration, 'view_seek_count', avg),
  startup_time_score: number('startup_score', { ...avg, ...higher }),
  unique_viewers: { kind: 'viewers', value: view => view.viewer_user_id || view.mux_viewer_id || null, default: 'count', ...start, ...higher },
  upscale_percentage: ratio(view => view.view_total_upscaling, 'view_total_content_playback_time', avg),
  video_quality_score: number('quality_score', { ...avg, ...higher }),
  video_startup_preroll_load_time: number('video_startup_preroll_load_time'),
  video_startup_preroll_request_time: number('video_startup_preroll_request_time'),
  video_startup_time: number('time_to_first_frame'),
  viewer_experience_score: number('viewer_experience_score', { ...avg, ...higher }),
  views: { kind: 'number', value: () => 1, default: 'count', ...start, ...higher },
  weighted_average_bitrate: number('weighted_average_bitrate', higher),
  video_startup_failure_percentage: { ...predicate('video_startup_failure'), ...avg },
  ad_attempt_count: { ...withAd('ad_attempt_count'), ...sum, ...start, ...higher },
  ad_break_count: { ...withAd('ad_break_count'), ...sum, ...start, ...higher },
  ad_break_error_count: { ...withAd('ad_break_error_count'), ...sum },
  ad_break_error_percentage: ratio(view => view.ad_break_error_count, 'ad_break_count', avg),
  ad_error_count: { ...withAd('ad_error_count'), ...sum },
  ad_error_percentage: ratio(view => view.ad_error_count, 'ad_attempt_count', avg),
  ad_exit_before_start_count: { ...withAd('ad_exit_before_start_count'), ...avg },
  ad_exit_before_start_percentage: ratio(view => view.ad_exit_before_start_count, 'ad_attempt_count', avg),
  ad_impression_count: { ...withAd('ad_impression_count'), ...sum, ...start, ...higher },
  ad_startup_error_count: { ...withAd('ad_startup_error_count'), ...avg },
  ad_startup_error_percentage: ratio(view => view.ad_startup_error_count, 'ad_attempt_count', avg),
  playback_business_exception_percentage: { ...predicate('playback_business_exception'), ...avg },
  video_startup_business_exception_percentage: { ...predicate('video_startup_business_exception'), ...avg },
  view_content_startup_time: number('view_content_startup_time'),
  ad_preroll_startup_time: number('ad_preroll_startup_time'),
  view_dropped_percentage: { ...predicate('view_dropped'), ...avg },
  rendition_change_count: number('rendition_change_count'),
  rendition_upshift_count: number('rendition_upshift_count'),
  rendition_downshift_count: number('rendition_downshift_count'),
  content_playback_failure_percentage: { ...predicate('content_playback_failure'), ...avg },
  ad_playback_failure_percentage: { ...predicate('ad_playback_failure'), ...avg },
};
for (const metric of Object.values(METRICS)) metric.default ??= 'median';

// A view's own value of a metric, or null.
export function valueOf(metric, view) {
  if (metric.population && !metric.population(view)) return null;
  if (metric.kind !== 'ratio') return metric.value(view);
  const a = metric.a(view) ?? null, b = metric.b(view);
  return a === null || b === null || b <= 0 ? null : a / b;
}

export const percentile = (values, q) => {
  const x = Float64Array.from(values).sort(), h = q * (x.length - 1), low = Math.floor(h);
  return x[low] + (h - low) * (x[Math.min(low + 1, x.length - 1)] - x[low]);
};

const total = values => values.reduce((a, b) => a + b, 0);

// { value, views, watch, playing } of a metric over views.
export function answer(id, measurement, views) {
  const metric = METRICS[id], counted = views.filter(view => valueOf(metric, view) !== null);
  const out = {
    views: counted.length,
    watch: total(counted.map(view => view.watch_time ?? 0)),
    playing: total(counted.map(view => view.view_playing_time ?? 0)),
  };
  const values = counted.map(view => valueOf(metric, view));
  if (metric.kind === 'viewers') return { ...out, value: new Set(values).size };
  if (measurement === 'count') return { ...out, value: values.length };
  if (measurement === 'sum') return { ...out, value: total(values) };
  if (values.length === 0) return { ...out, value: null };
  if (measurement === 'median') return { ...out, value: percentile(values, 0.5) };
  if (measurement === '95th') return { ...out, value: percentile(values, metric.better === 'higher' ? 0.05 : 0.95) };
  if (metric.kind === 'ratio') return { ...out, value: total(counted.map(metric.a)) / total(counted.map(metric.b)) };
  return { ...out, value: total(values) / values.length };
}

// Never null: what was not said is false.
const BOOLEANS = new Set(['exit_before_video_start', 'playback_failure', 'playback_business_exception', 'video_startup_failure',
  'video_startup_business_exception', 'ad_playback_failure', 'content_playback_failure', 'view_dropped', 'view_has_ad', 'used_pip', 'used_captions',
  'time_shift_enabled', 'player_autoplay', 'player_preload', 'preroll_requested', 'preroll_played']);

// A dimension of a view as text or null; view is the truth with what is stored beside it. Where the truth says it, the
// truth counts.
export function dimensionOf(id, view) {
  if (id === 'page_hostname') return view.page_url ? new URL(view.page_url).host : null;
  const value = TRUTH_NAMES[id] === undefined ? view[id] ?? view.detail[id] : view[TRUTH_NAMES[id]] ?? view.detail[id];
  if (value === null || value === undefined || value === '') return BOOLEANS.has(id) ? 'false' : null;
  return Array.isArray(value) ? `[${value.join(',')}]` : String(value);
}
const TRUTH_NAMES = { browser: 'viewer_application_name', operating_system: 'viewer_os_family', source_hostname: 'player_source_host_name',
  source_type: 'player_source_type', stream_type: 'video_stream_type' };

// Negative harms (rule 89).
export function score(id, measurement, overall, segment) {
  const metric = METRICS[id], higher = metric.better === 'higher';
  if (segment.value === null || measurement === 'count' || metric.kind === 'viewers') return 0;
  if (measurement === 'sum') return higher ? 0 : -segment.value;
  return (higher ? segment.value - overall.value : overall.value - segment.value) * segment.views;
}

// Relative to the larger of both, however small they are: sums, means and ratios of what is never negative lose no more
// than their last digits. A difference loses more; floor is the size of what was subtracted.
export function close(actual, expected, what, tolerance = 1e-9, floor = 0) {
  if (actual === null || expected === null || actual === undefined || expected === undefined)
    return assert.equal(actual, expected, what);
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.max(floor, Math.abs(actual), Math.abs(expected)),
    `${what}: ${actual} against ${expected}`);
}

// By UTF-8 bytes, null last.
export const byField = (a, b) => (a === null) - (b === null) || (a === null ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b)));
