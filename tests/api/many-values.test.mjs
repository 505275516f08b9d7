// SPDX-License-Identifier: Apache-2.0
// Dimensions of very many values: one a view. The views are made inside the store, past the collector, which would take
// minutes; what is asked is how the API answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Server, until } from '../lib/server.mjs';
import { execute, select } from '../lib/store.mjs';

const VIEWS = 300_000, LONG = 40_000, URL_BYTES = 1500;
let server, window;

before(async () => {
  server = await new Server().start();
  const now = Date.now();
  window = `timeframe[]=${Math.floor(now / 1000) - 5 * 86400}&timeframe[]=${Math.floor(now / 1000) + 3600}`;
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

// Nothing that insights met before may keep them from finding what came since.
test('insights find values that came after they were first asked for', async () => {
  let asked = 0; // always another window, as nothing tells the server that views came past it
  const insights = async () => (await server.json(`/data/v1/metrics/playback_failure_percentage/insights?${window.replace(/\d+$/, end => Number(end) + 3600 * asked++)}`)).data
    .filter(row => ['cdn', 'browser', 'video_title', 'player_remote_played'].includes(row.filter_column))
    .map(row => [row.filter_column, row.filter_value, row.total_views, row.metric, row.total_watch_time]).sort();
  const insert = (id, n, cdn, title) => execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_id, cdn, browser, video_title, player_remote_played, playback_failure, watch_time)
    SELECT '${server.environment_id}', ${id}, number, 1, 1, ${Date.now() - 120_000} - number % 4 * 86400000, ${Date.now() - 60_000} - number % 4 * 86400000, concat('view-${id}-', toString(number)), ${cdn}, 'Chrome', ${title}, if(number % 3 = 0, NULL, number % 3 - 1), 1, 10 FROM numbers(${n})`);
  const remote = n => [['player_remote_played', 'false', n, 1, n * 10], ['player_remote_played', 'true', n, 1, n * 10]];
  assert.deepEqual(await insights(), []);
  await insert(10, 30, "'one'", 'NULL');
  const first = [['browser', 'Chrome', 30, 1, 300], ['cdn', 'one', 30, 1, 300], ...remote(10)];
  assert.deepEqual(await insights(), first);
  await insert(11, 60, "if(number < 45, 'two', '')", "'it''s \\\\ new'");
  const second = [['browser', 'Chrome', 90, 1, 900], ['cdn', '', 15, 1, 150], ['cdn', 'one', 30, 1, 300], ['cdn', 'two', 45, 1, 450], ...remote(30), ['video_title', "it's \\ new", 60, 1, 600]];
  assert.deepEqual(await insights(), second);
  // More values than a byte has.
  await insert(12, 600, "concat('cdn-', toString(number % 20))", "concat('title-', toString(number % 300))");
  const third = [...second.filter(row => !['browser', 'player_remote_played'].includes(row[0])), ['browser', 'Chrome', 690, 1, 6900], ...remote(230),
    ...Array.from({ length: 20 }, (_, i) => ['cdn', `cdn-${i}`, 30, 1, 300])];
  for (const rows of [...await Promise.all([insights(), insights()]), await insights()])
    assert.deepEqual(rows.filter(row => row[0] !== 'video_title'), third.filter(row => row[0] !== 'video_title').sort());
  // Titles alone, of the newest views only, so that they are among the hundred.
  const titles = (await server.json(`/data/v1/metrics/playback_failure_percentage/insights?${window}&filters[]=cdn:cdn-7&filters[]=video_title:title-7`)).data
    .filter(row => row.filter_column === 'video_title');
  assert.deepEqual(titles.map(row => [row.filter_value, row.total_views]), [['title-7', 2]]);
});

// Ranges are held while the length of the content is not known, up to 64 MB of them; these are 80 MB, and are read twice.
test('a heatmap of more ranges than can be held', async () => {
  const views = 250, ranges = 20_000;
  await execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_id, video_id, range_start, range_end)
    SELECT '${server.environment_id}', 20, number, 1, 1, ${Date.now() - 120_000}, ${Date.now() - 60_000}, concat('ranged-', toString(number)), 'long',
    arrayMap(i -> i * 1000, range(${ranges})), arrayMap(i -> i * 1000 + if(number < 50, 300, 700), range(${ranges})) FROM numbers(${views})`);
  const { data } = await server.json(`/data/v1/engagement/videos/long/heatmap?${window}`), length = (ranges - 1) * 1000 + 700;
  assert.equal(data.total_views, views);
  assert.deepEqual(data.value, Array.from({ length: 1000 }, (_, i) => {
    const middle = (i + 0.5) * length / 1000 % 1000;
    return middle < 300 ? 1 : middle < 700 ? 0.8 : 0;
  }));
});

