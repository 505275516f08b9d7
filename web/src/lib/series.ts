// SPDX-License-Identifier: Apache-2.0
// Rows of /timeseries as what a chart draws.
import type { SeriesRow } from './asks';

export const timesOf = (rows: SeriesRow[]): number[] => rows.map(r => Date.parse(r[0]) / 1000);
export const valuesOf = (rows: SeriesRow[]): (number | null)[] => rows.map(r => r[1]);
export const volumesOf = (rows: SeriesRow[]): (number | null)[] => rows.map(r => r[2]);

// Another period's values beside ours: bucket by bucket, as many as we have.
export function beside(rows: SeriesRow[], length: number): (number | null)[] {
  return Array.from({ length }, (_, i) => rows[i]?.[1] ?? null);
}

export function stepOf(times: number[], otherwise: number): number {
  return times.length > 1 ? times[1] - times[0] : otherwise;
}
