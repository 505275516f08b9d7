// SPDX-License-Identifier: Apache-2.0
// A server that holds simulated views with known truth, for the API tests. FIRSTFRAME_TEST_STORE: the URL of a ClickHouse
// to use instead of the embedded store.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { PROGRAM, ROOT, Server, until } from '../lib/server.mjs';

// The columns of the view row but the lists of its events, which are long.
function storedColumns() {
  const text = fs.readFileSync(path.join(ROOT, 'src/views/columns.def'), 'utf8');
  return [...text.matchAll(/^COL\((\w+), (\w+), "(\w*)", \w+, /gm)].map(([, name, kind, rest]) => ({ name, kind, rest }))
    .filter(({ name, kind }) => !/^A/.test(kind) || /^(video_cdn_trace$|error_ids$|range_|rendition_|mode_)/.test(name));
}

export class Simulated extends Server {
  constructor({ views = 600, seed = 11, daysBack = 3, init = [], serve = [], ...options } = {}) {
    // However slow the machine is, no view may be over while the simulator still speaks of it.
    const store = process.env.FIRSTFRAME_TEST_STORE ? ['--store', process.env.FIRSTFRAME_TEST_STORE] : [];
    super({ init: ['--allow-backfill', ...init], serve: ['--view-grace-ms', '60000', ...store, ...serve], ...options });
    // Afterwards those that stayed open become final soon.
    this.hasty = ['--view-visible-after', '2', '--view-final-after', '4', ...store, ...serve];
    Object.assign(this, { views, seed, daysBack });
  }

  async start() {
    await super.start();
    const file = path.join(this.data, 'truth.jsonl');
    execFileSync(PROGRAM, ['simulate', '--url', this.url, '--env-key', this.env_key, '--views', String(this.views),
      '--seed', String(this.seed), '--days-back', String(this.daysBack), '--truth', file],
    { stdio: ['ignore', 'ignore', 'inherit'], timeout: Math.max(900_000, 100 * this.views) });
    await this.kill('SIGTERM');
    this.serveArgs = this.hasty;
    await super.start();
    this.truth = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));
    const now = Math.floor(Date.now() / 1000), day = 86400;
    this.from = Math.floor(now / day) * day - 20 * day; // longer than 15 days: snapping to days changes nothing
    this.to = Math.floor(now / day) * day + 2 * day;
    this.window = `timeframe[]=${this.from}&timeframe[]=${this.to - 1}`;
    await until('all views to be stored and final', async () => {
      const { data } = await this.json(`/data/v1/metrics/view_dropped_percentage/overall?${this.window}`);
      return data.total_views >= this.truth.length;
    }, { seconds: Math.max(180, this.views / 20), every: 300 });
    return this;
  }

  // What is stored of each view, by view_id: read from the store itself in one go, past the server and its SQL. Keys are
  // those of the columns, and those of the view detail.
  async details() {
    if (this.byViewId) return this.byViewId;
    const columns = storedColumns(), names = columns.map(({ name }) => name);
    const rows = await this.askStore(`SELECT ${names.join(', ')}, environment_id FROM firstframe.views WHERE environment_id = '${this.environment_id}' AND final = 1 FORMAT JSONCompactEachRow SETTINGS output_format_json_quote_64bit_integers = 0`);
    this.byViewId = new Map();
    for (const line of rows.trim().split('\n')) {
      const values = JSON.parse(line), detail = { environment_id: values.pop() };
      columns.forEach(({ name, kind, rest }, i) => {
        const value = /BOOL/.test(kind) && values[i] !== null ? values[i] === 1 : values[i];
        detail[name] = value;
        if (rest) detail[rest] = value;
      });
      assert.ok(!this.byViewId.has(detail.view_id), `${detail.view_id} is stored once`);
      this.byViewId.set(detail.view_id, detail);
    }
    return this.byViewId;
  }

  // The ClickHouse protocol, at the embedded engine's socket or at the store's URL.
  askStore(sql) {
    const url = process.env.FIRSTFRAME_TEST_STORE;
    const where = url ? { host: new URL(url).hostname, port: new URL(url).port } : { socketPath: path.join(this.data, 'engine/engine.sock') };
    return new Promise((resolve, reject) => {
      const request = http.request({ ...where, method: 'POST', path: '/' }, response => {
        const parts = [];
        response.on('data', part => parts.push(part));
        response.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(text.slice(0, 500)));
        });
      });
      request.on('error', reject).end(sql);
    });
  }

  send(method, route, body, headers = {}) {
    return fetch(this.url + route, {
      method,
      headers: { authorization: this.basic, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  async sendJson(method, route, body, headers) {
    const response = await this.send(method, route, body, headers);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }
}

export async function inParallel(items, work, width = 4) {
  const queue = [...items];
  await Promise.all(Array.from({ length: width }, async () => {
    while (queue.length) await work(queue.shift());
  }));
}
