// SPDX-License-Identifier: Apache-2.0
// A server that holds simulated views with known truth, for the API tests. FIRSTFRAME_TEST_STORE: the URL of a ClickHouse
// to use instead of the embedded store.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { PROGRAM, Server, until } from '../lib/server.mjs';

export class Simulated extends Server {
  constructor({ views = 600, seed = 11, daysBack = 3, init = [], serve = [], ...options } = {}) {
    // Views that stay open at the simulation's end become final soon.
    super({ init: ['--allow-backfill', ...init], serve: ['--view-visible-after', '2', '--view-final-after', '4',
      ...(process.env.FIRSTFRAME_TEST_STORE ? ['--store', process.env.FIRSTFRAME_TEST_STORE] : []), ...serve], ...options });
    Object.assign(this, { views, seed, daysBack });
  }

  async start() {
    await super.start();
    const file = path.join(this.data, 'truth.jsonl');
    execFileSync(PROGRAM, ['simulate', '--url', this.url, '--env-key', this.env_key, '--views', String(this.views),
      '--seed', String(this.seed), '--days-back', String(this.daysBack), '--truth', file],
    { stdio: ['ignore', 'ignore', 'inherit'], timeout: 900_000 });
    this.truth = fs.readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line));
    const now = Math.floor(Date.now() / 1000), day = 86400;
    this.from = Math.floor(now / day) * day - 20 * day; // longer than 15 days: snapping to days changes nothing
    this.to = Math.floor(now / day) * day + 2 * day;
    this.window = `timeframe[]=${this.from}&timeframe[]=${this.to - 1}`;
    await until('all views to be stored and final', async () => {
      const { data } = await this.json(`/data/v1/metrics/view_dropped_percentage/overall?${this.window}`);
      return data.total_views >= this.truth.length;
    }, { seconds: 180, every: 300 });
    return this;
  }

  // The view details by view_id, fetched once.
  async details() {
    if (this.byViewId) return this.byViewId;
    const byViewId = new Map();
    await inParallel(this.truth, async view => {
      const { data } = await this.json('/data/v1/video-views/' + view.view_id);
      byViewId.set(view.view_id, data);
    });
    this.byViewId = byViewId;
    return byViewId;
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
