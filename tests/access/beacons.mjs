// SPDX-License-Identifier: Apache-2.0
// Views made of the recordings: one player's real requests, moved to another time and given other names.
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../lib/server.mjs';

const recorded = name => fs.readFileSync(path.join(ROOT, `tests/captures/${name}.jsonl`), 'utf8').trim().split('\n')
  .map(line => JSON.parse(line)).filter(r => r.method === 'POST').map(r => ({ agent: r.headers['User-Agent'], body: JSON.parse(r.body) }));

// Wall times of the recording, in ms: only they are so large.
const move = (value, by) => (typeof value === 'number' && value > 1_700_000_000_000 && value < 2_000_000_000_000 ? value + by : value);
const uuid = text => {
  const hex = [...Buffer.from(text.padEnd(16, '.').slice(-16))].map(b => b.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

// fields: by their wire names, put into every event that has the key already or begins the view; ypyid (the sub
// property) into every event.
function named(event, envKey, view, fields, by) {
  const out = Object.fromEntries(Object.entries(event).map(([key, value]) => [key, move(value, by)]));
  out.ake = envKey;
  out.xid = uuid(view);
  for (const [key, value] of Object.entries(fields)) if (key in out || !['percd', 'perme'].includes(key)) out[key] = value;
  return out;
}

// One small beacon: the beginning of a view.
export function beaconOf(envKey, { view, fields = {} }) {
  const [first] = recorded('mp4-basic'), by = Date.now() - first.body.metadata.transmission_timestamp;
  const events = first.body.events.map(e => named(e, envKey, view, fields, by));
  return JSON.stringify({ metadata: { transmission_timestamp: Date.now() }, events });
}

// A whole view as it was recorded, that ended at that moment (ms); the environment has to take history.
export async function play(server, scenario, envKey, { view, fields, endedAt }) {
  const requests = recorded(scenario), last = requests.at(-1).body.metadata.transmission_timestamp, by = endedAt - last;
  for (const { agent, body } of requests) {
    const events = body.events.map(e => named(e, envKey, view, fields, by));
    const answer = await fetch(server.url + '/', { method: 'POST', headers: { 'content-type': 'text/plain', 'user-agent': agent, 'x-firstframe-backfill': '1' },
      body: JSON.stringify({ metadata: { transmission_timestamp: body.metadata.transmission_timestamp + by }, events }) });
    if (answer.status !== 200) throw new Error(`a beacon was answered ${answer.status}`);
    await answer.arrayBuffer();
  }
}
