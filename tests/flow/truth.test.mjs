// SPDX-License-Identifier: Apache-2.0
// 2,000 simulated views against the API: every count and every percentile equals what this file computes from the truth.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PROGRAM, Server, until } from '../lib/server.mjs';

const VIEWS = Number(process.env.FIRSTFRAME_TRUTH_VIEWS ?? 2000);
let server, truth, now;

const percentile = (values, q) => {
  const x = [...values].sort((a, b) => a - b), h = q * (x.length - 1), low = Math.floor(h);
  return x[low] + (h - low) * (x[Math.min(low + 1, x.length - 1)] - x[low]);
};
const close = (a, b, what) => {
  if (a === null || b === null) return assert.equal(a, b, what);
  assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} against ${b}`);
};

before(async () => {
  server = await new Server({ init: ['--allow-backfill'] }).start();
  const file = path.join(server.data, 'truth.jsonl');
  execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(VIEWS), '--seed', '7',
    '--days-back', '3', '--truth', file], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 600_000 });
  truth = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));
  now = Math.floor(Date.now() / 1000);
  await until('all views to be stored', async () => {
    const stored = (await server.json(`/data/v1/metrics/playback_failure_percentage/overall?timeframe[]=${now - 10 * 86400}&timeframe[]=${now + 86400}`)).data.total_views;
    return stored >= truth.length;
  }, { seconds: 120, every: 500 });
});
after(() => server?.stop());

const window = () => `timeframe[]=${now - 5 * 86400}&timeframe[]=${now + 86400}`;
const overall = (metric, measurement, extra = '') =>
  server.json(`/data/v1/metrics/${metric}/overall?${window()}&measurement=${measurement}${extra}`).then(answer => answer.data);

test('none missing, none twice', async () => {
  const views = await overall('views', 'count');
  assert.equal(views.value, truth.length);
  const ids = new Set();
  for (let page = 1; ; page++) {
    const list = (await server.json(`/data/v1/video-views?${window()}&limit=1000&page=${page}`)).data;
    if (list.length === 0) break;
    for (const row of list) ids.add(row.id);
  }
  assert.equal(ids.size, truth.length);
});

test('startup time: count, average, median and 95th, overall and by title', async () => {
  const rows = truth.filter(view => view.time_to_first_frame !== null && view.time_to_first_frame !== undefined);
  const values = rows.map(view => view.time_to_first_frame);
  close((await overall('video_startup_time', 'count')).value, values.length, 'count');
  close((await overall('video_startup_time', 'median')).value, percentile(values, 0.5), 'median');
  close((await overall('video_startup_time', '95th')).value, percentile(values, 0.95), '95th');
  close((await overall('video_startup_time', 'avg')).value, values.reduce((a, b) => a + b) / values.length, 'avg');
  const groups = Map.groupBy(rows, view => view.video_title ?? null);
  const breakdown = (await server.json(`/data/v1/metrics/video_startup_time/breakdown?${window()}&group_by=video_title&limit=1000`)).data;
  assert.equal(breakdown.length, groups.size);
  for (const row of breakdown) {
    const group = groups.get(row.field);
    assert.ok(group, `title ${row.field}`);
    assert.equal(row.views, group.length);
    close(row.value, percentile(group.map(view => view.time_to_first_frame), 0.5), `median of ${row.field}`);
  }
});

test('playback failures: share of all views, and filtered', async () => {
  const failed = truth.filter(view => view.playback_failure).length;
  close((await overall('playback_failure_percentage', 'avg')).value, failed / truth.length, 'share');
  close((await overall('playback_failure_percentage', 'sum')).value, failed, 'sum');
  const title = truth.find(view => view.video_title).video_title;
  const of = truth.filter(view => view.video_title === title);
  close((await overall('playback_failure_percentage', 'avg', '&filters[]=' + encodeURIComponent('video_title:' + title))).value,
    of.filter(view => view.playback_failure).length / of.length, 'share of one title');
});

test('timeseries: every hour has the views of that hour', async () => {
  const series = (await server.json(`/data/v1/metrics/video_startup_time/timeseries?${window()}&group_by=hour&measurement=95th`)).data;
  const groups = Map.groupBy(truth.filter(view => view.time_to_first_frame != null), view => Math.floor(view.view_end_ms / 3_600_000));
  assert.equal(series.reduce((sum, row) => sum + row[2], 0), [...groups.values()].reduce((sum, group) => sum + group.length, 0));
  for (const [when, value, views] of series) {
    const group = groups.get(Date.parse(when) / 3_600_000) ?? [];
    assert.equal(views, group.length, when);
    close(value, group.length ? percentile(group.map(view => view.time_to_first_frame), 0.95) : null, when);
  }
});
