// SPDX-License-Identifier: Apache-2.0
// The intervals of a comparison: published examples, and how often they hold the truth of invented populations.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ofDifference, ofMean, quantileRanks, wilson } from '../../web/src/lib/sure.ts';

test('differences of shares are those of Newcombe 1998, table II, method 10', () => {
  for (const [a, n, b, m, low, high] of [
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 20, -0.1611, 0.2775],
    [0, 10, 0, 10, -0.2775, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
    [10, 10, 0, 10, 0.6075, 1],
  ]) {
    const d = ofDifference(b / m, wilson(b / m, m), a / n, wilson(a / n, n));
    assert.deepEqual(
      d.map(x => Math.round(x * 1e4) / 1e4),
      [low, high],
      `${a}/${n} - ${b}/${m}`,
    );
  }
  assert.equal(ofDifference(0.5, wilson(0.5, 0), 0.5, wilson(0.5, 10)), null);
});

// A small generator with a seed: the same populations in every run.
function random(seed) {
  let s = seed;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return (s + 0.5) / 2 ** 32;
  };
}

// Startup times of a kind: a lognormal with a tail to the right.
function times(n, next, scale) {
  return Array.from({ length: n }, () => {
    const normal = Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
    return scale * Math.exp(0.6 * normal);
  });
}
const percentile = (sorted, q) => {
  const h = (sorted.length - 1) * q,
    low = Math.floor(h);
  return sorted[low] + (h - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
};

test('intervals of medians, 95th percentiles and means hold the true difference about 95 times of 100', () => {
  const next = random(5),
    rounds = 1500,
    z95 = 1.6448536269514722;
  const hits = { median: 0, p95: 0, mean: 0 };
  for (let i = 0; i < rounds; i++) {
    const [a, b] = [times(200, next, 500), times(300, next, 450)].map(v => v.sort((x, y) => x - y));
    const quantile = (v, q) => quantileRanks(q, v.length).map(r => percentile(v, r));
    const mean = v => v.reduce((s, x) => s + x, 0) / v.length;
    const deviation = v => Math.sqrt(v.reduce((s, x) => s + (x - mean(v)) ** 2, 0) / v.length);
    const holds = (d, truth) => d[0] <= truth && truth <= d[1];
    for (const [name, q, factor] of [
      ['median', 0.5, 1],
      ['p95', 0.95, Math.exp(0.6 * z95)],
    ])
      if (holds(ofDifference(percentile(a, q), quantile(a, q), percentile(b, q), quantile(b, q)), -50 * factor))
        hits[name]++;
    const of = v => ofMean(mean(v), deviation(v), v.length);
    if (holds(ofDifference(mean(a), of(a), mean(b), of(b)), -50 * Math.exp(0.18))) hits.mean++;
  }
  for (const [name, n] of Object.entries(hits))
    assert.ok(n / rounds > 0.93 && n / rounds < 0.98, `${name}: ${n / rounds}`);
});

test('where there are too few values there is no interval', () => {
  assert.equal(quantileRanks(0.95, 60), null);
  assert.equal(quantileRanks(0.5, 2), null);
  assert.equal(ofMean(1, 1, 29), null);
  assert.equal(wilson(0, 0), null);
  assert.deepEqual(
    wilson(0, 10).map(x => Math.round(x * 1e4) / 1e4),
    [0, 0.2775],
  );
});
