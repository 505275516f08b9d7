// SPDX-License-Identifier: Apache-2.0
// Wrong passwords, two hundred a second for five seconds: the throttle answers all but a few without hashing, and the
// collector goes on. Times are printed, not judged.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Server, sleep } from '../lib/server.mjs';
import { beaconOf } from './beacons.mjs';
import { call, signIn } from './access.mjs';

const RATE = 200, SECONDS = 5, BURST = 10, HASHING_THREADS = 2;
let server;
before(async () => { server = await new Server().start(); });
after(() => server?.stop());

// Beacons, one every 20 ms, until stop() is called; answers how long each took.
function beacons() {
  const took = [], statuses = new Set();
  let going = true;
  const run = (async () => {
    for (let i = 0; going; i++) {
      const began = performance.now();
      const answer = await fetch(server.url + '/', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: beaconOf(server.env_key, { view: `attack-${i}` }) });
      await answer.arrayBuffer();
      statuses.add(answer.status);
      took.push(performance.now() - began);
      await sleep(Math.max(0, 20 - (performance.now() - began)));
    }
  })();
  return async () => { going = false; await run; return { took: took.sort((a, b) => a - b), statuses: [...statuses] }; };
}
const p99 = sorted => sorted[Math.floor(sorted.length * 0.99)].toFixed(1);

// Seconds of processor that the server has used.
function processor() {
  const fields = fs.readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function metric(name) {
  const text = await (await fetch(server.url + '/metrics')).text();
  return Number(new RegExp(`^firstframe_${name} (\\d+)`, 'm').exec(text)[1]);
}

test('200 wrong passwords a second', async () => {
  await signIn(server, EMAIL, PASSWORD);
  let stop = beacons();
  await sleep(SECONDS * 1000);
  const quiet = await stop();

  const failures = await metric('sign_in_failures_total'), used = processor();
  stop = beacons();
  const answers = [], began = performance.now();
  for (let i = 0; i < RATE * SECONDS; i++) {
    const due = began + i * 1000 / RATE;
    if (due > performance.now()) await sleep(due - performance.now());
    answers.push(call(server, 'POST', '/api/sessions', { body: { session: { email: i % 2 ? EMAIL : `nobody${i}@example.com`, password: `guess ${i}` } } }));
  }
  const all = await Promise.all(answers), loud = await stop();
  const by = status => all.filter(a => a.status === status);
  const spent = (performance.now() - began) / 1000, back = Math.ceil(spent / 30);
  console.log(`# p99 of ${quiet.took.length} beacons alone ${p99(quiet.took)} ms, of ${loud.took.length} under attack ${p99(loud.took)} ms`);
  console.log(`# ${by(401).length} wrong passwords hashed, ${by(429).length} answered 429, ${by(503).length} answered 503; ${(processor() - used).toFixed(2)} s of processor`);

  assert.deepEqual([quiet.statuses, loud.statuses], [[200], [200]], 'every beacon was taken');
  assert.ok(by(401).length >= 1 && by(401).length <= BURST + back, 'no more than the throttle lets through are hashed');
  assert.equal((await metric('sign_in_failures_total')) - failures, by(401).length);
  assert.equal(all.length, by(401).length + by(429).length + by(503).length);
  assert.ok(by(503).length <= HASHING_THREADS * 100, 'a full queue is the exception');
  assert.ok(by(429).length > RATE * SECONDS / 2);
  for (const answer of by(429)) {
    assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    assert.deepEqual(Object.keys(answer.body), ['error', 'errors']);
  }
  // The right password waits too, and says nothing else; who is signed in already is not concerned.
  assert.equal((await call(server, 'POST', '/api/sessions', { body: { session: { email: EMAIL, password: PASSWORD } } })).status, 429);
  assert.equal((await server.get('/data/v1/dimensions')).status, 200);
});

// At most as many hashes at once as the small pool has threads: each costs 19 MiB while it runs, so memory shows it.
test('a flood of first guesses hashes no more than two at once', async () => {
  const memory = () => Number(/VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))[1]) / 1024;
  const before = memory();
  const statuses = await Promise.all(Array.from({ length: 300 }, (_, i) => // another address each, as trusted proxies say
    call(server, 'POST', '/api/sessions', { headers: { 'x-forwarded-for': `203.0.${i % 250}.${1 + (i >> 2)}` },
      body: { session: { email: `flood${i}@example.com`, password: 'guess' } } }).then(a => a.status)));
  const count = status => statuses.filter(s => s === status).length;
  console.log(`# 300 at once: ${count(401)} hashed, ${count(503)} turned away; memory grew by ${(memory() - before).toFixed(0)} MiB`);
  assert.equal(count(401) + count(503) + count(429), 300);
  assert.ok(count(401) > 0);
  assert.ok(memory() - before < 19 * (HASHING_THREADS + 4), `memory grew by ${memory() - before} MiB`);
  assert.equal((await server.get('/data/v1/dimensions')).status, 200);
});
