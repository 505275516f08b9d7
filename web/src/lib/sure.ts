// SPDX-License-Identifier: Apache-2.0
// How sure a difference between two populations is: 95 % intervals of each value, and of their difference from those
// two. docs/compare.md describes the methods and names the sources.
const Z = 1.959963984540054;

export type Interval = [low: number, high: number];

// A share of views: Wilson's score interval. Good for small counts and shares near 0.
export function wilson(p: number, n: number): Interval | null {
  if (!(n > 0)) return null;
  const z2 = Z * Z,
    middle = (p + z2 / (2 * n)) / (1 + z2 / n),
    half = (Z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export const FEWEST_FOR_A_MEAN = 30;

// A mean of n values with the standard deviation s (of the values as they are): normal, so for not too few of them.
export function ofMean(mean: number, s: number, n: number): Interval | null {
  if (n < FEWEST_FOR_A_MEAN) return null;
  const half = (Z * s) / Math.sqrt(n - 1);
  return [mean - half, mean + half];
}

// The two shares of the values between which a quantile of n values lies: the order statistics around its rank, by the
// normal approximation of the binomial. Null where one of them would lie beyond the smallest or largest value.
export function quantileRanks(q: number, n: number): Interval | null {
  if (!(n > 1)) return null;
  const half = Z * Math.sqrt((q * (1 - q)) / n);
  return q - half > 0 && q + half < 1 ? [q - half, q + half] : null;
}

// Of b minus a, from the intervals of both: each side adds the nearer halves as variances. With Wilson's intervals this
// is Newcombe's method 10.
export function ofDifference(a: number, of_a: Interval | null, b: number, of_b: Interval | null): Interval | null {
  if (!of_a || !of_b) return null;
  const [la, ua] = of_a,
    [lb, ub] = of_b,
    d = b - a;
  return [d - Math.hypot(b - lb, ua - a), d + Math.hypot(ub - b, a - la)];
}
