// SPDX-License-Identifier: Apache-2.0
// tests/api/metrics.test.mjs on 50,000 views, with every metric by every dimension.
process.env.FIRSTFRAME_API_VIEWS ??= '50000';
process.env.FIRSTFRAME_LONG = '1';
await import('../api/metrics.test.mjs');
