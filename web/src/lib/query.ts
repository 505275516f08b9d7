// SPDX-License-Identifier: Apache-2.0
// Questions in the query language: several metrics by several dimensions, histograms, percentiles. The filters of the
// address become its tree of conditions, with the same meaning: one dimension's values are alternatives.
import type { Ask } from './ask';
import type { Scope } from './asks';
import { findDimension, type DimensionId, type Measure, type MetricId } from './catalog';
import { EMPTY, readFilter, readMetricFilter, type Filter } from './filter';

export interface QueryMetric {
  metric: MetricId;
  measurement?: Measure | 'stddev';
  percentile?: number;
  histogram?: { edges: number[] };
  name?: string;
}
export interface Query {
  metrics: QueryMetric[];
  dimensions?: DimensionId[];
  time_bucket?: 'minute' | 'ten_minutes' | 'hour' | 'day';
  order?: { by: string; direction: 'asc' | 'desc' }[];
  limit?: number;
}
export interface Histogram {
  below: number;
  counts: number[];
  above: number;
}
export type QueryRow = Record<string, string | number | null | Histogram>;
export interface QueryAnswer {
  data: QueryRow[];
  total_row_count: number;
}

type Value = string | number | boolean | null | string[];
type Condition =
  { dimension: string; operator?: string; value: Value | Value[] } | { and: Condition[] } | { or: Condition[] };

function valueOf(f: Filter): Value {
  const type = findDimension(f.dimension)?.type;
  if (f.value === '' || f.value === EMPTY) return null;
  if (type === 'TRACE') return f.value === '[]' ? [] : f.value.replace(/^\[|\]$/g, '').split(',');
  if (type === 'NUMBER' || type === 'FPS') return Number(f.value);
  if (type === 'BOOL' || type === 'NBOOL') return f.value === 'true';
  return f.value;
}

function leaf(f: Filter): Condition {
  if (f.op === '+' || f.op === '-')
    return { dimension: f.dimension, operator: f.op === '+' ? 'contains' : 'does_not_contain', value: f.value };
  return { dimension: f.dimension, operator: f.op === '!' ? 'is_not' : 'is', value: valueOf(f) };
}

export function conditions(filters: string[]): Condition | undefined {
  const alternatives = new Map<string, Condition[]>(),
    all: Condition[] = [];
  for (const f of filters.map(readFilter))
    if (f.op !== '') all.push(leaf(f));
    else alternatives.set(f.dimension, [...(alternatives.get(f.dimension) ?? []), leaf(f)]);
  for (const one of alternatives.values()) all.push(one.length === 1 ? one[0] : { or: one });
  return all.length === 0 ? undefined : all.length === 1 ? all[0] : { and: all };
}

export function query(scope: Scope, q: Query): Ask {
  const limits = (scope.metricFilters ?? []).flatMap(text => {
    const f = readMetricFilter(text);
    return f ? [{ metric: f.metric, operator: f.operator, value: f.value }] : [];
  });
  return {
    path: '/data/v1/query',
    params: [],
    body: {
      ...q,
      timeframe: scope.range.values.map(v => (/^\d+$/.test(v) ? Number(v) : v)),
      filters: conditions(scope.filters),
      ...(limits.length ? { metric_filters: limits } : {}),
    },
  };
}
