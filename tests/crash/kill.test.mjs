// SPDX-License-Identifier: Apache-2.0
// kill -9 of the server, and separately of the engine, ten times each while 20,000 beacons are sent: every view whose
// beacons were acknowledged is there once, and is what the simulator's truth says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { PROGRAM, Server, sleep, until } from '../lib/server.mjs';

const KILLS = 10, VIEWS = 2100; // 20,600 beacons

// Sends views for about half a minute while harm() is done KILLS times; answers the truth, one object a view.
async function sendWhile(server, harm) {
  const file = path.join(server.data, 'truth.jsonl');
  const sender = spawn(PROGRAM, ['simulate', '--url', server.url, '--env-key', server.env_key, '--views', String(VIEWS), '--rate', '60',
    '--seed', '11', '--truth', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '', ended = null;
  sender.stderr.on('data', chunk => { said += chunk; });
  sender.once('exit', code => { ended = code; });
  let kills = 0;
  while (ended === null && kills < KILLS) {
    await sleep(1500 + Math.random() * 1000);
    await harm();
    kills++;
  }
  await until('the simulator to end', () => ended !== null, { seconds: 300 });
  assert.equal(ended, 0, said);
  assert.equal(kills, KILLS, 'the simulator ended before all kills');
  const lines = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));
  assert.ok(lines.reduce((sum, view) => sum + view.beacons_sent, 0) >= 20_000, 'enough beacons');
  return lines;
}

async function compare(server, truth) {
  const window = `timeframe[]=${Math.floor(Date.now() / 1000) - 2 * 86400}&timeframe[]=${Math.floor(Date.now() / 1000) + 86400}`;
  // Views without a viewend show up after --view-visible-after.
  await until('every view to be there', async () => (await server.json(`/data/v1/video-views?${window}&limit=1`)).total_row_count >= truth.length,
    { seconds: 180, every: 1000 });
  const rows = [];
  for (let page = 1; ; page++) {
    const { data } = await server.json(`/data/v1/video-views?${window}&limit=1000&page=${page}`);
    if (data.length === 0) break;
    rows.push(...data);
  }
  assert.equal(rows.length, truth.length);
  assert.equal(new Set(rows.map(row => row.id)).size, truth.length, 'none twice');
  assert.equal((await server.json(`/data/v1/metrics/views/overall?${window}`)).data.value, truth.length);
  const watched = truth.reduce((sum, view) => sum + (view.watch_time ?? 0), 0);
  assert.equal((await server.json(`/data/v1/metrics/views/overall?${window}`)).data.total_watch_time, watched, 'watch time of all views');
  for (const view of truth.filter((_, i) => i % 50 === 0)) {
    const detail = (await server.json('/data/v1/video-views/' + view.view_id)).data;
    for (const key of ['time_to_first_frame', 'watch_time', 'buffering_count', 'playback_failure', 'video_title'])
      if (key in view) assert.equal(detail[key], view[key], `${key} of ${view.view_id}`);
  }
}

for (const [what, harm] of [
  ['server', async server => { await server.kill('SIGKILL'); await server.start(); }],
  ['engine', async server => {
    const pid = await until('an engine to run', () => server.enginePid());
    process.kill(pid, 'SIGKILL');
  }],
]) {
  test(`kill -9 of the ${what}, ${KILLS} times`, { timeout: 900_000 }, async () => {
    const server = await new Server({ serve: ['--view-visible-after', '5', '--view-final-after', '20'] }).start();
    try {
      const truth = await sendWhile(server, () => harm(server));
      await compare(server, truth);
    } catch (error) {
      error.message += '\n--- server log ---\n' + server.log.split('\n').slice(-40).join('\n');
      throw error;
    } finally {
      await server.stop();
    }
  });
}
