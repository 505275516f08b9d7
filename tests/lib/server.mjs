// SPDX-License-Identifier: Apache-2.0
// Starts the real program on a fresh data directory, for black-box tests.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { watch } from './schema.mjs';

export const ROOT = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../..');
export const BUILD = process.env.FIRSTFRAME_BUILD ?? path.join(ROOT, 'build');
export const PROGRAM = path.join(BUILD, 'firstframe');
export const EMAIL = 'owner@example.com';
export const PASSWORD = 'correct horse battery';
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

export function firstframe(args, options = {}) {
  return execFileSync(PROGRAM, args, { encoding: 'utf8', ...options });
}

// Waits until probe() answers something true; the deadline is generous, since machines differ.
export async function until(what, probe, { seconds = 60, every = 100 } = {}) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      last = await probe();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await sleep(every);
  }
  throw new Error(`waited ${seconds} s for ${what}; last: ${last instanceof Error ? last.stack : JSON.stringify(last)}`);
}

export class Server {
  // data: a directory to be kept, made when known (what init printed) is not given; otherwise a fresh one that goes at the end.
  constructor({ init = [], serve = [], data = '', known = null } = {}) {
    this.kept = data !== '';
    this.data = data || fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-test-'));
    this.serveArgs = serve;
    const made = known ? JSON.stringify(known) : firstframe(['init', '--data', this.data, '--email', EMAIL, '--json', ...init],
      { env: { ...process.env, FIRSTFRAME_PASSWORD: PASSWORD } });
    Object.assign(this, JSON.parse(made)); // environment_id, env_key, token_id, token_secret
    this.basic = 'Basic ' + Buffer.from(`${this.token_id}:${this.token_secret}`).toString('base64');
    this.log = '';
  }

  async start() {
    this.stopped = false;
    this.child = spawn(PROGRAM, ['serve', '--data', this.data, '--listen', `127.0.0.1:${this.port ?? 0}`, ...this.serveArgs],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    this.child.stdout.on('data', chunk => { out += chunk; this.printed = out; });
    this.child.stderr.on('data', chunk => { this.log += chunk; });
    this.exited = new Promise(resolve => this.child.once('exit', (code, signal) => { this.stopped = true; resolve({ code, signal }); }));
    await until('the server to listen', () => {
      if (this.stopped) throw new Error('the server ended: ' + this.log);
      return /listening on (\S+)/.exec(out);
    }, { seconds: 180 });
    this.url = /listening on (\S+)/.exec(out)[1];
    this.port = Number(new URL(this.url).port);
    if (process.env.NODE_TEST_CONTEXT) await watch(this.url);
    await until('the store', async () => (await fetch(this.url + '/readyz')).ok && (await this.get('/data/v1/metrics/views/overall')).ok, { seconds: 180 });
    return this;
  }

  get(route, headers = {}) {
    return fetch(this.url + route, { headers: { authorization: this.basic, ...headers } });
  }

  async json(route, headers) {
    const response = await this.get(route, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${route}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  enginePid() {
    const children = fs.readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/children`, 'utf8').trim().split(/\s+/);
    for (const task of fs.readdirSync(`/proc/${this.child.pid}/task`))
      children.push(...fs.readFileSync(`/proc/${this.child.pid}/task/${task}/children`, 'utf8').trim().split(/\s+/));
    return [...new Set(children)].filter(Boolean).map(Number)
      .find(pid => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('firstframe-engine'));
  }

  async kill(signal = 'SIGKILL') {
    if (!this.stopped) this.child.kill(signal);
    return this.exited;
  }

  async stop() {
    if (this.child) {
      const timer = setTimeout(() => this.child.kill('SIGKILL'), 60_000);
      await this.kill('SIGTERM');
      clearTimeout(timer);
    }
    if (!this.kept) fs.rmSync(this.data, { recursive: true, force: true });
  }
}

export async function withServer(options, run) {
  const server = new Server(options);
  try {
    await server.start();
    return await run(server);
  } catch (error) {
    error.message += '\n--- server log ---\n' + server.log.split('\n').slice(-40).join('\n');
    throw error;
  } finally {
    await server.stop();
  }
}
