// SPDX-License-Identifier: Apache-2.0
// What `firstframe serve` and its command line promise around the beacons: reserved paths, limits, files, TLS, the end,
// the installed layout.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import tls from 'node:tls';
import { BUILD, PROGRAM, Server, firstframe, until } from '../lib/server.mjs';

const beacon = (key, view, number = 1) =>
  JSON.stringify([{ e: 'viewstart', ake: key, xid: view, xsqno: number, uti: Date.now() }]);

function has(actual, wanted) {
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map(key => [key, actual[key]])), wanted);
}

async function metric(server, name) {
  const text = await (await fetch(server.url + '/metrics')).text();
  const line = text.split('\n').find(one => one.startsWith(name + ' '));
  return line && Number(line.slice(name.length));
}

test('the command line: help, version, mistakes', () => {
  for (const command of ['init', 'serve', 'simulate', 'spark', 'user', 'token', 'environment', 'audit', 'version']) {
    const help = firstframe([command, '--help']);
    assert.match(help, new RegExp(`^firstframe ${command}: .+\n\nusage: firstframe ${command}`));
  }
  assert.match(firstframe(['version']), /^firstframe \d+\.\d+\.\d+\n$/);
  assert.match(JSON.parse(firstframe(['version', '--json'])).version, /^\d+\.\d+\.\d+$/);
  for (const wrong of [['version', 'more'], ['nonsense'], [], ['serve'], ['serve', '--data', '/tmp', '--loops', 'x'],
    ['environment', 'list', 'a', 'b', '--data', '/tmp']]) {
    const ended = spawnSync(PROGRAM, wrong, { encoding: 'utf8' });
    assert.equal(ended.status, 2, wrong.join(' '));
    assert.notEqual(ended.stderr, '', wrong.join(' '));
  }
});

test('an environment\'s settings on the command line', async t => {
  const server = new Server();
  t.after(() => server.stop());
  const environment = ['environment', '--data', server.data, '--json'];
  const of = list => JSON.parse(list).find(one => one.id === server.environment_id);
  let now = of(firstframe([...environment, 'list']));
  assert.deepEqual([now.addresses, now.honour_dnt, now.strip_query, now.disabled, now.views_per_minute_max, now.events_per_second_max],
    ['truncated', false, false, false, 0, 0]);
  firstframe([...environment, 'update', server.environment_id, '--addresses', 'none', '--honour-dnt', 'yes', '--strip-query', 'yes',
    '--disabled', 'yes', '--views-per-minute-max', '7', '--events-per-second-max', '8', '--allow-backfill']);
  now = of(firstframe([...environment, 'list']));
  assert.deepEqual([now.addresses, now.honour_dnt, now.strip_query, now.disabled, now.views_per_minute_max, now.events_per_second_max,
    now.allow_backfill], ['none', true, true, true, 7, 8, true]);
  firstframe([...environment, 'update', server.environment_id, '--disabled', 'no', '--deny-backfill']);
  now = of(firstframe([...environment, 'list']));
  assert.deepEqual([now.addresses, now.honour_dnt, now.disabled, now.allow_backfill], ['none', true, false, false]);
  const wrong = spawnSync(PROGRAM, [...environment, 'update', server.environment_id, '--honour-dnt', 'perhaps'], { encoding: 'utf8' });
  assert.equal(wrong.status, 2);
  assert.match(wrong.stderr, /--honour-dnt: expected yes or no/);
});

test('reserved paths answer 404 inside, whatever the method; other POSTs are beacons, other GETs the dashboard', async t => {
  const server = await new Server({ serve: ['--address-requests-per-second-max', '5'] }).start();
  t.after(() => server.stop());
  for (const route of ['/api/x', '/data/v1/x', '/system/x', '/video/x', '/sdk', '/sdk/x.js', '/cmcd', '/cmcd/x', '/healthz/x', '/metrics/x'])
    for (const method of ['GET', 'POST', 'PUT']) {
      const answer = await fetch(server.url + route, { method });
      assert.equal(answer.status, 404, `${method} ${route}`);
    }
  for (const route of ['/healthz', '/readyz', '/sdk/mux.js']) {
    assert.equal((await fetch(server.url + route)).status, 200, route);
    assert.equal((await fetch(server.url + route, { method: 'POST', body: 'x' })).status, 404, route);
  }
  assert.match(await (await fetch(server.url + '/views/some-page')).text(), /<!doctype html>/i);

  // Far more than five in any second, from one address: all answered 200, the rest dropped and counted.
  const before = await metric(server, 'firstframe_beacons_dropped_total{reason="address_rate"}') ?? 0;
  const headers = { 'x-forwarded-for': '198.51.100.7' };
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) =>
    fetch(server.url + '/', { method: 'POST', headers, body: beacon(server.env_key, 'rate-' + i) })));
  assert.deepEqual([...new Set(answers.map(one => one.status))], [200]);
  assert.ok(await metric(server, 'firstframe_beacons_dropped_total{reason="address_rate"}') > before);
});

