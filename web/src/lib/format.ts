// SPDX-License-Identifier: Apache-2.0
// Numbers in the reader's format, with their units.
import type { Unit } from '../generated/catalog';

const plain = (digits: number) => new Intl.NumberFormat(undefined, { maximumFractionDigits: digits });
const whole = plain(0),
  one = plain(1),
  two = plain(2),
  three = plain(3);
const compactNumber = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

export const NONE = '–';

export function number(v: number): string {
  const size = Math.abs(v);
  return (size >= 100 || Number.isInteger(v) ? whole : size >= 10 ? one : two).format(v);
}

export function count(v: number): string {
  return Math.abs(v) >= 100_000 ? compactNumber.format(v) : whole.format(v);
}

export function duration(ms: number): string {
  const size = Math.abs(ms);
  if (size < 1000) return `${size < 10 && !Number.isInteger(ms) ? one.format(ms) : whole.format(ms)} ms`;
  if (size < 60_000) return `${two.format(ms / 1000)} s`;
  if (size < 3_600_000) return `${one.format(ms / 60_000)} min`;
  const hours = ms / 3_600_000;
  return `${hours >= 1000 ? compactNumber.format(hours) : one.format(hours)} h`;
}

export function bitrate(v: number): string {
  const size = Math.abs(v);
  if (size >= 1e9) return `${two.format(v / 1e9)} Gbit/s`;
  if (size >= 1e6) return `${two.format(v / 1e6)} Mbit/s`;
  return size >= 1e3 ? `${whole.format(v / 1e3)} kbit/s` : `${whole.format(v)} bit/s`;
}

export function percent(fraction: number): string {
  const p = fraction * 100,
    size = Math.abs(p);
  return `${(size >= 10 ? one : size >= 0.1 || size === 0 ? two : three).format(p)} %`;
}

// A fraction 0..1 shown as 0..100, as people speak of scores.
export function score(fraction: number): string {
  return one.format(fraction * 100);
}

export function value(v: number | null | undefined, unit: Unit): string {
  if (v === null || v === undefined || !Number.isFinite(v)) return NONE;
  switch (unit) {
    case 'MS':
      return duration(v);
    case 'SCORE':
      return score(v);
    case 'FRACTION':
      return percent(v);
    case 'PER_MINUTE':
      return `${two.format(v)} /min`;
    case 'BITS_PER_SECOND':
      return bitrate(v);
    case 'NUMBER':
      return Math.abs(v) >= 100_000 ? compactNumber.format(v) : number(v);
  }
}

// For people who read the numbers aloud or point at them: all digits.
export function exact(v: number | null | undefined): string {
  return v === null || v === undefined ? '' : new Intl.NumberFormat(undefined, { maximumFractionDigits: 6 }).format(v);
}

export function words(id: string): string {
  const text = id.replace(/_/g, ' ');
  const fixed = text.replace(/\b(cdn|asn|drm|fps|id|url|ad|os)\b/g, w =>
    w === 'ad' ? 'ad' : w === 'id' || w === 'fps' ? w : w.toUpperCase(),
  );
  return fixed.charAt(0).toUpperCase() + fixed.slice(1);
}
