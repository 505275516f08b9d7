// SPDX-License-Identifier: Apache-2.0
// make bench: each figure beside a reference measured in the same run. Numbers are of this machine; ratios travel better.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { BUILD, PROGRAM, ROOT, Server, sleep, until } from '../lib/server.mjs';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 8), VIEWS = Number(process.env.BENCH_VIEWS ?? 2_000_000);
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const cpuSeconds = pid => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
};
const only = process.argv[2];
const wanted = name => !only || only === name;

function wrk(port, connections, key) {
  const out = execFileSync('wrk', ['-t2', `-c${connections}`, `-d${SECONDS}s`, '-s', path.join(ROOT, 'tests/bench/beacons.lua'),
    `http://127.0.0.1:${port}/`], { encoding: 'utf8', env: { ...process.env, ENV_KEY: key } });
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(out);
  return { requests: Number(/(\d+) requests in/.exec(out)[1]), perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(out)[1]), refused: bad ? Number(bad[1]) : 0 };
}

async function ingest() {
  console.log(`\n# Durable ingest: POSTs of 1.2 KB with 4 events, keep-alive, ${SECONDS} s each; the load generator shares the machine`);
  for (const connections of [256, 1000]) {
    const discard = spawn(path.join(BUILD, 'bench/discard'), { stdio: ['ignore', 'pipe', 'inherit'] });
    const port = await new Promise(resolve => discard.stdout.once('data', text => resolve(Number(/\d+/.exec(text)[0]))));
    const before = cpuSeconds(discard.pid), reference = wrk(port, connections, 'x'.repeat(20));
    const referenceCpu = (cpuSeconds(discard.pid) - before) / reference.requests * 1e6;
    discard.kill('SIGTERM');
    const server = await new Server({ serve: ['--log-level', 'error'] }).start();
    const from = cpuSeconds(server.child.pid), durable = wrk(server.port, connections, server.env_key);
    const toAck = (cpuSeconds(server.child.pid) - from) / durable.requests * 1e6;
    console.log(`${connections} connections: discarding ${Math.round(reference.perSecond)}/s ${referenceCpu.toFixed(1)} us; durable and folded ` +
      `${Math.round(durable.perSecond)}/s ${toAck.toFixed(1)} us (503: ${durable.refused}); ratios ${(durable.perSecond / reference.perSecond).toFixed(2)} of the requests, ` +
      `${(toAck / referenceCpu).toFixed(2)} times the processor time`);
    await server.kill('SIGKILL');
    await server.stop();
  }
}

// A statement straight to the engine's socket, and how long it took.
function engine(server, sql) {
  return new Promise((resolve, reject) => {
    const socketPath = fs.readdirSync(path.join(server.data, 'engine')).filter(name => name.endsWith('.sock')).map(name => path.join(server.data, 'engine', name))[0];
    const from = performance.now();
    const request = http.request({ socketPath, method: 'POST', path: '/?default_format=RowBinary' }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(Buffer.concat(parts).toString()));
        else resolve({ body: Buffer.concat(parts), ms: performance.now() - from });
      });
    });
    request.on('error', reject);
    request.end(sql);
  });
}
const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const p95 = values => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * 0.95))];

