// SPDX-License-Identifier: Apache-2.0
// make bench: each figure beside a reference measured in the same run. Numbers are of this machine; ratios travel better.
// bench.mjs [memory|ingest|questions]; BENCH_SECONDS, BENCH_VIEWS, BENCH_SEEDS, BENCH_OPEN_VIEWS and BENCH_ROUNDS change the sizes.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { BUILD, PROGRAM, ROOT, Server, sleep, until } from '../lib/server.mjs';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 8), VIEWS = Number(process.env.BENCH_VIEWS ?? 2_000_000), ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15);
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

// Processor seconds of a process's threads by their name: http, journal, views, store, ...
function cpuByThread(pid) {
  const sums = {};
  for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
    const name = fs.readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8').trim();
    sums[name] = (sums[name] ?? 0) + cpuSeconds(`${pid}/task/${task}`);
  }
  return sums;
}
const machine = () => `${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)}`;

async function discarding(connections) {
  const discard = spawn(path.join(BUILD, 'bench/discard'), { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise(resolve => discard.stdout.once('data', text => resolve(Number(/\d+/.exec(text)[0]))));
  const before = cpuSeconds(discard.pid), run = wrk(port, connections, 'x'.repeat(20));
  const us = (cpuSeconds(discard.pid) - before) / run.requests * 1e6;
  discard.kill('SIGTERM');
  return { ...run, us };
}

async function durable(connections) {
  const server = await new Server({ serve: ['--log-level', 'error'] }).start();
  const pid = server.child.pid, engine = server.enginePid();
  const before = cpuByThread(pid), whole = cpuSeconds(pid), stored = cpuSeconds(engine);
  const run = wrk(server.port, connections, server.env_key), after = cpuByThread(pid);
  const us = seconds => seconds / run.requests * 1e6, part = name => us((after[name] ?? 0) - (before[name] ?? 0));
  const result = { ...run, acknowledged: part('http') + part('journal'), whole: us(cpuSeconds(pid) - whole), engine: us(cpuSeconds(engine) - stored) };
  await server.kill('SIGKILL');
  await until('the engine to end', () => !fs.existsSync(`/proc/${engine}`));
  await server.stop();
  return result;
}

async function ingest() {
  console.log(`\n# Durable ingest: POSTs of 1.2 KB with 4 events, keep-alive, ${SECONDS} s each; the load generator shares the machine (${machine()})`);
  for (const connections of [256, 1000]) {
    const a = await discarding(connections), b = await durable(connections), c = await discarding(connections);
    const perSecond = (a.perSecond + c.perSecond) / 2, us = (a.us + c.us) / 2;
    console.log(`${connections} connections: discarding ${Math.round(perSecond)}/s, ${us.toFixed(1)} us of processor a request; durable ${Math.round(b.perSecond)}/s ` +
      `(503: ${b.refused}), ${b.acknowledged.toFixed(1)} us up to the acknowledgement, ${b.whole.toFixed(1)} us with folding and storing, and ${b.engine.toFixed(1)} us in the engine`);
    console.log(`  ratios: ${(b.perSecond / perSecond).toFixed(2)} of the requests (aim 0.4), ${(b.acknowledged / us).toFixed(2)} times the processor time up to the ` +
      `acknowledgement (aim 2.5), ${(b.whole / us).toFixed(2)} times with folding and storing`);
  }
}

function memory() {
  const views = Number(process.env.BENCH_OPEN_VIEWS ?? 200_000), captures = path.join(ROOT, 'tests/captures');
  const files = fs.readdirSync(captures).filter(name => /^[^.]+\.jsonl$/.test(name)).map(name => path.join(captures, name));
  const m = JSON.parse(execFileSync(path.join(BUILD, 'bench/open_views'), [String(views), ...files], { encoding: 'utf8' }));
  const perView = m.events / m.views, allowed = 1536 + 100 * perView;
  console.log(`\n# Memory of ${m.views.toLocaleString('en')} open views of the captures' mix, ${perView.toFixed(1)} events each`);
  console.log(`${m.resident_bytes_per_view} bytes a view resident, ${m.table_bytes_per_view} by the table's own count; ` +
    `ratio ${(m.resident_bytes_per_view / allowed).toFixed(2)} of what is allowed (1,536 + 100 an event = ${Math.round(allowed)})`);
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
  console.log(`\n# Questions on ${VIEWS.toLocaleString('en')} views: the API call beside the best hand-written SQL straight to the engine (${ROUNDS} each, taken in turns; ${machine()})`);
  const server = await new Server({ init: ['--allow-backfill'], serve: ['--log-level', 'error'] }).start();
  const seeds = Number(process.env.BENCH_SEEDS ?? 20_000);
  execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(seeds), '--days-back', '7', '--median-seconds', '20'], { stdio: 'ignore' });
  await until('the views', async () => (await server.json('/data/v1/metrics/views/overall?timeframe[]=10:days')).data.value >= seeds, { seconds: 120 });
  const columns = (await engine(server, "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND name NOT LIKE 'event%' FORMAT TSV")).body.toString().trim().split('\n');
  const replaced = columns.map(name => name === 'id_lo' ? 'id_lo + number + 1' : name === 'view_end' || name === 'view_start' ? `${name} + toInt64(cityHash64(id_lo, number) % 600000)` : name === 'video_startup_time' ? 'video_startup_time + toInt32(cityHash64(number, id_lo) % 300)' : name);
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
    const rounds = name === 'insights' ? Math.min(ROUNDS, 3) : ROUNDS;
    for (let i = 0; i <= rounds; i++) {
      const at = performance.now();
      const response = await server.get(route, { 'cache-control': 'no-cache' });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`${name}: ${response.status}`);
      if (i) api.push(performance.now() - at);
      if (sql) { const { ms } = await engine(server, sql); if (i) direct.push(ms); }
    }
    const fastest = values => Math.min(...values);
    const reference = sql ? `; SQL p50 ${median(direct).toFixed(1)} ms; ratio of p50 ${(median(api) / median(direct)).toFixed(2)}, of the fastest ` +
      `${(fastest(api) / fastest(direct)).toFixed(2)} (${fastest(api).toFixed(1)} and ${fastest(direct).toFixed(1)} ms)` : '';
    console.log(`${name}: p50 ${median(api).toFixed(1)} ms, p95 ${p95(api).toFixed(1)} ms${reference}`);
  }
  await server.stop();
}

if (wanted('memory')) memory();
if (wanted('ingest')) await ingest();
if (wanted('questions')) await questions();
await sleep(0);
