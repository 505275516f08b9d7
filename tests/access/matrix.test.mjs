// SPDX-License-Identifier: Apache-2.0
// Every route of routes.def with every kind of credential, checked against what the table says. A route that is added is
// tried without a word here; one without a permission does not compile.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, ROOT, Server, sleep } from '../lib/server.mjs';
import { basicOf, call, permissions, routes, signIn } from './access.mjs';

const ALL = Object.values(permissions()).map(p => p.text), RANK = ['none', 'viewer', 'editor', 'admin', 'owner'];
const SECRET = 'long enough', ARGUMENTS = { METRIC_ID: 'views', DIMENSION_ID: 'country', SUBVIEW_TYPE: 'rendition', CONTENT: 'videos' };
// What only authorization says; a handler may refuse with 403 too (an unsigned address, a filtered token).
const REFUSALS = /lacks the permission that is needed here|Only a signed-in person may do this|not yours to see|same-origin|no access to the system/;
const AT_ONCE = 8;
let server, credentials;

// One credential: how it is sent, and what it may do in the environment that is asked about.
class Credential {
  constructor(name, headers, { valid = true, person = false, may = [], here = true, filter = false, cookie = false, origin = null, renew } = {}) {
    Object.assign(this, { name, headers, valid, person, may, here, filter, cookie, origin, renew });
  }
}

const roleMay = role => Object.values(permissions()).filter(p => RANK.indexOf(role) >= RANK.indexOf(p.least)).map(p => p.text);
const hostOf = url => new URL(url).origin;

async function people(owner) {
  const out = [];
  for (const role of ['admin', 'editor', 'viewer']) {
    const email = `${role}@example.com`;
    const made = await call(server, 'POST', '/system/v1/people', { headers: owner, body: { email, role, name: role, password: SECRET } });
    assert.equal(made.status, 201, made.text);
    out.push([role, email, SECRET]);
  }
  return [['owner', EMAIL, PASSWORD], ...out];
}

async function token(owner, body, environment = server.environment_id) {
  const made = await call(server, 'POST', `/system/v1/access-tokens?environment_id=${environment}`, { headers: owner, body });
  assert.equal(made.status, 201, made.text);
  return { ...made.body.data, headers: { authorization: basicOf(made.body.data.id, made.body.data.secret) } };
}

async function sessions(everybody) {
  const out = [];
  for (const [role, email, password] of everybody) {
    const beta = async () => ({ 'beta-auth-token': await signIn(server, email, password) });
    const cookie = async more => ({ cookie: `firstframe_session=${await signIn(server, email, password, { cookie: true })}`, ...more });
    const own = { origin: hostOf(server.url) };
    out.push(new Credential(`${role}, beta-auth-token`, await beta(), { person: true, may: roleMay(role), renew: beta }));
    out.push(new Credential(`${role}, cookie and own Origin`, await cookie(own),
      { person: true, may: roleMay(role), cookie: true, origin: 'own', renew: () => cookie(own) }));
  }
  const [, email, password] = everybody[0];
  const bearer = async () => ({ authorization: 'Bearer ' + await signIn(server, email, password) });
  out.push(new Credential('owner, Bearer', await bearer(), { person: true, may: ALL, renew: bearer }));
  for (const [name, more] of [['no Origin', {}], ['foreign Origin', { origin: 'https://evil.example' }], ['Origin null', { origin: 'null' }]]) {
    const headers = async () => ({ cookie: `firstframe_session=${await signIn(server, email, password, { cookie: true })}`, ...more });
    out.push(new Credential(`owner, cookie and ${name}`, await headers(), { person: true, may: ALL, cookie: true, renew: headers }));
  }
  return out;
}

