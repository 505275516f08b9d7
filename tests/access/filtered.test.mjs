// SPDX-License-Identifier: Apache-2.0
// A token that sees only sub_property_id:acme. One environment holds the views of acme and zenith, another one the same
// views of acme alone; whatever the filtered token is told of the first must be what anybody is told of the second.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Server, until } from '../lib/server.mjs';
import { basicOf, call, routes, signIn } from './access.mjs';
import { play } from './beacons.mjs';

const START = Math.floor(Date.now() / 1000), WINDOW = `timeframe[]=${START - 3600}&timeframe[]=${START + 3600}`;
let server, owner, shared, alone, zenith;

const fieldsOf = (who, i) => ({ ypyid: who, vtt: `${who} film ${i % 2}`, vid: `${who}-video`, uusid: `${who}-viewer-${i}`,
  mvrid: `${who}-device-${i}`, percd: who === 'acme' ? 7 : 8000 + i, perme: `${who} broke` });

// At the same moments in both environments.
async function views(envKey, who, n, endedMs) {
  for (let i = 0; i < n; i++)
    await play(server, i % 2 ? 'error-custom' : 'mp4-basic', envKey, { view: `${who}-view-${i}`, fields: fieldsOf(who, i), endedAt: START * 1000 - endedMs - i * 10_000 });
}

async function environment(name, filter) {
  const made = await call(server, 'POST', '/system/v1/environments', { headers: owner, body: { name, allow_backfill: true } });
  assert.equal(made.status, 201, made.text);
  const { id, env_key } = made.body.data;
  const token = async body => {
    const t = await call(server, 'POST', `/system/v1/access-tokens?environment_id=${id}`, { headers: owner, body });
    assert.equal(t.status, 201, t.text);
    return { authorization: basicOf(t.body.data.id, t.body.data.secret) };
  };
  const permissions = ['data:read', 'data:write', 'system:read', 'system:write', 'video:read'];
  return { id, env_key, all: await token({ name: 'all', permissions }), some: filter && await token({ name: 'some', permissions, filter }) };
}

before(async () => {
  server = await new Server().start();
  owner = { 'beta-auth-token': await signIn(server, EMAIL, PASSWORD) };
  shared = await environment('Shared', 'sub_property_id:acme');
  alone = await environment('Alone');
  for (const env of [shared, alone]) {
    await views(env.env_key, 'acme', 4, 120_000);
    for (const sub of env === shared ? ['acme', 'zenith', null] : ['acme'])
      assert.equal((await call(server, 'POST', '/data/v1/annotations', { headers: env.all, body: { note: `${sub ?? 'everybody'} deployed`, date: START, ...(sub && { sub_property_id: sub }) } })).status, 201);
  }
  await views(shared.env_key, 'zenith', 6, 60_000);
  const stored = async (env, n) => (await call(server, 'GET', `/data/v1/video-views?${WINDOW}&limit=100`, { headers: env.all })).body.data.length === n;
  await until('all views', async () => await stored(shared, 10) && await stored(alone, 4));
  const of = async (route, pick) => (await call(server, 'GET', route, { headers: shared.all })).body.data.filter(pick).map(row => row.id);
  zenith = {
    view: (await of(`/data/v1/video-views?${WINDOW}&limit=100`, v => v.video_title.startsWith('zenith')))[0],
    error: (await of(`/data/v1/errors?${WINDOW}`, e => e.message === 'zenith broke'))[0],
    annotation: (await of('/data/v1/annotations', a => a.note === 'zenith deployed'))[0],
    nobody: (await of('/data/v1/annotations', a => a.sub_property_id === null))[0],
  };
  for (const [what, id] of Object.entries(zenith)) assert.ok(id, `there is a ${what} of zenith's`);
});
after(() => server?.stop());

// What differs between two environments although the views are the same.
const OWN = new Set(['environment_id', 'property_id', 'inserted_at', 'updated_at', 'timeframe', 'rewrite']);
function plain(value) {
  // The last digits of a sum depend on the order in which the store adds, which is its own affair.
  if (typeof value === 'number') return Number(value.toPrecision(12));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => !OWN.has(key)).map(([key, v]) =>
    [key, (key === 'id' || /error(_type)?_id$/.test(key)) && v !== null ? 'an id' : plain(v)]));
}
const sorted = value => (Array.isArray(value.data) ? { ...value, data: value.data.map(v => JSON.stringify(v)).sort() } : value);

async function same(method, route, body) {
  const [some, all] = await Promise.all([call(server, method, route, { headers: shared.some, body }), call(server, method, route, { headers: alone.all, body })]);
  const what = `${method} ${route} ${body ? JSON.stringify(body) : ''}`;
  assert.equal(some.status, all.status, `${what}: ${some.text.slice(0, 300)} / ${all.text.slice(0, 300)}`);
  // Two answers repeat what was asked for: a sentence of refusal, and a value that has no rows.
  const told = some.text.replace(/"messages":\[.*?\]/, '').replaceAll('"dimension_value":"zenith","values":[]', '');
  assert.ok(!/zenith|everybody/.test(told), `${what} names somebody else: ${some.text.slice(0, 500)}`);
  if (some.status === 200) assert.deepEqual(sorted(plain(some.body)), sorted(plain(all.body)), what);
  return some.status;
}

