// SPDX-License-Identifier: Apache-2.0
// Simulated views with every fault there is: every field of every view equals the truth file, where the beacons that
// arrived determine it; none is missing and none is there twice. FIRSTFRAME_FIELD_VIEWS says how many (1,000).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { PROGRAM, until, withServer } from '../lib/server.mjs';

const VIEWS = Number(process.env.FIRSTFRAME_FIELD_VIEWS ?? 1000), READERS = 8;
// What the truth says beyond the API's view detail.
const NOT_SHOWN = new Set(['view_start_ms', 'view_end_ms', 'skewed', 'simulated_country', 'beacons_sent', 'faults', 'events',
  'aggregate_startup_time', 'playback_business_exception', 'video_startup_business_exception', 'ad_playback_failure',
  'content_playback_failure', 'view_content_playing_time', 'ad_playing_time']);
const agent = new http.Agent({ keepAlive: true, maxSockets: READERS });

function get(server, route) {
  return new Promise((resolve, reject) => {
    http.get(server.url + route, { agent, headers: { authorization: server.basic } }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, body: Buffer.concat(parts).toString() }));
    }).on('error', reject);
  });
}

// A number may be written as text; absolute times of a skewed clock are right within 2 s.
function same(key, want, got, skewed) {
  if (want === null || got === null) return (want ?? '') === (got ?? '');
  if (typeof want === 'number') return Math.abs(Number(got) - want) <= 1e-9 * Math.max(1, Math.abs(want));
  if (skewed && (key === 'view_start' || key === 'view_end')) return Math.abs(Date.parse(want) - Date.parse(got)) <= 2000;
  return JSON.stringify(want) === JSON.stringify(got);
}

for (const [name, init, simulate] of [
  ['now, with skewed clocks', [], ['--faults', 'duplicate=0.1,reorder=0.1,lose=0.05,skew=0.05']],
  ['backfilled', ['--allow-backfill'], ['--days-back', '2', '--faults', 'duplicate=0.1,reorder=0.1,lose=0.05']],
]) {
  test(`${VIEWS} views, ${name}`, { timeout: 3_600_000 }, () => withServer({ init,
    serve: ['--view-visible-after', '3', '--view-final-after', '8'] }, async server => {
    const file = path.join(server.data, 'truth.jsonl');
    execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(VIEWS), '--seed', '3', '--truth', file,
      ...simulate], { stdio: ['ignore', 'ignore', 'inherit'], timeout: 1_800_000 });
    const truth = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));
    const now = Math.floor(Date.now() / 1000), window = `timeframe[]=${now - 5 * 86400}&timeframe[]=${now + 86400}`;
    // view_dropped has a value only for final views.
    const final = async () => (await server.json(`/data/v1/metrics/view_dropped_percentage/overall?${window}`)).data.total_views;
    await until('every view to be final', async () => await final() >= truth.length, { seconds: 300, every: 1000 });
    assert.equal(await final(), truth.length);

    const differences = new Map();
    let fields = 0;
    const queue = truth.values();
    await Promise.all(Array.from({ length: READERS }, async () => {
      for (const view of queue) {
        const { status, body } = await get(server, '/data/v1/video-views/' + view.view_id);
        assert.equal(status, 200, view.view_id);
        const detail = JSON.parse(body).data;
        for (const [key, want] of Object.entries(view)) {
          if (NOT_SHOWN.has(key)) continue;
          assert.ok(key in detail, `the detail has no ${key}`);
          fields++;
          if (same(key, want, detail[key], view.skewed)) continue;
          if (!differences.has(key)) differences.set(key, []);
          differences.get(key).push({ view: view.view_id, want, got: detail[key] });
        }
      }
    }));
    console.log(`# ${truth.length} views, ${fields} fields compared`);
    assert.deepEqual([...differences].map(([key, list]) => ({ key, count: list.length, first: list[0] })), []);
  }));
}