// A connection of an address of its own. ask() sends one request and resolves to the whole answer; gone: closed.
function connection(server, from) {
  const socket = net.connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', localAddress: from });
  const state = { socket, text: '', gone: false };
  socket.on('error', () => {}).on('data', part => { state.text += part; }).on('close', () => { state.gone = true; });
  state.ask = async (head, body = '') => {
    state.text = '';
    socket.write(`${head} HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await until('an answer', () => state.gone || /\r\n\r\n/.test(state.text));
    return { status: Number(/^HTTP\/1.1 (\d+)/.exec(state.text)?.[1]), closes: /\r\nconnection: close\r\n/i.test(state.text), text: state.text };
  };
  return state;
}

test('over the connections of one address a beacon is answered 200 and the API 503, and the connection closed; far over it closed at once', async t => {
  const server = await new Server({ serve: ['--connections-per-address-max', '3', '--trusted-proxies', 'none'] }).start();
  t.after(() => server.stop());
  const HERE = '127.0.0.77', shed = 'firstframe_beacons_dropped_total{reason="address_connections"}';
  const within = [0, 1, 2].map(() => connection(server, HERE));
  for (const one of within) {
    const { status, closes } = await one.ask('POST /', beacon(server.env_key, 'within'));
    assert.deepEqual([status, closes], [200, false]);
  }
  const crowd = [0, 1, 2].map(() => connection(server, HERE)); // up to twice as many
  await until('the crowd', async () => await metric(server, 'firstframe_http_connections_address_refused_total') === 3);
  const far = connection(server, HERE);
  await until('the end of one too many', () => far.gone);
  assert.equal(far.text, '');
  const [taken, api, large] = await Promise.all([crowd[0].ask('POST /', beacon(server.env_key, 'over')), crowd[1].ask('GET /data/v1/video-views'),
    crowd[2].ask('POST /some/prefix', 'x'.repeat(2_000_000))]);
  assert.deepEqual([taken.status, taken.closes], [200, true]);
  assert.match(taken.text, /\r\naccess-control-allow-origin: \*\r\n/i);
  assert.deepEqual([api.status, api.closes], [503, true]);
  assert.match(api.text, /\r\nretry-after: 5\r\n/i);
  assert.deepEqual([large.status, large.closes], [200, true]);
  await until('the crowd to be gone', () => crowd.every(one => one.gone));
  assert.equal(await metric(server, shed), 2);
  assert.equal(await metric(server, 'firstframe_http_connections_address_refused_total'), 4);
  // Where one has left another has its place, and what was dropped is not there.
  within[0].socket.destroy();
  await until('a place', async () => {
    const one = connection(server, HERE);
    const { status, closes } = await one.ask('POST /', beacon(server.env_key, 'after'));
    assert.equal(status, 200);
    one.socket.destroy();
    return !closes;
  });
  const seen = (await server.json('/data/v1/beacons/recent')).data.flatMap(post => post.events.map(event => event.view_id));
  assert.ok(seen.includes('within') && seen.includes('after') && !seen.includes('over'), String(seen));
  within.forEach(one => one.socket.destroy());
});

// server.stop() ends child too, should a test fail before it did; resolves to the exit code.
function adopt(server, child) {
  server.child = child;
  server.stopped = false;
  server.exited = new Promise(resolve => child.once('exit', code => { server.stopped = true; resolve(code); }));
  return server.exited;
}

// The server under a limit of open files, and how many connections it may have.
async function limited(server, soft, hard, args = []) {
  const child = spawn('bash', ['-c', `ulimit -Sn ${soft} && ulimit -Hn ${hard} && exec "$0" "$@"`, PROGRAM, 'serve', '--data', server.data,
    '--listen', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  server.log = '';
  child.stdout.on('data', chunk => { out += chunk; });
  child.stderr.on('data', chunk => { server.log += chunk; });
  const exited = adopt(server, child);
  await until('the server to listen, or its end', () => server.stopped || /listening on (\S+)/.test(out));
  assert.ok(!server.stopped, server.log);
  server.url = /listening on (\S+)/.exec(out)[1];
  return { child, stop: () => { child.kill('SIGTERM'); return exited; } };
}

test('the limit of open files is raised, and never all of them are connections', async t => {
  const server = new Server();
  t.after(() => server.stop());
  let run = await limited(server, 256, 4096);
  assert.equal(await metric(server, 'firstframe_files_max'), 4096);
  assert.match(server.log, /files_few files=4096 connections_max=3712/);
  assert.equal(await run.stop(), 0);

  run = await limited(server, 600, 600);
  const { port } = new URL(server.url);
  const sockets = Array.from({ length: 900 }, () => net.connect(port, '127.0.0.1').on('error', () => {}).resume());
  await until('connections to be refused', () => sockets.filter(one => one.closed || one.readableEnded || one.destroyed).length >= 500);
  sockets.slice(0, 450).forEach(one => one.destroy());
  // Room for some again; the journal and the store had their files all the time.
  const answer = await until('an answer', () => fetch(server.url + '/', { method: 'POST', body: beacon(server.env_key, 'crowd') }));
  assert.equal(answer.status, 200);
  sockets.forEach(one => one.destroy());
  const views = await until('the metrics', () => metric(server, 'firstframe_files_open'));
  assert.ok(views > 0 && views < 600);
  assert.equal(await metric(server, 'firstframe_journal_failures_total'), 0);
  assert.doesNotMatch(server.log, /http_accept_failed/);
  assert.equal(await run.stop(), 0);
});

test('SIGHUP reads the certificate again, and a bad one changes nothing', async t => {
  const server = new Server();
  t.after(() => server.stop());
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-tls-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const cert = path.join(dir, 'cert.pem'), key = path.join(dir, 'key.pem');
  const make = name => execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert,
    '-days', '2', '-subj', `/CN=${name}`], { stdio: 'ignore' });
  make('first');
  const run = await limited(server, 1024, 4096, ['--tls-cert', cert, '--tls-key', key]);
  assert.match(server.url, /^https:/);
  const { port } = new URL(server.url);
  const name = () => new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN);
      socket.destroy();
    });
    socket.on('error', reject);
  });
  assert.equal(await name(), 'first');
  make('second');
  run.child.kill('SIGHUP');
  await until('the new certificate', async () => await name() === 'second');
  fs.writeFileSync(cert, 'not a certificate');
  run.child.kill('SIGHUP');
  await until('the refusal', () => /tls_reload_failed/.test(server.log));
  assert.equal(await name(), 'second');
  assert.equal(await run.stop(), 0);
});

test('SIGTERM drains: what is under way is answered, what was acknowledged is there after the next start', async t => {
  const server = await new Server().start();
  t.after(() => server.stop());
  const { port } = new URL(server.url), body = beacon(server.env_key, 'drained');
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', chunk => { text += chunk; }).on('error', () => {});
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n` + body.slice(0, 10));
  await until('the connection', async () => await metric(server, 'firstframe_http_connections') >= 1);
  server.child.kill('SIGTERM');
  await until('the end of listening', () => new Promise(resolve => net.connect(port, '127.0.0.1').on('error', () => resolve(true)).on('connect', function () { this.destroy(); resolve(false); })));
  assert.equal(server.stopped, false);
  socket.write(body.slice(10));
  await until('the answer', () => /^HTTP\/1\.1 200 /.test(text));
  assert.match(text, /Connection: close/);
  assert.deepEqual(await server.exited, { code: 0, signal: null });
  const again = new Server({ serve: ['--view-visible-after', '1'] });
  t.after(() => again.stop());
  fs.rmSync(again.data, { recursive: true });
  Object.assign(again, { data: server.data, basic: server.basic });
  await again.start();
  await until('the view', async () => (await again.get('/data/v1/video-views/drained')).ok);
});

