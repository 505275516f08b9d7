// SPDX-License-Identifier: Apache-2.0
// Heatmaps, hotspots and playing time by part, calculated a second time by the rules 113 to 118. A view here is the
// truth, with what is stored beside it as `detail`.
import { byField } from './calculate.mjs';

// Which content was played, [start, end) in ms. Without a seek the truth tells it; otherwise it is what is stored.
export function rangesOf(view) {
  if (view.view_seek_count === null) return view.view_content_playing_time > 0 ? [[0, view.view_max_playhead_position]] : [];
  return view.detail.range_start.map((start, i) => [start, view.detail.range_end[i]]);
}

// { views, duration, seen }: of how many views, how long the content is, and how many saw each bucket.
export function heatmap(views) {
  const watched = views.map(rangesOf).filter(ranges => ranges.length), ends = watched.flat().map(([, end]) => end);
  const duration = Math.max(0, ...views.filter(view => rangesOf(view).length).map(view => view.player_source_duration ?? 0)) || Math.max(0, ...ends);
  const n = Math.min(1000, Math.max(10, Math.floor(duration / 1000)));
  // The middle of bucket i is (2 i + 1) duration / 2 n; compared in whole numbers.
  const saw = (ranges, i) => ranges.some(([start, end]) => 2 * n * start <= (2 * i + 1) * duration && (2 * i + 1) * duration < 2 * n * end);
  return { views: watched.length, duration, seen: Array.from({ length: n }, (_, i) => watched.filter(ranges => saw(ranges, i)).length) };
}

export function hotspots({ views, duration, seen }, cold = false) {
  const n = seen.length, sum = seen.reduce((a, b) => a + b, 0), out = [];
  const fits = i => (cold ? seen[i] * n < sum : seen[i] * n > sum);
  const border = i => Math.floor((2 * i * duration + n) / (2 * n));
  for (let from = 0, to; from < n; from = to + 1) {
    for (to = from; to < n && fits(to); to++);
    if (to > from) out.push({ start_ms: border(from), end_ms: border(to), score: seen.slice(from, to).reduce((a, b) => a + b, 0) / (to - from) / views });
  }
  return out.sort((a, b) => (cold ? a.score - b.score : b.score - a.score) || a.start_ms - b.start_ms);
}

// SDKs before 5.13 tell neither renditions nor playback modes.
export const tellsParts = view => !/^5\.(\d|1[0-2])\./.test(view.mux_embed_version);

const ATTRIBUTES = { bitrate: bits => (bits < 1e6 ? `${Math.round(bits / 1000)}kb` : `${Math.round(bits / 1e5) / 10}Mb`), width: n => `${n}w`, height: n => `${n}h`,
  fps: n => `${n}fps`, codec: String, name: String };
const known = value => value !== -1 && value !== '';

// The parts of a view as [text, ms].
export const renditions = (view, by = Object.keys(ATTRIBUTES)) => view.detail.rendition_playing_time.map((ms, i) =>
  [by.map(id => { const value = view.detail[`rendition_${id}`][i]; return known(value) ? ATTRIBUTES[id](value) : 'unknown'; }).join(' / '), ms]);
export const heights = view => view.detail.rendition_playing_time.map((ms, i) => {
  const height = view.detail.rendition_height[i];
  return [known(height) ? String(height) : '__empty__', ms];
});
export const modes = view => view.detail.mode_playing_time.map((ms, i) => [view.detail.mode_name[i] || 'unknown', ms]);

// Parts put together as [text, ms], the most first.
export const together = parts => [...Map.groupBy(parts, ([text]) => text)].map(([text, group]) => [text, group.reduce((sum, [, ms]) => sum + ms, 0)])
  .filter(([, ms]) => ms > 0).sort((a, b) => b[1] - a[1] || byField(a[0], b[0]));

// As the API answers them; those beyond the limit as one row.
export function rows(parts, limit = Infinity) {
  const all = together(parts).map(([breakdown_value, metric_value]) => ({ breakdown_value, metric_value }));
  const other = all.slice(limit).reduce((sum, row) => sum + row.metric_value, 0);
  return [...all.slice(0, limit), ...(other ? [{ breakdown_value: 'other', metric_value: other }] : [])];
}
