// SPDX-License-Identifier: Apache-2.0
// The questions that pages put, and the shapes of their answers.
import { pathOf, type Ask, type Param } from './ask';
import type { DimensionId, Measure, MetricId } from './catalog';
import type { Range } from './time';

export interface Scope {
  range: Range;
  filters: string[];
  metricFilters?: string[];
}

const scoped = (s: Scope): Param[] => [
  ...s.range.values.map((v): Param => ['timeframe[]', v]),
  ...s.filters.map((v): Param => ['filters[]', v]),
  ...(s.metricFilters ?? []).map((v): Param => ['metric_filters[]', v]),
];
const optional = (name: string, value: string | number | undefined): Param[] =>
  value === undefined ? [] : [[name, String(value)]];

export interface Envelope<T> {
  data: T;
  timeframe: [number, number];
  total_row_count: number | null;
}
export type SeriesRow = [time: string, value: number | null, views: number];
export interface Overall {
  value: number | null;
  total_views: number;
  total_watch_time: number | null;
  total_playing_time: number | null;
}
export interface BreakdownRow {
  field: string | null;
  value: number | null;
  views: number;
  negative_impact: number;
  total_watch_time: number | null;
  total_playing_time: number | null;
}
export interface InsightRow {
  filter_column: string;
  filter_value: string | null;
  metric: number | null;
  negative_impact_score: number;
  total_views: number;
}
export interface ComparisonRow {
  name: string;
  metric?: string;
  type?: string;
  value?: number | null;
  measurement?: string;
  items?: ComparisonRow[];
  watch_time?: number;
  view_count?: number;
  started_views?: number;
  ended_views?: number;
  unique_viewers?: number;
  total_playing_time?: number;
}
export interface ViewRow {
  id: string;
  view_start: string;
  view_end: string;
  video_title: string | null;
  viewer_application_name: string | null;
  viewer_os_family: string | null;
  country_code: string | null;
  error_type_id: number | null;
  player_error_code: string | null;
  player_error_message: string | null;
  playback_failure: boolean;
  viewer_experience_score: number | null;
  watch_time: number | null;
}
export interface ViewEvent {
  name: string;
  viewer_time: number;
  event_time: number;
  playback_time: number;
  details: Record<string, unknown>;
}
export type ViewDetail = Record<string, unknown> & { id: string; events: ViewEvent[] };
export interface ErrorRow {
  id: number;
  code: number | null;
  player_error_code: string | null;
  message: string | null;
  description: string | null;
  notes: string | null;
  count: number;
  percentage: number;
  last_seen: string;
}
export interface ValueRow {
  value: string | null;
  total_count: number;
}

export const overall = (id: MetricId, s: Scope, measurement?: Measure): Ask => ({
  path: pathOf('data', 'v1', 'metrics', id, 'overall'),
  params: [...scoped(s), ...optional('measurement', measurement)],
});
export const timeseries = (id: MetricId, s: Scope, measurement?: Measure, groupBy?: string): Ask => ({
  path: pathOf('data', 'v1', 'metrics', id, 'timeseries'),
  params: [...scoped(s), ...optional('measurement', measurement), ...optional('group_by', groupBy)],
});
export interface Order {
  by: 'negative_impact' | 'value' | 'views' | 'field';
  direction: 'asc' | 'desc';
}
export const breakdown = (
  id: MetricId,
  by: DimensionId,
  s: Scope,
  measurement?: Measure,
  limit?: number,
  page?: number,
  order?: Order,
): Ask => ({
  path: pathOf('data', 'v1', 'metrics', id, 'breakdown'),
  params: [
    ['group_by', by],
    ...scoped(s),
    ...optional('measurement', measurement),
    ...optional('limit', limit),
    ...optional('page', page),
    ...optional('order_by', order?.by),
    ...optional('order_direction', order?.direction),
  ],
});
export const insights = (id: MetricId, s: Scope, measurement?: Measure): Ask => ({
  path: pathOf('data', 'v1', 'metrics', id, 'insights'),
  params: [...scoped(s), ...optional('measurement', measurement)],
});
export const comparison = (s: Scope): Ask => ({ path: '/data/v1/metrics/comparison', params: scoped(s) });
export const dimensionValues = (id: string, s: Scope, limit: number): Ask => ({
  path: pathOf('data', 'v1', 'dimensions', id),
  params: [...scoped(s), ['limit', String(limit)]],
});
export const viewList = (
  s: Scope,
  page: number,
  limit: number,
  viewerId?: string,
  errorId?: string,
  direction?: string,
): Ask => ({
  path: '/data/v1/video-views',
  params: [
    ...scoped(s),
    ...optional('viewer_id', viewerId || undefined),
    ...optional('error_id', errorId || undefined),
    ...optional('limit', limit),
    ...optional('page', page === 1 ? undefined : page),
    ...optional('order_direction', direction),
  ],
});
export const viewDetail = (id: string): Ask => ({ path: pathOf('data', 'v1', 'video-views', id), params: [] });
export const errors = (s: Scope): Ask => ({ path: '/data/v1/errors', params: scoped(s) });
export const annotations = (range: Range): Ask => ({
  path: '/data/v1/annotations',
  params: [...range.values.map((v): Param => ['timeframe[]', v]), ['limit', '200']],
});
export const recentBeacons = (): Ask => ({ path: '/data/v1/beacons/recent', params: [] });
