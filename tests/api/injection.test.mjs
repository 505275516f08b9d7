// SPDX-License-Identifier: Apache-2.0
// Strings that want to become SQL (or a path, or JSON), in every parameter of every route of /openapi.json and in every text
// of every body: each is an ordinary answer or an ordinary refusal, none reaches the store as anything but a value, and
// afterwards everything is as before.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Document } from '../lib/schema.mjs';
import { Simulated, inParallel } from './simulated.mjs';

const EVIL = ["' OR 1=1 --", "x' UNION ALL SELECT * FROM firstframe.views --", '\\', "\\' OR 1 --", "'; DROP TABLE firstframe.views; --", "') SETTINGS readonly = 0 --",
  '`', '"', '$$', '{x:String}', '../../accounts.db', "a'||sleep(3)||'", '\u0000', '\u02bc OR 1=1', '%27 OR 1=1', '/* */', "video_title:' OR 1=1 --", "[a','b]"];
// What ends sessions, keys or the environment itself is asked with words that name nothing, as the others are; but these
// routes take nothing from the request at all.
const LEFT_OUT = new Set(['DELETE /api/sessions', 'DELETE /api/sessions/current', 'DELETE /api/totp', 'POST /system/v1/signing-keys', 'POST /video/v1/signing-keys', 'POST /api/totp']);
let server, document, total;

before(async () => {
  server = await new Simulated({ views: 80, seed: 31 }).start();
  document = await Document.of(server.url);
  total = await everything();
});
after(() => server?.stop());

const everything = async () => ({
  views: (await server.json(`/data/v1/metrics/comparison?${server.window}`)).data,
  errors: (await server.json(`/data/v1/errors?${server.window}`)).data,
  titles: (await server.json(`/data/v1/dimensions/video_title?${server.window}`)).data,
  stored: await server.askStore("SELECT count(), sum(cityHash64(view_id, watch_time, video_title)) FROM firstframe.views FORMAT TSV"),
});

const GOOD = { METRIC_ID: 'views', DIMENSION_ID: 'country', CONTENT: 'videos', SUBVIEW_TYPE: 'rendition' };
const encode = encodeURIComponent;

// The route with one place taken by the evil text.
function* requests({ method, path, operation }) {
  const inPath = operation.parameters.filter(one => one.in === 'path').map(one => one.name), query = operation.parameters.filter(one => one.in === 'query').map(one => one.name);
  const filled = (but, text) => path.replace(/\{(\w+)\}/g, (_, name) => (name === but ? encode(text) : GOOD[name] ?? (name === 'METRIC_ID' && path.includes('subview') ? 'playing_time' : 'nobody')))
    .replace('/subview-metrics/views/', '/subview-metrics/playing_time/');
  for (const text of EVIL) {
    for (const name of inPath) yield [method, filled(name, text), undefined];
    if (method === 'GET') for (const name of query) yield [method, `${filled()}?${encode(name)}=${encode(text)}`, undefined];
    if (method === 'GET' && query.includes('filters[]')) yield [method, `${filled()}?${encode('filters[]')}=${encode('video_title:' + text)}&${encode('filters[]')}=${encode('!country:' + text)}`, undefined];
    const example = operation.requestBody?.content['application/json'].example;
    if (example) for (const body of bodies(example, text)) yield [method, filled(), body];
  }
}

// The example with one text after the other (names of members too) replaced.
function* bodies(value, text) {
  if (typeof value === 'string') yield text;
  if (Array.isArray(value)) for (let i = 0; i < value.length; i++) for (const one of bodies(value[i], text)) yield value.with(i, one);
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    for (const [key, member] of Object.entries(value)) for (const one of bodies(member, text)) yield { ...value, [key]: one };
    yield { ...value, [text]: 1 };
  }
}

test('in every parameter of every route', async t => {
  const all = document.operations.filter(one => !LEFT_OUT.has(`${one.method} ${one.path}`) && !/sessions$|password|setup|invitations/.test(one.path)).flatMap(one => [...requests(one)]);
  t.diagnostic(`${all.length} requests`);
  assert.ok(all.length > 3000);
  await inParallel(all, async ([method, route, body]) => {
    const response = await server.send(method, route, body), text = await response.text(), what = `${method} ${route} ${JSON.stringify(body) ?? ''}: ${response.status} ${text.slice(0, 300)}`;
    assert.ok([200, 201, 204, 400, 403, 404].includes(response.status), what);
    assert.doesNotMatch(text, /DB::|Code: \d+|SYNTAX_ERROR|sqlite/i, what);
  }, 8);
});

test('the store was never given anything it had to refuse', () => assert.doesNotMatch(server.log, /store_refused_question|sqlite_error|accounts_sql/));

test('everything is as before', async () => {
  assert.deepEqual(await everything(), total);
  assert.equal((await server.json('/system/v1/whoami')).data.environment_id, server.environment_id);
});