async function tokens(owner, other) {
  const out = [];
  for (const text of ALL) {
    const made = await token(owner, { name: text, permissions: [text] });
    out.push(new Credential(`token, ${text}`, made.headers, { may: [text] }));
  }
  out.push(new Credential('token, all', { authorization: server.basic }, { may: ALL }));
  const filtered = await token(owner, { name: 'filtered', permissions: ALL, filter: 'sub_property_id:acme' });
  out.push(new Credential('token, all, filtered', filtered.headers, { may: ALL, filter: true }));
  const foreign = await token(owner, { name: 'foreign', permissions: ALL }, other);
  out.push(new Credential('token of another environment', foreign.headers, { may: ALL, here: false }));
  const revoked = await token(owner, { name: 'revoked', permissions: ALL });
  assert.equal((await call(server, 'GET', '/data/v1/video-views', { headers: revoked.headers })).status, 200); // also once remembered
  assert.equal((await call(server, 'DELETE', `/system/v1/access-tokens/${revoked.id}`, { headers: owner })).status, 204);
  out.push(new Credential('revoked token', revoked.headers, { valid: false }));
  const expired = await token(owner, { name: 'expired', permissions: ALL, expires_at: Math.floor(Date.now() / 1000) + 3 });
  assert.equal((await call(server, 'GET', '/data/v1/video-views', { headers: expired.headers })).status, 200);
  out.push(new Credential('expired token', expired.headers, { valid: false }));
  return out;
}

async function strangers() {
  const cookie = await signIn(server, EMAIL, PASSWORD, { cookie: true }), beta = await signIn(server, EMAIL, PASSWORD);
  const ended = await signIn(server, EMAIL, PASSWORD);
  assert.equal((await call(server, 'DELETE', '/api/sessions/current', { headers: { 'beta-auth-token': ended } })).status, 204);
  const wrong = basicOf(server.token_id, server.token_secret.replace(/.$/, c => (c === 'A' ? 'B' : 'A')));
  return Object.entries({
    none: {},
    'wrong secret': { authorization: wrong },
    'unknown token': { authorization: basicOf('00000000-0000-4000-8000-000000000000', server.token_secret) },
    'id without secret': { authorization: basicOf(server.token_id, '') },
    'not base64': { authorization: 'Basic %%%' },
    'unknown scheme': { authorization: 'Digest x' },
    'wrong session': { 'beta-auth-token': 'x'.repeat(43) },
    'ended session': { 'beta-auth-token': ended },
    'the cookie as beta-auth-token': { 'beta-auth-token': cookie },
    'beta-auth-token as the cookie': { cookie: `firstframe_session=${beta}`, origin: hostOf(server.url) },
    // The first credential counts, right or wrong: nobody gets in by adding a second one.
    'a wrong token beside a right one': { 'beta-auth-token': 'wrong', authorization: server.basic },
  }).map(([name, headers]) => new Credential(name, headers, { valid: false }));
}

before(async () => {
  server = await new Server().start();
  const owner = { 'beta-auth-token': await signIn(server, EMAIL, PASSWORD) };
  const other = (await call(server, 'POST', '/system/v1/environments', { headers: owner, body: { name: 'Other' } })).body.data.id;
  const everybody = await people(owner);
  const guest = await call(server, 'POST', '/system/v1/people', { headers: owner, body: { email: 'guest@example.com', role: 'none', name: 'Guest', password: SECRET } });
  assert.equal(guest.status, 201, guest.text);
  const given = await call(server, 'PATCH', `/system/v1/environments/${other}/people/${guest.body.data.id}`, { headers: owner, body: { role: 'admin' } });
  assert.equal(given.status, 200, given.text);
  const guestIn = async () => ({ 'beta-auth-token': await signIn(server, 'guest@example.com', SECRET) });
  credentials = [...await strangers(), ...await tokens(owner, other), ...await sessions(everybody),
    new Credential('admin of another environment', await guestIn(), { person: true, may: ALL, here: false, renew: guestIn })];
  await sleep(3500); // the expiring token
});
after(() => server?.stop());

