// SPDX-License-Identifier: Apache-2.0
// Borders of a histogram that people can read: some 20 equal steps of 1, 2, 2.5 or 5 times a power of ten between the
// lowest values and the 98th percentile; what lies outside is one step each way.
import type { Unit } from '../generated/catalog';
import type { Histogram } from './query';

export interface Bucket {
  from: number | null; // null: everything below `to`
  to: number | null;
  views: number;
}

const STEPS = 24;

export function edgesOf(low: number | null, high: number | null, unit: Unit): number[] | null {
  if (low === null || high === null) return null;
  if (unit === 'SCORE') return Array.from({ length: 21 }, (_, i) => i / 20);
  // From zero where values may lie near it: a bar chart of waits begins there.
  const from = low > 0 && low > (high - low) * 2 ? low : Math.min(0, low),
    width = Math.max(high - from, Math.abs(high) * 1e-3, unit === 'FRACTION' ? 1e-4 : 1);
  const power = 10 ** Math.floor(Math.log10(width / STEPS)),
    least = unit === 'NUMBER' || unit === 'MS' ? 1 : 0; // whole things and milliseconds
  const step = Math.max(least, power * [1, 2, 2.5, 5, 10].find(s => s * power >= width / STEPS)!);
  const first = Math.floor(from / step),
    n = Math.max(1, Math.ceil((from + width) / step - first + 1e-9));
  return Array.from({ length: n + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

// Its steps; those outside the borders only where there is something in them.
export function stepsOf(edges: number[], h: Histogram): Bucket[] {
  const inside = h.counts.map((views, i): Bucket => ({ from: edges[i], to: edges[i + 1], views }));
  return [
    ...(h.below > 0 ? [{ from: null, to: edges[0], views: h.below }] : []),
    ...inside,
    ...(h.above > 0 ? [{ from: edges[edges.length - 1], to: null, views: h.above }] : []),
  ];
}