// statvfs as the journal asks for it, with the free share that a file says: filling a real disk would trouble others.
const SHIM = `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
static int told(struct statvfs *out) {
    double percent;
    FILE *f = fopen(getenv("FREE_PERCENT_FILE"), "r");
    if (f && fscanf(f, "%lf", &percent) == 1) out->f_bavail = out->f_bfree = (fsblkcnt_t)((double)out->f_blocks * percent / 100);
    if (f) fclose(f);
    return 0;
}
int statvfs(const char *path, struct statvfs *out) {
    int (*real)(const char *, struct statvfs *) = (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
    return real(path, out) == 0 ? told(out) : -1;
}
`;

test('under 5 % of free disk beacons are answered 503, /readyz says so, and both recover by themselves', async t => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-disk-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const shim = path.join(dir, 'shim.so'), share = path.join(dir, 'free');
  fs.writeFileSync(path.join(dir, 'shim.c'), SHIM);
  execFileSync('cc', ['-shared', '-fPIC', '-o', shim, path.join(dir, 'shim.c'), '-ldl']);
  fs.writeFileSync(share, '50');
  const shimmed = async args => {
    const server = new Server({ serve: args });
    t.after(() => server.stop());
    Object.assign(process.env, { LD_PRELOAD: shim, FREE_PERCENT_FILE: share });
    try { return await server.start(); } finally { delete process.env.LD_PRELOAD; delete process.env.FREE_PERCENT_FILE; }
  };
  const server = await shimmed([]);
  const send = () => fetch(server.url + '/', { method: 'POST', body: beacon(server.env_key, 'disk') });
  assert.equal((await send()).status, 200);
  fs.writeFileSync(share, '4.9');
  const refused = await until('503', async () => { const answer = await send(); return answer.status === 503 && answer; });
  assert.ok(refused.headers.get('retry-after') && refused.headers.get('access-control-allow-origin') === '*');
  const ready = await fetch(server.url + '/readyz');
  assert.equal(ready.status, 503);
  has(await ready.json(), { ready: false, reason: 'too little disk space is free' });
  assert.equal((await server.get('/data/v1/metrics/views/overall')).status, 200); // what is there can still be asked for
  assert.ok(await metric(server, 'firstframe_beacon_unavailable_total') >= 1);
  assert.equal(await metric(server, 'firstframe_ready'), 0);
  fs.writeFileSync(share, '5.1');
  await until('200 again', async () => (await send()).status === 200);
  assert.equal((await fetch(server.url + '/readyz')).status, 200);
  assert.match(server.log, /journal_disk_space low=1[\s\S]*journal_disk_space low=0/);

  fs.writeFileSync(share, '1.5'); // on a very large disk that is enough
  const large = await shimmed(['--disk-free-percent-min', '1']);
  assert.equal((await fetch(large.url + '/', { method: 'POST', body: beacon(large.env_key, 'disk') })).status, 200);
});