async function questions() {
  console.log(`\n# Questions on ${VIEWS.toLocaleString('en')} views: the API call beside the best hand-written SQL straight to the engine (medians of 15)`);
  const server = await new Server({ init: ['--allow-backfill'], serve: ['--log-level', 'error'] }).start();
  const seeds = 20_000;
  execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(seeds), '--days-back', '7', '--median-seconds', '20'], { stdio: 'ignore' });
  await until('the views', async () => (await server.json('/data/v1/metrics/views/overall?timeframe[]=10:days')).data.value >= seeds, { seconds: 120 });
  const columns = (await engine(server, "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND name NOT LIKE 'event%' FORMAT TSV")).body.toString().trim().split('\n');
  const replaced = columns.map(name => name === 'id_lo' ? 'id_lo + number + 1' : name === 'view_end' ? 'view_end + toInt64(cityHash64(id_lo, number) % 600000)' : name === 'video_startup_time' ? 'video_startup_time + toInt32(cityHash64(number, id_lo) % 300)' : name);
  await engine(server, `CREATE TABLE firstframe.bench_seed ENGINE = MergeTree ORDER BY tuple() AS SELECT ${columns.join(',')} FROM firstframe.views`);
  for (let copy = 0, copies = VIEWS / seeds - 1; copy < copies; copy += 10)
    await engine(server, `INSERT INTO firstframe.views (${columns.join(',')}) SELECT ${replaced.join(',')} FROM firstframe.bench_seed ` +
      `CROSS JOIN (SELECT number FROM numbers(${copy}, ${Math.min(10, copies - copy)})) AS copies SETTINGS max_partitions_per_insert_block = 1000`);
  await engine(server, 'DROP TABLE firstframe.bench_seed');
  const end = Math.floor(Date.now() / 1000), start = end - 7 * 86400;
  const window = `timeframe[]=${start}&timeframe[]=${end}`;
  const from = Math.floor(start / 3600) * 3600e3, to = Math.ceil(end / 3600) * 3600e3;
  const where = `environment_id = '${server.environment_id}' AND view_end >= ${from} AND view_end < ${to}`;
  const rows = [
    ['timeseries, median startup', `/data/v1/metrics/video_startup_time/timeseries?${window}`, `SELECT intDiv(view_end, 3600000) AS k, count(), quantileExactInclusive(0.5)(video_startup_time) FROM firstframe.views WHERE ${where} AND video_startup_time IS NOT NULL GROUP BY k ORDER BY k`],
    ['timeseries, 95th startup', `/data/v1/metrics/video_startup_time/timeseries?${window}&measurement=95th`, `SELECT intDiv(view_end, 3600000) AS k, count(), quantileExactInclusive(0.95)(video_startup_time) FROM firstframe.views WHERE ${where} AND video_startup_time IS NOT NULL GROUP BY k ORDER BY k`],
    ['overall, failures', `/data/v1/metrics/playback_failure_percentage/overall?${window}`, `SELECT count(), avg(playback_failure), sum(watch_time), sum(view_playing_time) FROM firstframe.views WHERE ${where}`],
    ['breakdown by country, median', `/data/v1/metrics/video_startup_time/breakdown?group_by=country&${window}`, `SELECT country, count(), quantileExactInclusive(0.5)(video_startup_time), sum(watch_time), sum(view_playing_time) FROM firstframe.views WHERE ${where} AND video_startup_time IS NOT NULL GROUP BY country WITH TOTALS`],
    ['comparison', `/data/v1/metrics/comparison?${window}`, null],
    ['insights', `/data/v1/metrics/video_startup_time/insights?${window}`, null],
    ['video-views', `/data/v1/video-views?${window}`, `SELECT id_hi, id_lo, view_start, view_end, video_title, browser, operating_system, country, player_error_code, player_error_message, error_type_id, watch_time, viewer_experience_score, playback_failure FROM firstframe.views WHERE ${where} ORDER BY view_end DESC LIMIT 25`],
    ['errors', `/data/v1/errors?${window}`, `SELECT error_type_id, count(), max(error_last_seen), any(player_error_code), any(player_error_message) FROM firstframe.views WHERE ${where} GROUP BY error_type_id`],
  ];
  const id = (await server.json(`/data/v1/video-views?${window}&limit=1`)).data[0].id;
  rows.push(['one view', '/data/v1/video-views/' + id, null]);
  console.log(`${(await server.json(`/data/v1/metrics/views/overall?timeframe[]=10:days`)).data.value.toLocaleString('en')} views are in the store`);
  for (const [name, route, sql] of rows) {
    const api = [], direct = [];
    for (let i = 0; i < 16; i++) {
      const at = performance.now();
      const response = await server.get(route, { 'cache-control': 'no-cache' });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      if (i) api.push(performance.now() - at);
      if (sql) { const { ms } = await engine(server, sql); if (i) direct.push(ms); }
    }
    const reference = sql ? `; SQL ${median(direct).toFixed(1)} ms; ratio ${(median(api) / median(direct)).toFixed(2)} (difference ${(median(api) - median(direct)).toFixed(1)} ms)` : '';
    console.log(`${name}: p50 ${median(api).toFixed(1)} ms, p95 ${p95(api).toFixed(1)} ms${reference}`);
  }
  await server.stop();
}

if (wanted('ingest')) await ingest();
if (wanted('questions')) await questions();
await sleep(0);
