// SPDX-License-Identifier: Apache-2.0
// bench.mjs questions: every historical endpoint on many views, in turns with the best SQL written by hand for the same
// answer on the same engine, and with DuckDB on the same rows.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { PROGRAM, sleep, until } from '../lib/server.mjs';
import { DAYS, engine, serverWithViews, table } from './data.mjs';
import { duckColumns, questions } from './questions.mjs';

const VIEWS = Number(process.env.BENCH_VIEWS || 5_000_000), ROUNDS = Number(process.env.BENCH_ROUNDS || 15);
const MINUTES = Number(process.env.BENCH_MINUTES || 25), ONLY = process.env.BENCH_ONLY ?? '', DUCKDB = process.env.BENCH_DUCKDB !== '0';
// The one setting that we know to make such SQL faster.
const SETTINGS = '&enable_multiple_prewhere_read_steps=0';
const QUESTION_MS = 25_000, ROUNDS_MIN = 3;
const sorted = values => [...values].sort((a, b) => a - b);
const median = values => sorted(values)[Math.floor(values.length / 2)];
const p95 = values => sorted(values)[Math.min(values.length - 1, Math.floor(values.length * 0.95))];
const number = ms => ms === undefined ? '–' : ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en');
// Processor time of processes in ms (in steps of 10): what a busy machine does not change, unlike the time that passes.
const TICK_MS = 10;
const cpu = (...pids) => pids.reduce((sum, pid) => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return sum + (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}, 0);
const busy = () => `${os.cpus().length} processors, load average ${os.loadavg()[0].toFixed(1)}`;