test('SIGTERM ends a server that still waits for its store', async t => {
  const server = new Server();
  t.after(() => server.stop());
  const child = spawn(PROGRAM, ['serve', '--data', server.data, '--listen', '127.0.0.1:0', '--store', 'http://127.0.0.1:9'],
    { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', chunk => { log += chunk; });
  const exited = adopt(server, child);
  await until('the start', () => /replayed/.test(log));
  child.kill('SIGTERM');
  await until('the end', () => server.stopped, { seconds: 40 });
  assert.equal(await exited, 0);
});

test('installed elsewhere, the program finds its engine, library and share directory', async t => {
  const prefix = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-installed-'));
  t.after(() => fs.rmSync(prefix, { recursive: true }));
  execFileSync('cmake', ['--install', BUILD, '--prefix', prefix]);
  assert.deepEqual(fs.readdirSync(path.join(prefix, 'bin')), ['firstframe']);
  const server = new Server();
  t.after(() => server.stop());
  const program = path.join(prefix, 'bin/firstframe');
  const child = spawn(program, ['serve', '--data', server.data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '', log = '';
  child.stdout.on('data', chunk => { out += chunk; });
  child.stderr.on('data', chunk => { log += chunk; });
  const exited = adopt(server, child);
  const url = (await until('the server to listen', () => /listening on (\S+)/.exec(out)))[1];
  const ready = await until('the store', async () => {
    const state = await (await fetch(url + '/readyz')).json();
    return state.store.state === 'ready' && state;
  });
  assert.equal(ready.store.embedded, true);
  const engine = fs.readdirSync('/proc').filter(one => /^\d+$/.test(one)).map(one => {
    try { return fs.readlinkSync(`/proc/${one}/exe`); } catch { return ''; }
  }).find(one => one.startsWith(prefix) && one.endsWith('firstframe-engine'));
  assert.ok(engine, 'the installed engine runs');
  assert.match(await (await fetch(url + '/')).text(), /<!doctype html>/i);
  assert.equal((await fetch(url + '/sdk/mux.js')).status, 200);
  assert.doesNotMatch(log, /missing|unreadable/);
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
});

test('an address that cannot be listened on ends the program before it touches anything', async t => {
  const server = new Server({ serve: ['--public-url', 'https://qoe.example.com/'] });
  t.after(() => server.stop());
  await server.start();
  assert.match(server.printed, /^listening on http:\/\/localhost:\d+ \(public address https:\/\/qoe\.example\.com\)\n/);
  const data = path.join(server.data, 'not-made');
  const serve = listen => spawnSync(PROGRAM, ['serve', '--data', data, '--listen', listen], { encoding: 'utf8' });
  for (const listen of ['foo', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:-1', '[::1]', 'example.com:8600']) {
    const { status, stdout, stderr } = serve(listen);
    assert.deepEqual([status, stdout], [2, ''], listen);
    assert.match(stderr, /--listen: ".*" is not an address to listen on/);
  }
  const busy = serve(`127.0.0.1:${server.port}`);
  assert.equal(busy.status, 1);
  assert.match(busy.stderr, new RegExp(`Cannot listen on 127\\.0\\.0\\.1 port ${server.port}: Address already in use`));
  assert.ok(!fs.existsSync(data));
  const second = spawnSync(PROGRAM, ['serve', '--data', server.data, '--listen', '127.0.0.1:0'], { encoding: 'utf8' });
  assert.deepEqual([second.status, second.stdout, second.stderr], [1, '', `firstframe: another server uses the data directory ${server.data}\n`]);
});
