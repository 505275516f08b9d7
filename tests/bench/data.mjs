// SPDX-License-Identifier: Apache-2.0
// A store of many views for the benchmark: some are simulated through the collector, spread over 30 days, and every one
// of them is then copied inside the engine with an id, viewer, session, time and startup time of its own. Days, hours,
// countries, players, errors and timelines keep the shares that the simulated ones have.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { PROGRAM, Server, until } from '../lib/server.mjs';

export const DAYS = 30;
const COPIES_MAX = 200, JITTER_MS = 600_000, DAY_MS = 86_400_000;

// A statement straight to the engine's socket: { body, ms }. agent: kept connections, as the server's own.
const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
export function engine(server, sql, format = 'RowBinary', settings = '') {
  const dir = path.join(server.data, 'engine');
  const socketPath = path.join(dir, fs.readdirSync(dir).find(name => name.endsWith('.sock')));
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const request = http.request({ socketPath, agent, method: 'POST', path: `/?default_format=${format}${settings}` }, response => {
      const parts = [];
      response.on('data', part => parts.push(part));
      response.on('end', () => {
        if (response.statusCode !== 200) reject(new Error(`${sql.slice(0, 300)}: ${Buffer.concat(parts)}`));
        else resolve({ body: Buffer.concat(parts), ms: performance.now() - from });
      });
    });
    request.on('error', reject);
    request.end(sql);
  });
}
export const table = async (server, sql) => JSON.parse((await engine(server, sql, 'JSONCompact')).body).data;

// What makes a copy a view of its own. n is the number of the copy, j how much earlier it was.
const OWN = {
  id_lo: 'id_lo + n', view_start: 'view_start - j', view_end: 'view_end - j', error_last_seen: 'error_last_seen - j',
  view_id: "concat(view_id, '-', toString(n))", session_id: "concat(session_id, '-', toString(n))",
  mux_viewer_id: "concat(mux_viewer_id, '-', toString(n))", viewer_user_id: "concat(viewer_user_id, '-', toString(n))",
  video_startup_time: 'video_startup_time + toInt32(j % 300)', player_startup_time: 'player_startup_time + toInt32(j % 90)',
};

export async function copy(server, copies, say) {
  const columns = (await table(server, "SELECT name FROM system.columns WHERE database = 'firstframe' AND table = 'views' AND default_kind = ''")).map(row => row[0]);
  const plain = columns.join(', '), own = columns.map(name => OWN[name] ?? name).join(', ');
  await engine(server, `CREATE TABLE firstframe.bench_seed ENGINE = MergeTree ORDER BY view_end AS SELECT ${plain} FROM firstframe.views WHERE final = 1`);
  const days = (await table(server, `SELECT DISTINCT toInt32(intDiv(view_end, ${DAY_MS})) AS d FROM firstframe.bench_seed ORDER BY d`)).map(row => row[0]);
  for (const [i, day] of days.entries()) {
    await engine(server, `INSERT INTO firstframe.views (${plain}) SELECT ${own} FROM (SELECT *, n, toInt64(cityHash64(id_lo, n) % ${JITTER_MS}) AS j ` +
      `FROM firstframe.bench_seed ARRAY JOIN range(1, ${copies}) AS n WHERE intDiv(view_end, ${DAY_MS}) = ${day}) SETTINGS max_partitions_per_insert_block = 100`);
    if (i % 10 === 9) say(`${i + 1} of ${days.length} days`);
  }
  await engine(server, 'DROP TABLE firstframe.bench_seed');
}

// Waits until the parts are as they would be a while later: merged, mostly.
async function settle(server) {
  await until('the merges', async () => Number((await table(server, "SELECT (SELECT count() FROM system.merges WHERE table = 'views') + (SELECT count() FROM system.mutations WHERE table = 'views' AND is_done = 0)"))[0][0]) === 0, { seconds: 300, every: 1000 });
}

// A running server with about that many views. With a directory that is kept they are made only once.
export async function serverWithViews(views, { directory = '', say = () => {} } = {}) {
  const record = directory && path.join(directory, 'bench.json');
  if (record && fs.existsSync(record)) {
    const known = JSON.parse(fs.readFileSync(record, 'utf8'));
    if (known.views !== views) throw new Error(`${directory} has ${known.views} views, not ${views}: name another directory, or remove it`);
    // No view is open there, and the checkpoint may be of another version.
    fs.rmSync(path.join(directory, 'journal'), { recursive: true, force: true });
    const server = await new Server({ serve: ['--log-level', 'error'], data: directory, known }).start();
    await settle(server);
    return server;
  }
  const server = await new Server({ init: ['--allow-backfill'], serve: ['--log-level', 'error'], data: directory }).start();
  const copies = Math.min(COPIES_MAX, Math.max(1, Math.round(views / 50_000))), seeds = Math.round(views / copies);
  const began = Date.now(), passed = () => `${Math.round((Date.now() - began) / 1000)} s`;
  execFileSync(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(seeds), '--days-back', String(DAYS), '--median-seconds', '20', '--connections', '16'], { stdio: 'ignore' });
  // Those that stayed open become final soon: DuckDB gets the final ones only.
  const serveArgs = server.serveArgs;
  await server.kill('SIGTERM');
  server.serveArgs = [...serveArgs, '--view-visible-after', '2', '--view-final-after', '4'];
  await server.start();
  await until('the views to be final', async () => /^firstframe_views_open 0$/m.test(await (await fetch(server.url + '/metrics')).text()), { seconds: 300, every: 1000 });
  await server.kill('SIGTERM');
  server.serveArgs = serveArgs;
  await server.start();
  // What the simulator calls a view may become two, and some are never one.
  const [[n0, pending]] = await table(server, 'SELECT count(), countIf(final = 0 AND id_lo NOT IN (SELECT id_lo FROM firstframe.views WHERE final = 1)) FROM firstframe.views');
  const last = Number(n0);
  if (last < seeds * 0.9 || Number(pending)) throw new Error(`${last} views of ${seeds} are there, ${pending} of them not final`);
  say(`${last.toLocaleString('en')} views simulated and stored (${passed()})`);
  if (copies > 1) await copy(server, copies, what => say(`copied ${what} (${passed()})`));
  await settle(server);
  const [[n, bytes, parts]] = await table(server, "SELECT sum(rows), sum(bytes_on_disk), count() FROM system.parts WHERE table = 'views' AND active");
  say(`${Number(n).toLocaleString('en')} views in ${parts} parts, ${(bytes / n).toFixed(0)} bytes each on disk (${passed()})`);
  if (record) {
    const { environment_id, env_key, token_id, token_secret } = server;
    fs.writeFileSync(record, JSON.stringify({ views, environment_id, env_key, token_id, token_secret }));
  }
  return server;
}