test('what is too much for one answer is said, and is no fault of the store', async () => {
  await execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_session_id)
    SELECT '${server.environment_id}', 2, number, 1, 1, ${Date.now() - 120_000} - number * 100, ${Date.now() - 60_000} - number * 100, concat('another-', toString(number)) FROM numbers(2000000)`);
  const response = await server.get(`/data/v1/metrics/views/breakdown?group_by=view_session_id&${window}&limit=7`), body = await response.json();
  assert.equal(response.status, 400);
  assert.match(body.error.messages[0], /needs more memory/);
  assert.equal((await server.get(`/data/v1/metrics/views/overall?${window}`)).status, 200);
});

// Views of a custom_1 of their own are too many combinations to be counted, which is met once and remembered:
// from then on the store groups by what is in the same profile.
test('insights of one of very many views first, and then of all', async () => {
  let asked = 100; // always another window, as nothing tells the server that views came past it
  const insights = async filter => (await server.json(`/data/v1/metrics/playback_failure_percentage/insights?${window.replace(/\d+$/, end => Number(end) + 3600 * asked++)}${filter}`)).data
    .map(row => [row.filter_column, row.filter_value, row.total_views]).filter(([column]) => ['cdn', 'custom_1', 'custom_2'].includes(column)).sort();
  const number = async sql => { for await (const row of select(server, sql)) return row.value; };
  const rowsRead = () => number("SELECT value FROM system.events WHERE event = 'SelectedRows'");
  const views = await number('SELECT toInt64(count()) AS value FROM firstframe.views');
  await server.kill('SIGTERM');
  await server.start();
  const before = await rowsRead();
  assert.deepEqual(await insights('&filters[]=view_session_id:session-1'), [['custom_1', 'three of a kind', 1]]);
  // All are looked at once, to send those that match.
  const one = await rowsRead() - before;
  assert.ok(one < 1.5 * views, `${one} rows read of ${views} views`);
  const cdns = rows => rows.filter(([column, value]) => column === 'cdn' && !value.startsWith('cdn-'));
  const whole = [['cdn', 'one', 30], ['cdn', 'two', 45]];
  assert.deepEqual(cdns(await insights('')), whole);
  const [first, then] = [await rowsRead(), await insights('')];
  assert.deepEqual(cdns(then), whole);
  const again = await rowsRead() - first;
  assert.ok(again < 2.1 * views, `${again} rows read of ${views} views: the profile was tried again`);
  await execute(server, `INSERT INTO firstframe.views (environment_id, id_hi, id_lo, final, version, view_start, view_end, view_id, playback_failure, cdn, custom_2)
    SELECT '${server.environment_id}', 3, number, 1, 1, ${Date.now() - 120_000}, ${Date.now() - 60_000}, concat('third-', toString(number)), 1, if(number < 100, 'three', NULL), if(number < 200, 'many', concat('value-', toString(number))) FROM numbers(2000000)`);
  for (const counted of [4, 5]) {
    assert.deepEqual(await insights(''), [['cdn', 'three', 100], ['cdn', 'two', 45], ['custom_2', 'many', 200]]);
    assert.match(await (await server.get('/metrics')).text(), new RegExp(`^firstframe_insights_counted_total ${counted}$`, 'm'));
  }
});

// A store of a program that knew no profiles: they are made in the background, and insights do without meanwhile.
test('insights of a store that has no profiles yet', async () => {
  let asked = 200;
  const insights = async () => (await server.json(`/data/v1/metrics/playback_failure_percentage/insights?${window.replace(/\d+$/, end => Number(end) + 3600 * asked++)}`)).data
    .filter(row => row.filter_column !== 'custom_1').map(row => [row.filter_column, row.filter_value, row.total_views, row.metric]);
  const counted = async () => Number(/^firstframe_insights_counted_total (\d+)$/m.exec(await (await server.get('/metrics')).text())[1]);
  const expected = await insights();
  assert.ok(expected.some(row => row[1] === 'three'), JSON.stringify(expected));
  const columns = [];
  for await (const row of select(server, "SELECT name FROM system.columns WHERE table = 'views' AND name LIKE 'profile_%'")) columns.push(row.name);
  assert.equal(columns.length, 13);
  await execute(server, `ALTER TABLE firstframe.views ${columns.map(name => `DROP COLUMN ${name}`).join(', ')}`);
  await execute(server, 'ALTER TABLE firstframe.migrations DELETE WHERE number = 6 SETTINGS mutations_sync = 1');
  await server.kill('SIGTERM');
  await server.start();
  assert.deepEqual(await insights(), expected);
  await until('insights to be counted', async () => {
    assert.deepEqual(await insights(), expected);
    return await counted() > 0;
  }, { seconds: 120, every: 1000 });
});
