// SPDX-License-Identifier: Apache-2.0
// Metrics and dimensions as pages need them: looked up by id, named, grouped.
import {
  DIMENSIONS,
  FIELD_UNITS,
  METRICS,
  type DimensionId,
  type Measure,
  type MetricId,
  type MetricRow,
} from '../generated/catalog';
import { words } from './format';

export { DIMENSIONS, FIELD_UNITS, METRICS };
export type { DimensionId, Measure, MetricId, MetricRow };

const byId = new Map(METRICS.map(m => [m.id as string, m]));
export const metric = (id: MetricId): MetricRow => byId.get(id)!;
export const findMetric = (id: string | null): MetricRow | undefined => (id === null ? undefined : byId.get(id));
const dimensionIds = new Map(DIMENSIONS.map(d => [d.id as string, d]));
export const findDimension = (id: string) => dimensionIds.get(id);

const NAMES: Partial<Record<string, string>> = {
  rebuffer_score: 'Smoothness score',
  viewer_experience_score: 'Overall score',
  playback_failure_percentage: 'Playback failures',
  video_startup_failure_percentage: 'Startup failures',
  exits_before_video_start: 'Exits before start',
  view_dropped_percentage: 'Views dropped',
  weighted_average_bitrate: 'Average bitrate',
  country: 'Country',
  playback_business_exception_percentage: 'Playback business exceptions',
  video_startup_business_exception_percentage: 'Startup business exceptions',
  content_playback_failure_percentage: 'Content playback failures',
  ad_playback_failure_percentage: 'Ad playback failures',
};
export const nameOf = (id: string): string => NAMES[id] ?? words(id);

export interface Group {
  key: string;
  name: string;
  score?: MetricId;
  metrics: MetricId[];
}
const groups: Group[] = [
  { key: 'engagement', name: 'Engagement', metrics: ['views', 'unique_viewers', 'playing_time'] },
  {
    key: 'experience',
    name: 'Overall experience',
    score: 'viewer_experience_score',
    metrics: ['viewer_experience_score'],
  },
  {
    key: 'playback',
    name: 'Playback success',
    score: 'playback_success_score',
    metrics: [
      'playback_success_score',
      'playback_failure_percentage',
      'video_startup_failure_percentage',
      'exits_before_video_start',
      'view_dropped_percentage',
      'playback_business_exception_percentage',
      'video_startup_business_exception_percentage',
      'content_playback_failure_percentage',
      'ad_playback_failure_percentage',
    ],
  },
  {
    key: 'startup',
    name: 'Startup time',
    score: 'startup_time_score',
    metrics: [
      'startup_time_score',
      'video_startup_time',
      'player_startup_time',
      'page_load_time',
      'aggregate_startup_time',
      'view_content_startup_time',
      'ad_preroll_startup_time',
      'seek_latency',
    ],
  },
  {
    key: 'smoothness',
    name: 'Smoothness',
    score: 'rebuffer_score',
    metrics: ['rebuffer_score', 'rebuffer_percentage', 'rebuffer_frequency', 'rebuffer_duration', 'rebuffer_count'],
  },
  {
    key: 'quality',
    name: 'Video quality',
    score: 'video_quality_score',
    metrics: [
      'video_quality_score',
      'weighted_average_bitrate',
      'upscale_percentage',
      'downscale_percentage',
      'max_upscale_percentage',
      'max_downscale_percentage',
      'rendition_change_count',
      'rendition_upshift_count',
      'rendition_downshift_count',
      'live_stream_latency',
      'request_throughput',
      'request_latency',
      'max_request_latency',
    ],
  },
];
const grouped = new Set(groups.flatMap(g => g.metrics));
// What no group names is about ads: the list stays complete when the server's table grows.
export const GROUPS: readonly Group[] = [
  ...groups,
  { key: 'ads', name: 'Ads and more', metrics: METRICS.map(m => m.id).filter(id => !grouped.has(id)) },
];
export const groupOf = (id: MetricId): Group => GROUPS.find(g => g.metrics.includes(id))!;

// Scores, shares, rates and waits have a distribution; counts of views and viewers have one measurement.
export function measures(m: MetricRow): Measure[] {
  if (m.id === 'views' || m.id === 'unique_viewers') return ['count'];
  if (m.kind === 'PREDICATE') return ['avg'];
  const offered: Measure[] = ['median', '95th', 'avg'];
  return m.measure === 'sum' ? ['sum', ...offered] : offered;
}
export const measureName = (m: Measure): string =>
  ({ avg: 'Average', median: 'Median', '95th': '95th percentile', sum: 'Total', count: 'Count' })[m];
