// SPDX-License-Identifier: Apache-2.0
// make bench: each figure beside a reference measured in the same run. Numbers are of this machine; ratios travel better.
// bench.mjs [memory|ingest|questions]; BENCH_SECONDS and BENCH_OPEN_VIEWS change the sizes of the first two, answers.mjs has those of the third.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUILD, ROOT, Server, sleep, until } from '../lib/server.mjs';
import { answers } from './answers.mjs';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 8);
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

if (wanted('memory')) memory();
if (wanted('ingest')) await ingest();
if (wanted('questions')) await answers();
await sleep(0);