const ASKS = ['', 'filters[]=sub_property_id:zenith', 'filters[]=sub_property_id:acme', 'filters[]=sub_property_id:acme&filters[]=sub_property_id:zenith',
  'filters[]=!sub_property_id:acme', 'filters[]=!sub_property_id:zenith', 'filters[]=sub_property_id:', 'filters[]=video_title:zenith film 0',
  'filters[]=video_title:zenith film 0&filters[]=video_title:acme film 0', 'metric_filters[]=video_startup_time>=0', 'group_by=sub_property_id', 'group_by=video_title',
  'group_by=player_error_code&filters[]=sub_property_id:zenith', 'dimension=sub_property_id&value=zenith', 'dimension=sub_property_id&value=acme',
  'dimension=sub_property_id&values[]=zenith&values[]=acme', 'viewer_id=zenith-viewer-0', 'error_id=any', 'query=zenith', 'order_direction=asc&limit=1&page=2'];
const PLACES = {
  METRIC_ID: ['views', 'unique_viewers', 'video_startup_time', 'playing_time', 'playback_failure_percentage'], SUBVIEW_TYPE: ['rendition', 'playback_mode'],
  DIMENSION_ID: ['sub_property_id', 'video_title', 'player_error_code', 'viewer_user_id', 'video_cdn_trace'], DIMENSION_NAME: ['sub_property_id', 'video_title'],
  CONTENT: ['videos'], CONTENT_ID: ['zenith-video', 'acme-video'], VIDEO_VIEW_ID: () => [zenith.view, 'zenith-view-0'], ERROR_ID: () => [String(zenith.error)],
  ANNOTATION_ID: () => [zenith.annotation, zenith.nobody],
};
function expand(route) {
  const name = /\{(\w+)\}/.exec(route)?.[1];
  if (!name) return [route];
  const values = typeof PLACES[name] === 'function' ? PLACES[name]() : PLACES[name];
  assert.ok(values, `this test knows no {${name}}: say in PLACES what to ask for`);
  return values.flatMap(value => expand(route.replace(`{${name}}`, encodeURIComponent(value))));
}

// A file or a list that cannot be split is refused as a whole.
const REFUSED = new Set(['api_exports_views', 'api_exports_list', 'api_beacons_recent']);

for (const row of routes().filter(r => r.method === 'GET' && r.access === 'DATA_READ')) {
  test(`GET ${row.route}`, async () => {
    const statuses = new Set();
    for (const route of expand(row.route)) {
      if (REFUSED.has(row.handler)) {
        const answer = await call(server, 'GET', route, { headers: shared.some });
        assert.equal(answer.status, 403, answer.text);
        statuses.add('refused');
      } else for (const ask of ASKS) statuses.add(await same('GET', `${route}?${WINDOW}&${ask.replaceAll(' ', '%20')}`));
    }
    assert.ok([...statuses].some(s => s !== 400), 'every question of this test was a bad one: ' + [...statuses]);
  });
}

test('POST /data/v1/query', async () => {
  const timeframe = [START - 3600, START + 3600].map(String), is = (dimension, value, operator = 'is') => ({ dimension, operator, value });
  const conditions = [undefined, is('sub_property_id', 'zenith'), is('sub_property_id', ['zenith', 'acme'], 'in'), is('sub_property_id', 'acme', 'is_not'),
    { or: [is('sub_property_id', 'zenith'), is('sub_property_id', 'acme')] }, { not: is('sub_property_id', 'acme') },
    { or: [is('video_title', 'zenith film 0'), { not: is('sub_property_id', 'nobody') }] }];
  const answered = [];
  for (const filters of conditions)
    for (const dimensions of [[], ['sub_property_id'], ['video_title', 'player_error_code']])
      for (const metrics of [[{ metric: 'views' }, { metric: 'unique_viewers' }], [{ metric: 'video_startup_time', percentile: 0.9 }]])
        answered.push(await same('POST', '/data/v1/query', { timeframe, metrics, dimensions, ...(filters && { filters }) }));
  assert.ok(answered.includes(200) && !answered.includes(403), [...new Set(answered)].join(' '));
});

test('what is somebody else\'s cannot be read, changed or named', async () => {
  const some = async (method, route, body) => (await call(server, method, route, { headers: shared.some, body })).status;
  assert.equal(await some('GET', `/data/v1/video-views/${zenith.view}`), 404);
  assert.equal(await some('GET', `/data/v1/errors/${zenith.error}?${WINDOW}`), 404);
  assert.equal(await some('PATCH', `/data/v1/errors/${zenith.error}?${WINDOW}`, { severity: 'warning' }), 403);
  for (const id of [zenith.annotation, zenith.nobody]) {
    assert.equal(await some('GET', `/data/v1/annotations/${id}`), 404);
    assert.equal(await some('PATCH', `/data/v1/annotations/${id}`, { note: 'mine' }), 404);
    assert.equal(await some('DELETE', `/data/v1/annotations/${id}`), 404);
  }
  assert.ok([400, 403].includes(await some('POST', '/data/v1/annotations', { note: 'x', date: START, sub_property_id: 'zenith' })));
  const own = await call(server, 'GET', '/data/v1/annotations', { headers: shared.some });
  assert.ok([400, 403].includes(await some('PATCH', `/data/v1/annotations/${own.body.data[0].id}`, { sub_property_id: 'zenith' })));
  assert.equal(await some('GET', '/system/v1/people'), 403);
  assert.equal(await some('GET', '/system/v1/audit'), 403);
  assert.equal(await some('POST', '/system/v1/access-tokens', { name: 'all', permissions: ['data:read'] }), 403);
  assert.equal((await call(server, 'GET', '/system/v1/whoami', { headers: shared.some })).status, 200);
});
