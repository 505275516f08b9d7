// SPDX-License-Identifier: Apache-2.0
// What the query language has to be asked so that the values of a comparison get their intervals: how many views have a
// value and how they scatter, then the values at the ranks around each median and 95th percentile.
import type { Ask } from './ask';
import type { Scope } from './asks';
import type { Measure, MetricRow } from './catalog';
import { query, type QueryAnswer, type QueryMetric } from './query';
import { ofMean, quantileRanks, wilson, type Interval } from './sure';

export interface Measured {
  metric: MetricRow;
  measure: Measure;
  value: number | null | undefined;
}

const MOST = 20; // metrics of one question

const isMean = (m: Measured) => m.metric.kind === 'NUMBER' && m.measure === 'avg';
const isQuantile = (m: Measured) => m.metric.kind === 'NUMBER' && (m.measure === 'median' || m.measure === '95th');
const quantileOf = (m: Measured) => (m.measure === 'median' ? 0.5 : m.metric.better === 'LOWER' ? 0.95 : 0.05);
const rankName = (m: Measured, end: 'low' | 'high') =>
  `${m.metric.id}_${m.measure === '95th' ? 'p95' : m.measure}_${end}`;

function asksOf(scope: Scope, metrics: QueryMetric[]): Ask[] {
  const asks: Ask[] = [];
  for (let i = 0; i < metrics.length; i += MOST) asks.push(query(scope, { metrics: metrics.slice(i, i + MOST) }));
  return asks;
}

export function spreadAsks(scope: Scope, rows: Measured[]): Ask[] {
  const wanted = new Map<string, QueryMetric>();
  for (const m of rows) {
    if (m.metric.kind !== 'PREDICATE' && !isMean(m) && !isQuantile(m)) continue;
    wanted.set(`${m.metric.id}_count`, { metric: m.metric.id, measurement: 'count' });
    if (isMean(m)) wanted.set(`${m.metric.id}_stddev`, { metric: m.metric.id, measurement: 'stddev' });
  }
  return asksOf(scope, [...wanted.values()]);
}

export type Row = Record<string, number | null>;
export const joined = (answers: (QueryAnswer | undefined)[]): Row =>
  Object.assign({}, ...answers.map(a => a?.data[0] ?? {})) as Row;

export function rankAsks(scope: Scope, rows: Measured[], spread: Row): Ask[] {
  const wanted: QueryMetric[] = [];
  for (const m of rows.filter(isQuantile)) {
    const ranks = quantileRanks(quantileOf(m), spread[`${m.metric.id}_count`] ?? 0);
    if (ranks)
      wanted.push(
        { metric: m.metric.id, percentile: ranks[0], name: rankName(m, 'low') },
        { metric: m.metric.id, percentile: ranks[1], name: rankName(m, 'high') },
      );
  }
  return asksOf(scope, wanted);
}

export function intervalOf(m: Measured, spread: Row, ranks: Row): Interval | null {
  const n = spread[`${m.metric.id}_count`] ?? 0;
  if (typeof m.value !== 'number') return null;
  if (m.metric.kind === 'PREDICATE') return wilson(m.value, n);
  if (isMean(m)) return ofMean(m.value, spread[`${m.metric.id}_stddev`] ?? NaN, n);
  const low = ranks[rankName(m, 'low')],
    high = ranks[rankName(m, 'high')];
  return isQuantile(m) && typeof low === 'number' && typeof high === 'number' ? [low, high] : null;
}