// One call of the API on a kept connection. fresh: a parameter that no other call had, so that no kept answer fits.
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
let calls = 0;
function api(server, { route, body }, fresh) {
  const n = ++calls, text = body && JSON.stringify(body) + (fresh ? ' '.repeat(n) : '');
  const target = body || !fresh ? route : `${route}${route.includes('?') ? '&' : '?'}unused=${n}`;
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const request = http.request(server.url + target, { agent, method: body ? 'POST' : 'GET', headers: { authorization: server.basic, ...body && { 'content-type': 'application/json' } } }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => {
        const ms = performance.now() - from, whole = Buffer.concat(parts);
        if (response.statusCode !== 200) reject(new Error(`${route}: ${response.statusCode} ${whole.toString().slice(0, 300)}`));
        else resolve({ ms, body: whole });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

// -- DuckDB --

async function duckOpen(server, list, directory) {
  const file = path.join(directory, 'duck.db'), had = fs.existsSync(file), began = Date.now();
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(file)).connect();
  if (had) return connection;
  const wanted = duckColumns(list), parquet = path.join(directory, 'parquet');
  const names = (await table(server, "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views'")).map(row => row[0]).filter(wanted);
  fs.mkdirSync(parquet, { recursive: true });
  const days = (await table(server, 'SELECT DISTINCT toInt32(intDiv(view_end, 86400000)) FROM firstframe.views')).map(row => row[0]);
  for (const day of days)
    fs.writeFileSync(path.join(parquet, `${day}.parquet`), (await engine(server, `SELECT ${names.join(', ')} FROM firstframe.views WHERE final = 1 AND intDiv(view_end, 86400000) = ${day} ORDER BY view_end`, 'Parquet', '&output_format_parquet_string_as_string=1')).body);
  await connection.run(`CREATE TABLE views AS SELECT * FROM read_parquet('${parquet}/*.parquet')`);
  fs.rmSync(parquet, { recursive: true });
  console.log(`DuckDB has the same rows: ${names.length} of their columns (${Math.round((Date.now() - began) / 1000)} s)`);
  return connection;
}

async function duckRun(connection, statements) {
  const from = performance.now(), all = [];
  for (const sql of [statements].flat()) all.push(await (await connection.runAndReadAll(sql)).getRowsJS());
  return { ms: performance.now() - from, rows: all };
}

// -- the same answer --

const numbers = rows => sorted(rows.flat(Infinity).filter(v => v !== null && v !== undefined && v !== '' && !Number.isNaN(Number(v))).map(Number));
function same(name, who, ours, theirs) {
  const a = numbers(ours), b = numbers(theirs);
  const far = a.findIndex((v, i) => Math.abs(v - b[i]) > 1e-9 * Math.max(1, Math.abs(v)));
  if (a.length !== b.length || far >= 0) throw new Error(`${name}: the API and ${who} do not answer the same: ${a.length} and ${b.length} numbers, ${a[far]} and ${b[far]}`);
}
async function check(server, question, duck) {
  const reply = JSON.parse((await api(server, question, true)).body);
  if (!question.answer || question.unchecked) return;
  const ours = question.answer(reply), statements = [question.sql].flat(), theirs = [];
  const cut = rows => rows.map(row => question.first || question.firstColumn ? [row[0]] : row);
  for (const sql of statements) theirs.push(...cut(await table(server, sql)));
  same(question.name, 'the SQL', question.firstColumn ? [...ours] : ours, question.firstColumn ? theirs.slice(0, -1) : theirs);
  if (!duck || !question.duck) return;
  const rows = (await duckRun(duck, question.duck)).rows.flatMap(cut).map(row => row.map(v => typeof v === 'bigint' ? Number(v) : v?.items ?? v));
  same(question.name, 'DuckDB', ours, question.firstColumn ? rows.slice(0, -1) : rows);
}

// -- measuring --

async function measure(server, question, duck) {
  await check(server, question, duck);
  const t = { api: [], sql: [], duck: [], kept: [], cpu: { api: 0, sql: 0, duck: 0 } }, began = Date.now();
  const rounds = question.rounds ? Math.min(ROUNDS, Math.max(ROUNDS_MIN, question.rounds)) : ROUNDS, pids = [server.child.pid, server.enginePid()];
  const take = async (who, run) => {
    const before = who === 'duck' ? process.cpuUsage() : cpu(...pids);
    t[who].push(await run());
    const used = who === 'duck' ? process.cpuUsage(before) : null;
    t.cpu[who] += used ? (used.user + used.system) / 1000 : cpu(...pids) - before;
  };
  for (let i = 0; i < rounds && (i < ROUNDS_MIN || Date.now() - began < QUESTION_MS); i++) {
    await take('api', async () => (await api(server, question, true)).ms);
    await take('sql', async () => {
      let ms = 0;
      for (const sql of [question.sql].flat()) ms += (await engine(server, sql, 'RowBinary', SETTINGS)).ms;
      return ms;
    });
    if (duck && question.duck) await take('duck', async () => (await duckRun(duck, question.duck)).ms);
  }
  for (let i = 0; i <= 5; i++) {
    const { ms } = await api(server, question, false);
    if (i) t.kept.push(ms);
  }
  return t;
}

const COLUMNS = ['question', 'turns', 'API min', 'p50', 'p95', 'SQL min', 'p50', 'p95', 'p50 ratio', 'min ratio', 'aim', 'CPU API', 'CPU SQL', 'ratio', 'DuckDB p50', 'API to it', 'CPU', 'API to it', 'kept p50'];
const line = cells => '| ' + cells.join(' | ') + ' |';
const ratio = (a, b) => b > 0 ? (a / b).toFixed(2) : '–';
function row(name, t) {
  const n = t.api.length, least = values => Math.min(...values), within = median(t.api) <= 1.2 * median(t.sql) + 3;
  const duck = t.duck.length ? [number(median(t.duck)), ratio(median(t.api), median(t.duck)), number(t.cpu.duck / n), ratio(t.cpu.api, t.cpu.duck)] : ['–', '–', '–', '–'];
  return line([name, n, number(least(t.api)), number(median(t.api)), number(p95(t.api)), number(least(t.sql)), number(median(t.sql)), number(p95(t.sql)),
    ratio(median(t.api), median(t.sql)), ratio(least(t.api), least(t.sql)), within ? 'met' : 'missed', number(t.cpu.api / n), number(t.cpu.sql / n), ratio(t.cpu.api, t.cpu.sql), ...duck, number(median(t.kept))]);
}

// What the dashboard's overview asks, six requests at a time as browsers do: on as many days as a million views took.
async function overview(server) {
  const [[newest, perDay]] = await table(server, `SELECT toInt64(max(view_end)), toInt64(count() / ${DAYS}) FROM firstframe.views WHERE final = 1`);
  const days = Math.max(1, Math.round(1e6 / perDay)), end = Math.ceil(newest / 3600e3) * 3600, span = days * 86400;
  const window = back => `timeframe[]=${end - (back + 1) * span}&timeframe[]=${end - back * span}`, m = '/data/v1/metrics';
  const charts = ['views', 'unique_viewers', 'video_startup_time', 'viewer_experience_score', 'playback_failure_percentage', 'rebuffer_percentage'];
  const routes = [0, 1].flatMap(back => [`${m}/comparison?${window(back)}`, ...charts.map(id => `${m}/${id}/timeseries?${window(back)}`)]).concat(`${m}/viewer_experience_score/insights?${window(0)}`);
  const all = async fresh => {
    const from = performance.now(), waiting = [...routes];
    await Promise.all(Array.from({ length: 6 }, async () => { while (waiting.length) await api(server, { route: waiting.shift() }, fresh); }));
    return performance.now() - from;
  };
  const pids = [server.child.pid, server.enginePid()], fresh = [], kept = [];
  await all(true);
  const before = cpu(...pids);
  for (let i = 0; i < ROUNDS_MIN; i++) fresh.push(await all(true));
  const used = (cpu(...pids) - before) / ROUNDS_MIN;
  for (let i = 0; i <= ROUNDS_MIN; i++) {
    const ms = await all(false);
    if (i) kept.push(ms);
  }
  console.log(`\nThe ${routes.length} requests of the overview on ${days} days, ${(days * perDay).toLocaleString('en')} views: min ${number(Math.min(...fresh))} ms, p50 ${number(median(fresh))} ms, ` +
    `${number(used)} ms of processor time; kept answers p50 ${number(median(kept))} ms. ${busy()}`);
}

// The same requests while views are being watched, which their pending versions have to be read for.
async function watched(server, list, alone) {
  const viewers = spawn(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--live', '--rate', '3'], { stdio: 'ignore' });
  try {
    await until('pending views', async () => Number((await table(server, 'SELECT uniqExact(id_lo) FROM firstframe.views WHERE final = 0'))[0][0]) >= 20, { seconds: 240, every: 1000 });
    const [[pending]] = await table(server, 'SELECT uniqExact(id_lo) FROM firstframe.views WHERE final = 0');
    console.log(`\n## While views are being watched (${pending} with pending versions; their beacons come in meanwhile)\n\n${line(['question', 'API p50 ms', 'API p95 ms', 'to p50 without them'])}\n|${'---|'.repeat(4)}`);
    for (const question of list) {
      const ms = [];
      for (let i = 0; i < Math.min(ROUNDS, 7); i++) ms.push((await api(server, question, true)).ms);
      console.log(line([question.name, number(median(ms)), number(p95(ms)), (median(ms) / median(alone.get(question.name).api)).toFixed(2)]));
    }
  } catch (error) {
    process.exitCode = 1;
    console.log(`not measured while views are being watched: ${error.message}`);
  } finally {
    viewers.kill('SIGINT');
    await new Promise(resolve => viewers.once('exit', resolve));
  }
}

async function facts(server, now) {
  const where = `WHERE final = 1 AND view_end < ${(now - 3 * 86400) * 1000}`;
  const [[id, id_hi, id_lo]] = await table(server, `SELECT lower(concat(hex(id_hi), hex(id_lo))), toString(id_hi), toString(id_lo) FROM firstframe.views ${where} AND watched = 1 AND length(event_names) > 20 LIMIT 1`);
  const [[viewer]] = await table(server, `SELECT any(mux_viewer_id) FROM (SELECT mux_viewer_id FROM firstframe.views ${where} AND isNotNull(mux_viewer_id) LIMIT 1)`);
  const [[video]] = await table(server, 'SELECT video_id FROM firstframe.views WHERE isNotNull(video_id) GROUP BY video_id ORDER BY count() DESC LIMIT 1');
  const [[error]] = await table(server, 'SELECT error_type_id FROM firstframe.views WHERE isNotNull(error_type_id) GROUP BY error_type_id ORDER BY count() DESC LIMIT 1');
  return { id: id.padStart(32, '0'), id_hi, id_lo, viewer, video, error };
}

export async function answers() {
  const directory = process.env.BENCH_DATA || fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-bench-')), until_ms = Date.now() + MINUTES * 60_000;
  console.log(`\n# Questions on ${VIEWS.toLocaleString('en')} views of ${DAYS} days (${busy()})`);
  const server = await serverWithViews(VIEWS, { directory, say: text => console.log(text) });
  let left = 0;
  try {
    const now = Math.floor(Date.now() / 1000), [[newest]] = await table(server, 'SELECT toInt64(max(view_end)) FROM firstframe.views WHERE final = 1');
    const all = questions({ environment: server.environment_id, now: Math.min(now, Math.ceil(newest / 1000) + 60), facts: await facts(server, now) });
    const list = all.filter(question => question.name.includes(ONLY)), alone = new Map();
    const duck = DUCKDB ? await duckOpen(server, all, directory) : null;
    console.log(`Times in ms; each call in turns with the SQL and with DuckDB, never the same request twice (aim: p50 at most 1.2 x + 3 ms). CPU: processor time of a turn, of server and engine together; "kept": the same request again. ${busy()}\n\n${line(COLUMNS)}\n|${'---|'.repeat(COLUMNS.length)}`);
    for (const question of list) {
      if (Date.now() > until_ms) { left++; continue; }
      try {
        const times = await measure(server, question, duck);
        alone.set(question.name, times);
        console.log(row(question.name, times));
      } catch (error) {
        process.exitCode = 1;
        console.log(line([question.name, error.message]));
      }
    }
    if (left) console.log(`not reached within ${MINUTES} minutes: the last ${left} questions`);
    console.log(`(${busy()} at the end)`);
    if (!ONLY || 'overview'.includes(ONLY)) await overview(server);
    // Not where the views are kept: these would be more than DuckDB has.
    if (!left && !ONLY && !process.env.BENCH_DATA) await watched(server, list.filter(question => /timeseries|overall|breakdown|comparison|first page|one view/.test(question.name)), alone);
  } finally {
    await server.stop();
    if (!process.env.BENCH_DATA) fs.rmSync(directory, { recursive: true, force: true });
  }
  await sleep(0);
}
