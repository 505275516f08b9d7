// SPDX-License-Identifier: Apache-2.0
// How sure a difference between two shares is: Newcombe's hybrid score interval ("method 10" in Statistics in Medicine
// 17, 1998, 873-890), from the Wilson intervals of both shares at 95 %. Good for small counts and shares near 0.
const Z = 1.959963984540054;

export function wilson(p: number, n: number): [number, number] {
  const z2 = Z * Z,
    middle = (p + z2 / (2 * n)) / (1 + z2 / n),
    half = (Z / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

// Of b minus a.
export function differenceInterval(a: number, na: number, b: number, nb: number): [number, number] | null {
  if (!(na > 0) || !(nb > 0)) return null;
  const [la, ua] = wilson(a, na),
    [lb, ub] = wilson(b, nb),
    d = b - a;
  return [d - Math.hypot(b - lb, ua - a), d + Math.hypot(ub - b, a - la)];
}
