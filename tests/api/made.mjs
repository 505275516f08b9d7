// SPDX-License-Identifier: Apache-2.0
// Views made up by hand for the tests of the API: events in long names, sent as an SDK sends them, at times in the past.
import assert from 'node:assert/strict';
import { shortName } from '../golden/reference.mjs';
import { until } from '../lib/server.mjs';

// A day that nothing else happens on, at noon; long ago enough to be final at once.
export const NOON = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 12 * 86_400_000 + 43_200_000;
export const iso = ms => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

// events: [name, ms since start, fields]. fields of the view go into its first event.
export class Made {
  constructor(server) {
    this.server = server;
    this.count = 0;
  }

  // A view that lasts `watch` ms; answers its view_id. Times, counters and metadata by name, whatever else by `events`.
  view({ id = `made-${++this.count}`, start = NOON, watch = 10_000, ttff = 0, events, end = {}, ...fields } = {}) {
    const first = ['viewstart', 0, { view_start: start, view_watch_time: 0, view_playing_time_ms_cumulative: 0, ...fields }];
    const middle = events ?? (ttff === null ? [] : [['playing', ttff, { view_time_to_first_frame: ttff, view_watch_time: ttff }]]);
    const last = ['viewend', watch, { view_watch_time: watch, ...end }];
    const wire = [first, ...middle, last].map(([event, at, values], i) => Object.fromEntries(Object.entries({ event, env_key: this.server.env_key, view_id: id,
      view_sequence_number: i + 1, player_sequence_number: i + 1, viewer_time: start + at, ...values }).map(([name, value]) => [shortName(name), value])));
    (this.batch ??= []).push(...wire);
    return id;
  }

  // Sends what was made so far, and waits until so many views of the environment are final.
  async send(headers = {}) {
    for (let at = 0; at < (this.batch ?? []).length; at += 250) {
      const response = await fetch(this.server.url + '/', { method: 'POST', headers: { 'x-firstframe-backfill': '1', 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ events: this.batch.slice(at, at + 250) }) });
      assert.equal(response.status, 200);
    }
    this.views = new Set([...this.views ?? [], ...(this.batch ?? []).map(event => event[shortName('view_id')])]);
    this.batch = [];
    const route = `/data/v1/metrics/view_dropped_percentage/overall?timeframe[]=${NOON / 1000 - 40 * 86400}&timeframe[]=${Math.floor(Date.now() / 1000) + 86400}`;
    await until('the made views to be final', async () => (await this.server.json(route)).data.total_views >= this.views.size, { seconds: 120 });
  }
}
