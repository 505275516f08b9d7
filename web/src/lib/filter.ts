// SPDX-License-Identifier: Apache-2.0
// Filters as texts: of dimensions (country:DE, !country:DE, +cdn:a) and of a view's own value (rebuffer_count>=1).
import { findMetric, type MetricId } from './catalog';

export const EMPTY = '__empty__';

export interface Filter {
  op: '' | '!' | '+' | '-';
  dimension: string;
  value: string;
}
export function readFilter(text: string): Filter {
  const m = /^([!+-]?)([^:]*):?([\s\S]*)$/.exec(text)!;
  return { op: m[1] as Filter['op'], dimension: m[2], value: m[3] };
}
export const writeFilter = (f: Filter): string => `${f.op}${f.dimension}:${f.value}`;
export const filterOn = (dimension: string, value: string | null): string =>
  `${dimension}:${value === null || value === '' ? EMPTY : value}`;

export interface MetricFilter {
  metric: MetricId;
  operator: '>=' | '<' | '>' | '<=' | '=' | '!=';
  value: number;
}
export function readMetricFilter(text: string): MetricFilter | null {
  const m = /^([a-z_]+)(>=|<=|!=|>|<|=)(-?\d+(?:\.\d+)?(?:e-?\d+)?)$/.exec(text),
    metric = m && findMetric(m[1]);
  return metric ? { metric: metric.id, operator: m[2] as MetricFilter['operator'], value: Number(m[3]) } : null;
}
