// SPDX-License-Identifier: Apache-2.0
// /openapi.json describes what the server does: the example of every operation is sent, and its answer held against the
// schema, without a key too many. /docs shows the same without a script.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { totp } from '../access/access.mjs';
import { Document } from '../lib/schema.mjs';
import { EMAIL, PASSWORD, until } from '../lib/server.mjs';
import { Simulated } from './simulated.mjs';

let server, document, known;

before(async () => {
  server = await new Simulated({ views: 200, seed: 3 }).start();
  document = await Document.of(server.url);
  const session = await (await server.send('POST', '/api/sessions', { session: { email: EMAIL, password: PASSWORD } })).json();
  const key = (await server.sendJson('POST', '/system/v1/signing-keys')).data;
  const note = (await server.sendJson('POST', '/data/v1/annotations', { note: 'x', date: 1767600000 })).data;
  const file = await until('an export', async () => (await server.json('/data/v1/exports/views')).data[0]?.files[0], { seconds: 90, every: 1000 });
  const signed = new URL(file.path);
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const jwt = `${part({ alg: 'RS256', kid: key.id })}.${part({ sub: 'x', aud: 'video_id', exp: Math.floor(Date.now() / 1000) + 600 })}`;
  known = {
    session: session.data.token,
    view: server.truth[0].view_id,
    error: (await server.json('/data/v1/errors?' + server.window)).data[0].id,
    annotation: note.id,
    key: key.id,
    token: `${jwt}.${crypto.sign('sha256', Buffer.from(jwt), Buffer.from(key.private_key, 'base64').toString()).toString('base64url')}`,
    environment: server.environment_id,
    file: signed.pathname.split('/').at(-1),
    expires: signed.searchParams.get('expires'),
    signature: signed.searchParams.get('signature'),
  };
});
after(() => server?.stop());

test('the document is one of OpenAPI 3.1, and everything in it leads somewhere', () => {
  const { json } = document;
  assert.match(json.openapi, /^3\.1\./);
  assert.ok(document.operations.length > 45);
  const text = JSON.stringify(json);
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) assert.ok(json.components.schemas[name], name);
  for (const { path, operation } of document.operations) {
    const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(match => match[1]);
    assert.deepEqual(operation.parameters.filter(one => one.in === 'path').map(one => one.name), inPath, path);
    assert.ok(operation.summary && operation.tags.length && operation['x-example'], path);
  }
});

test('what may not be left out is required, and dimensions of subviews are those that are listed', async () => {
  const required = path => document.json.paths[path].get.parameters.filter(one => one.in === 'query' && one.required).map(one => one.name);
  const comparison = '/data/v1/subview-metrics/{METRIC_ID}/{SUBVIEW_TYPE}/comparison';
  assert.deepEqual(required(comparison), ['dimension', 'values[]']);
  assert.deepEqual(required('/counts'), ['token']);
  assert.deepEqual(required('/data/v1/metrics/comparison'), []);
  const { schema } = document.json.paths[comparison].get.parameters.find(one => one.name === 'dimension');
  const { data } = await server.json('/data/v1/subview-metrics/rendition/dimensions');
  assert.deepEqual(document.json.components.schemas[schema.$ref.split('/').at(-1)].enum, data.view);
});

// Places of an example that only a running server can fill: {view} and the like.
function fill(example) {
  return example.replace(/\{(\w+)\}/g, (whole, name) => known[name] ?? whole);
}

