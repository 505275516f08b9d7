// SPDX-License-Identifier: Apache-2.0
// Dimensions of very many values: one a view. The views are made inside the store, past the collector, which would take
// minutes; what is asked is how the API answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server } from '../lib/server.mjs';
import { execute } from '../lib/store.mjs';

const VIEWS = 300_000, LONG = 40_000, URL_BYTES = 1500;
let server, window;

before(async () => {
  server = await new Server().start();
  const now = Date.now();
  window = `timeframe[]=${Math.floor(now / 1000) - 86400}&timeframe[]=${Math.floor(now / 1000) + 3600}`;
  // Every view has a session and a custom_1 of its own, but for three, which share one custom_1 and fail; some have a long page_url.
  await execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_session_id, view_id, custom_1, playback_failure, page_url)
    SELECT '${server.environment_id}', 1, number, 1, 1, ${now - 120_000}, ${now - 60_000}, concat('session-', toString(number)), concat('view-', toString(number)),
    if(number < 3, 'three of a kind', concat('user-', toString(number))), toUInt8(number < 10), if(number < ${LONG}, concat('https://example.com/', toString(number), repeat('x', ${URL_BYTES})), NULL) FROM numbers(${VIEWS})`);
});
after(() => server?.stop());

test('a breakdown ranks and counts all values', async () => {
  const { data, total_row_count: total } = await server.json(`/data/v1/metrics/playback_failure_percentage/breakdown?group_by=view_session_id&limit=1000&${window}`);
  assert.equal(total, VIEWS);
  assert.equal(data.length, 1000);
  assert.deepEqual(data.map(row => row.negative_impact), data.map((_, i) => i + 1));
  assert.deepEqual(data.filter(row => row.value === 1).map(row => row.field).sort(), Array.from({ length: 10 }, (_, i) => `session-${i}`));
});

test('values of a dimension come whole, long ones too', async () => {
  for (const route of ['dimensions', 'filters']) {
    const { data, total_row_count: total } = await server.json(`/data/v1/${route}/view_session_id?limit=1000&page=300&${window}`);
    assert.equal(total, VIEWS, route);
    assert.equal(data.length, 1000);
    assert.ok(data.every(row => /^session-\d+$/.test(row.value)), JSON.stringify(data[0]));
  }
  const seen = new Set();
  for (let page = 1; page <= LONG / 1000 + 1; page++)
    for (const { value, total_count: count } of (await server.json(`/data/v1/dimensions/page_url?limit=1000&page=${page}&${window}`)).data) {
      assert.equal(count, value === null ? VIEWS - LONG : 1);
      if (value !== null) assert.equal(value.length - URL_BYTES, /\d+/.exec(value)[0].length + 'https://example.com/'.length);
      seen.add(value);
    }
  assert.equal(seen.size, LONG + 1);
});

test('insights leave out what is too small to explain anything', async () => {
  const { data } = await server.json(`/data/v1/metrics/playback_failure_percentage/insights?${window}`);
  // Three of 300,000 views are the least.
  const of = data.filter(row => row.filter_column === 'custom_1');
  assert.deepEqual(of.map(row => [row.filter_value, row.total_views, row.metric]), [['three of a kind', 3, 1]]);
});

test('what is too much for one answer is said, and is no fault of the store', async () => {
  await execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_session_id)
    SELECT '${server.environment_id}', 2, number, 1, 1, ${Date.now() - 120_000}, ${Date.now() - 60_000}, concat('another-', toString(number)) FROM numbers(2000000)`);
  const response = await server.get(`/data/v1/metrics/views/breakdown?group_by=view_session_id&${window}&limit=7`), body = await response.json();
  assert.equal(response.status, 400);
  assert.match(body.error.messages[0], /needs more memory/);
  assert.equal((await server.get(`/data/v1/metrics/views/overall?${window}`)).status, 200);
});