// 'open', 401, 403, or 'in'.
function expected(row, c) {
  if (row.access === 'OPEN') return 'open';
  if (!c.valid) return 401;
  const reads = row.method === 'GET';
  if (c.cookie && !reads && c.origin !== 'own') return 403;
  if (row.access === 'PERSON' && !c.person) return 403;
  if (!c.here) return 403;
  if (row.access === 'ANY' || row.access === 'PERSON') return 'in';
  const needed = permissions()[row.access].text;
  if (!c.may.includes(needed)) return 403;
  return c.filter && needed.startsWith('system:') ? 403 : 'in';
}

const pathOf = row => row.route.replace(/\{(\w+)\}/g, (_, name) => ARGUMENTS[name] ?? '999999999') + `?environment_id=${server.environment_id}`;

async function attempt(row, c) {
  const body = row.method === 'GET' || row.method === 'DELETE' ? undefined : {};
  const answer = await call(server, row.method, pathOf(row), { headers: c.headers, body });
  const what = `${row.method} ${row.route} with ${c.name}: ${answer.status} ${answer.text.slice(0, 300)}`;
  const refused = answer.status === 403 && REFUSALS.test(answer.text);
  assert.ok(answer.status < 500, what);
  switch (expected(row, c)) {
    case 'open': assert.ok(answer.status !== 401 && !refused, what); return answer.status;
    case 401:
      assert.equal(answer.status, 401, what);
      assert.equal(answer.body.error.type, 'unauthorized', what);
      break;
    case 403:
      assert.ok(refused, what);
      assert.equal(answer.body.error.type, 'forbidden', what);
      break;
    default: assert.ok(answer.status !== 401 && !refused, what);
  }
  return undefined;
}

for (const row of routes()) {
  test(`${row.method} ${row.route} (${row.access})`, async () => {
    const ends = row.handler === 'api_sessions_end' || row.handler === 'api_session_delete';
    const answers = new Set();
    for (let at = 0; at < credentials.length;) {
      const some = credentials.slice(at, at + (ends ? 1 : AT_ONCE));
      for (const status of await Promise.all(some.map(c => attempt(row, c)))) answers.add(status);
      at += some.length;
      if (ends) for (const c of credentials) if (c.renew && (row.handler === 'api_sessions_end' || c === some[0])) c.headers = await c.renew();
    }
    if (row.access === 'OPEN') assert.equal(answers.size, 1, 'an open route looks at no credential: ' + [...answers]);
  });
}

test('a route without a permission, or with one that is not on the list, does not compile', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-test-')), table = fs.readFileSync(path.join(ROOT, 'src/api/routes.def'), 'utf8');
  fs.mkdirSync(path.join(dir, 'api'));
  const compiles = row => {
    fs.writeFileSync(path.join(dir, 'api/routes.def'), table + row);
    return spawnSync('gcc', ['-std=gnu17', '-D_GNU_SOURCE', '-fsyntax-only', '-I', dir, '-I', 'src', 'src/api/routes.c'], { cwd: ROOT, encoding: 'utf8' });
  };
  const row = access => `ROUTE(GET, "/data/v1/new", ${access}ASK, api_whoami, "System", "New")\n`;
  try {
    const named = compiles(row('DATA_READ, '));
    assert.equal(named.status, 0, named.stderr);
    for (const access of ['', ', ', 'DATA_SEE, ']) {
      const ended = compiles(row(access));
      assert.notEqual(ended.status, 0, `ACCESS "${access}" compiles`);
      assert.match(ended.stderr, /routes\.def/);
    }
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});

test('paths that are no routes', async () => {
  for (const headers of [{}, { authorization: server.basic }]) {
    assert.equal((await call(server, 'GET', '/data/v1/nothing', { headers })).status, 404);
    assert.equal((await call(server, 'DELETE', '/data/v1/video-views', { headers })).status, 405);
    assert.equal((await call(server, 'GET', '/data/v1/..%2fvideo-views', { headers })).status, 404);
  }
});