test('the example of every operation is answered as described', async t => {
  const asPerson = path => /^\/(api|system)\//.test(path);
  const order = { GET: 0, POST: 1, PATCH: 2, DELETE: 3 };
  const tried = [];
  for (const { method, path, operation } of [...document.operations].sort((a, b) => order[a.method] - order[b.method])) {
    const route = fill(operation['x-example']).replace(/^\/[^?]*/, given => (path.includes('{') || given === path ? given : path));
    const [status, expected] = Object.entries(operation.responses)[0];
    // What changes people, tokens and sessions belongs to the tests of access; their answers are held against the schema there.
    if (/\{/.test(route) || (method === 'DELETE' && path.startsWith('/video/')) || (method !== 'GET' && asPerson(path) && !path.includes('signing-keys'))) continue;
    const body = operation.requestBody?.content['application/json'].example;
    const open = operation.security?.length === 0, needsPerson = operation['x-permission'] === 'a signed-in person';
    const response = await fetch(server.url + route, { method,
      headers: { ...(open ? {} : needsPerson || path.startsWith('/api/') ? { 'beta-auth-token': known.session } : { authorization: server.basic }), ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body && JSON.stringify(body) });
    const text = await response.text();
    if (path.startsWith('/api/setup')) continue;
    assert.equal(response.status, Number(status), `${method} ${route}: ${text.slice(0, 300)}`);
    if (expected.content?.['application/json']) {
      assert.match(response.headers.get('content-type'), /^application\/json/);
      document.check(method, route, response.status, JSON.parse(text));
    } else if (status === '204') assert.equal(text, '');
    tried.push(`${method} ${path}`);
  }
  t.diagnostic(`${tried.length} of ${document.operations.length} operations`);
  const data = document.operations.filter(one => /^\/(data|counts|video|openapi|docs)/.test(one.path)).map(one => `${one.method} ${one.path}`);
  assert.deepEqual(data.filter(name => !tried.includes(name) && !name.includes('/video/v1/signing-keys/')), []);
});

test('people, their accounts and keys: every answer as described', async () => {
  const person = { 'beta-auth-token': known.session };
  const ask = (method, path, body, status = 200, headers = person) => server.send(method, path, body, headers).then(async response => {
    const text = await response.text();
    assert.equal(response.status, status, `${method} ${path}: ${text}`);
    return text ? JSON.parse(text).data : undefined; // held against the schema by schema.mjs
  });
  await ask('PATCH', '/api/account', { name: 'Ada' }, 204);
  assert.equal((await ask('PATCH', '/system/v1/organization', { name: 'Northside' })).name, 'Northside');
  const made = await ask('POST', '/system/v1/people', { email: 'grace@example.com', password: 'long enough', role: 'viewer', name: 'Grace' }, 201);
  assert.equal((await ask('GET', `/system/v1/people/${made.id}`)).email, 'grace@example.com');
  assert.equal((await ask('PATCH', `/system/v1/people/${made.id}`, { role: 'editor' })).role, 'editor');
  await ask('DELETE', `/system/v1/people/${made.id}/sessions`, undefined, 204);
  const second = await ask('POST', '/api/sessions', { session: { email: EMAIL, password: PASSWORD } }, 201, {});
  assert.ok(second.token);
  const other = (await ask('GET', '/api/sessions')).find(one => !one.current);
  await ask('DELETE', `/api/sessions/${other.id}`, undefined, 204);
  const fresh = await ask('POST', '/api/totp', {}, 201);
  await ask('POST', '/api/totp/enable', { password: PASSWORD, secret: fresh.secret, code: totp(fresh.secret, Date.now()) }, 204);
  await ask('DELETE', '/api/totp', { password: PASSWORD }, 204);
  const key = await ask('POST', '/video/v1/signing-keys', undefined, 201);
  assert.equal((await ask('GET', `/video/v1/signing-keys/${key.id}`)).id, key.id);
  await ask('DELETE', `/video/v1/signing-keys/${key.id}`, undefined, 204);
});

test('the page shows every operation, with no script, no inline style and nothing from elsewhere', async () => {
  const response = await fetch(server.url + '/docs');
  assert.match(response.headers.get('content-type'), /^text\/html/);
  assert.match(response.headers.get('content-security-policy'), /default-src 'none'; style-src 'self'/);
  const html = await response.text();
  assert.doesNotMatch(html, /<script|<style|\sstyle=|\son\w+=|javascript:/i);
  for (const [, url] of html.matchAll(/\s(?:href|src)="([^"]+)"/g)) assert.match(url, /^(#[\w-]+|\/openapi\.json|\/docs\/style\.css)$/);
  const ids = new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(match => match[1]));
  for (const [, id] of html.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.has(id), `#${id} leads nowhere`);
  for (const { path } of document.operations) assert.ok(html.includes(`<code>${path}</code>`), path);
  const style = await fetch(server.url + '/docs/style.css');
  assert.match(style.headers.get('content-type'), /^text\/css/);
  assert.equal((await fetch(server.url + '/docs', { method: 'POST' })).status, 405);
});
