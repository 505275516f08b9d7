// SPDX-License-Identifier: Apache-2.0
// The views of players.mjs through a real server: as a backfill, and as they happen with clocks that are right or hours wrong. Each
// must say what was worked out by hand, and in all its keys what the reference says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep, until, withServer } from '../lib/server.mjs';
import { differences } from './golden.mjs';
import { DIALECTS, START, VIEWS, encode } from './players.mjs';
import { random, shuffled } from './random.mjs';
import { decode, detail } from './reference.mjs';

const AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36';
const SKEWS = [0, 3 * 3_600_000, -40 * 60_000, 12_000, -400 * 86_400_000, 31_000];

async function send(server, dialect, events, { backfill, transmission, rtt }) {
  const { path, type, metadata, pretty, headers } = DIALECTS[dialect];
  const body = { ...(metadata ? { metadata: { transmission_timestamp: transmission, ...(rtt === undefined ? {} : { rtt_ms: rtt }) } } : {}), events };
  const response = await fetch(server.url + path, { method: 'POST', body: JSON.stringify(body, null, pretty ? 2 : 0),
    headers: { 'user-agent': AGENT, 'content-type': type, ...headers, ...(backfill ? { 'x-firstframe-backfill': '1' } : {}) } });
  assert.equal(response.status, 200);
  await response.arrayBuffer();
}

// Views of one player or page share their requests; those of an SDK that resends come in any order and twice.
function posts(server, views, base, seed) {
  const next = random(seed), all = views.flatMap(view => encode(view, base).map(event => ({ ...event, ake: server.env_key }))), out = [];
  if (views[0].player === 'page') return [all.sort((a, b) => a.uti - b.uti)];
  for (let at = 0; at < all.length; at += 4) out.push(all.slice(at, at + 4));
  return views[0].dialect === 'web' ? out : shuffled(out, next);
}

const groups = [...Map.groupBy(VIEWS, view => view.player ?? view.id).values()];

const shaped = ({ events, ...fields }) => ({ fields: Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
  null: Object.keys(fields).filter(name => fields[name] === null).join(' '), events: events.map(event => [event.name, event.viewer_time, event.playback_time, event.details]) });

function byHand(view, data, live) {
  for (const [name, value] of Object.entries(view.wanted)) {
    if (live && view.fixed?.includes(name)) continue;
    if (name.endsWith('error_type_id')) assert.equal(data[name] === null, value === null, `${view.what}: ${name}`);
    else if (typeof value === 'number' && !Number.isInteger(value)) assert.ok(Math.abs(data[name] - value) < 1e-9 * value, `${view.what}: ${name} is ${data[name]}, not ${value}`);
    else if (!(live && name === 'live_stream_latency')) assert.deepEqual(data[name], value, `${view.what}: ${name}`);
  }
}

const dropped = async (server, reason) => Number(new RegExp(`firstframe_beacons_dropped_total{[^}]*reason="${reason}"[^}]*} (\\d+)`)
  .exec(await (await fetch(server.url + '/metrics')).text())?.[1] ?? 0);

const fetched = (server, view, final) => until(`${view.what} (${view.id})`, async () => {
  const response = await server.get('/data/v1/video-views/' + view.id);
  const data = response.ok && (await response.json()).data;
  return data && (!final || data.view_dropped || data.events.at(-1).name === 'viewend' || data.events.some(event => event.name === 'viewend')) && data;
}, { seconds: 240, every: 300 });

test('as a backfill', { timeout: 900_000 }, () => withServer({ init: ['--allow-backfill'], serve: ['--view-grace-ms', '20000'] }, async server => {
  for (const [i, views] of groups.entries()) {
    const all = posts(server, views, START, i + 1);
    for (const events of [...all, ...all.slice(-1)]) await send(server, views[0].dialect, events, { backfill: true, transmission: START, rtt: 25 });
  }
  const errors = new Map();
  for (const view of VIEWS.filter(view => view.wanted)) {
    const data = await fetched(server, view);
    byHand(view, data, false);
    assert.deepEqual(differences(data, shaped(detail(encode(view).map(decode), AGENT)), errors), [], view.what);
  }
  for (const view of VIEWS.filter(view => !view.wanted)) assert.equal((await server.get('/data/v1/video-views/' + view.id)).status, 404, view.what);
}));

test('as they happen, with clocks of their own', { timeout: 900_000 }, () => withServer({
  serve: ['--view-grace-ms', '20000', '--view-visible-after', '5', '--view-final-after', '40'] }, async server => {
  const sent = [];
  for (const [i, views] of groups.entries()) {
    const skew = SKEWS[i % SKEWS.length], last = Math.max(...views.flatMap(view => view.events.map(([, at]) => at)));
    const base = Date.now() - last - 1000 + skew, rtt = i % 2 ? 25 : undefined;
    for (const events of posts(server, views, base, i + 1)) {
      const transmission = Date.now() + skew;
      await send(server, views[0].dialect, events, { backfill: false, transmission, rtt });
      sent.push({ events, transmission, rtt });
    }
    for (const view of views) view.base = base;
  }
  const errors = new Map();
  for (const view of VIEWS.filter(view => view.wanted)) {
    const data = await fetched(server, view, true);
    byHand(view, data, true);
    // The answer says when each request was received; that gives the clock's offset to the ms.
    const own = encode(view, view.base), received = new Map();
    assert.equal(data.events.length, own.length, view.what);
    const order = own.map((event, i) => ({ sequence: event.xsqno ?? event.psqno, time: Number(event.uti), i })).sort((a, b) => a.time - b.time || a.i - b.i);
    order.forEach(({ sequence }, i) => received.set(Number(sequence), data.events[i].event_time));
    const offset = Math.min(...sent.filter(post => post.events.some(event => event.xid === view.id)).map(({ events, transmission, rtt }) => {
      const mine = events.find(event => event.xid === view.id), receipt = received.get(Number(mine.xsqno ?? mine.psqno));
      return DIALECTS[view.dialect].metadata ? receipt - transmission - (rtt ?? 0) / 2 : receipt - Math.max(...events.map(event => Number(event.uti)));
    }));
    const wanted = detail(own.map(decode), AGENT, { offset, receipt: sequence => received.get(sequence) });
    assert.deepEqual(differences(data, shaped(wanted), errors), [], view.what);
  }

  // A view that is final stays as it is, whatever comes under its id.
  const view = VIEWS.find(view => view.wanted && view.dialect === 'web' && view.events.at(-1)[0] === 'viewend');
  const before = await fetched(server, view), late = await dropped(server, 'too_late'), now = Date.now();
  const again = [['viewstart', { view_title: 'other' }], ['play', {}], ['viewend', {}]].map(([event], i) => ({ e: event, ake: server.env_key, xid: view.id, xsqno: 100 + i, uti: now, vtt: 'other' }));
  await send(server, 'web', again, { transmission: now });
  await send(server, 'web', [{ e: 'play', ake: server.env_key, xsqno: 1, uti: now }, { e: 'play', ake: server.env_key, xid: 'no-number', uti: now }], { transmission: now });
  await until('the refusals to be counted', async () => await dropped(server, 'too_late') === late + 3);
  assert.equal(await dropped(server, 'no_view_id'), 1);
  assert.equal(await dropped(server, 'no_sequence'), 1);
  await sleep(1000);
  assert.deepEqual(await fetched(server, view), before);
}));
