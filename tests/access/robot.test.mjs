// SPDX-License-Identifier: Apache-2.0
// The announcement's path: an account for a robot, invited by its owner, that reads with beta-auth-token; and everything
// that people and administrators do around it: set-up, roles, passwords, one-time codes, sessions, the audit log.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { watch } from '../lib/schema.mjs';
import { EMAIL, PASSWORD, PROGRAM, ROOT, Server, firstframe, until } from '../lib/server.mjs';
import { call, signIn, totp } from './access.mjs';

let server, owner;
const ROBOT = 'name+robot@example.com', ROBOT_PASSWORD = 'a robot has a password too';

before(async () => {
  server = await new Server().start();
  owner = { 'beta-auth-token': await signIn(server, EMAIL, PASSWORD) };
});
after(() => server?.stop());

const api = (method, route, options) => call(server, method, route, options);
const audit = async () => (await api('GET', '/system/v1/audit?limit=1000', { headers: owner })).body.data;

async function invite(email, role, more = {}) {
  const made = await api('POST', '/system/v1/invitations', { headers: owner, body: { email, role, ...more } });
  assert.equal(made.status, 201, made.text);
  const [page, token] = made.body.data.url.split('#');
  assert.equal(page, `${server.url}/invitation`);
  assert.equal(made.body.data.mailed, false);
  return { ...made.body.data, token };
}

test('a robot is invited as a viewer, accepts, and reads a timeseries', async () => {
  const { token, id } = await invite(ROBOT, 'viewer');
  const open = await api('GET', '/system/v1/invitations', { headers: owner });
  assert.deepEqual(open.body.data.map(i => [i.id, i.email, i.role]), [[id, ROBOT, 'viewer']]);
  assert.ok(!open.text.includes(token));
  const look = await api('POST', '/api/invitations/look', { body: { token } });
  assert.deepEqual([look.status, look.body.data.email, look.body.data.role, look.body.data.exists], [200, ROBOT, 'viewer', false]);
  const accepted = await api('POST', '/api/invitations/accept', { body: { token, name: 'Robot', password: ROBOT_PASSWORD } });
  assert.equal(accepted.status, 201, accepted.text);
  const again = await api('POST', '/api/invitations/accept', { body: { token, name: 'Robot', password: ROBOT_PASSWORD } });
  assert.equal(again.status, 400);
  const robot = { 'beta-auth-token': await signIn(server, ROBOT, ROBOT_PASSWORD) };
  const series = await api('GET', '/data/v1/metrics/time_to_first_frame/timeseries?timeframe[]=24:hours', { headers: robot });
  assert.equal(series.status, 200);
  assert.equal(series.body.data.length, 25);
  const refused = [
    ['POST', '/data/v1/annotations', { note: 'x', date: 1 }], ['PATCH', '/data/v1/errors/1', { severity: 'fatal' }],
    ['GET', '/system/v1/signing-keys'], ['POST', '/system/v1/signing-keys'], ['GET', '/system/v1/people'],
    ['POST', '/system/v1/people', { email: 'x@example.com', password: 'long enough', role: 'viewer' }],
    ['GET', '/system/v1/environments'], ['POST', '/system/v1/environments', { name: 'mine' }],
    ['PATCH', `/system/v1/environments/${server.environment_id}`, { name: 'mine' }],
    ['DELETE', `/system/v1/environments/${server.environment_id}?confirm=Production`],
    ['GET', '/system/v1/access-tokens'], ['POST', '/system/v1/access-tokens', { name: 'x', permissions: ['data:read'] }],
    ['DELETE', `/system/v1/access-tokens/${server.token_id}`], ['GET', '/system/v1/invitations'],
    ['POST', '/system/v1/invitations', { email: 'y@example.com', role: 'viewer' }], ['GET', '/system/v1/audit'],
    ['PATCH', '/system/v1/organization', { name: 'mine' }], ['POST', '/system/v1/people/1/password-reset'],
    ['DELETE', '/system/v1/people/1'], ['DELETE', '/system/v1/people/1/sessions'],
  ];
  for (const [method, route, body] of refused) {
    const answer = await api(method, route, { headers: robot, body });
    assert.deepEqual([answer.status, answer.body.error.type], [403, 'forbidden'], `${method} ${route}: ${answer.text}`);
  }
});

test('the same as a script: the lines of docs/access.md, run in bash', async () => {
  const guide = fs.readFileSync(path.join(ROOT, 'docs/access.md'), 'utf8'), part = guide.slice(guide.indexOf('## A robot, step by step'));
  const lines = part.slice(0, part.indexOf('\n## ', 1)).split('\n').filter(line => line.startsWith('    ')).map(line => line.slice(4));
  assert.ok(lines.length >= 6);
  const env = { ...process.env, URL: server.url, OWNER: EMAIL, OWNER_PASSWORD: PASSWORD, ROBOT: 'name+script@example.com', ROBOT_PASSWORD: "it's a \"script\"" };
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', lines.join('\n')], { env });
  assert.equal(JSON.parse(stdout).data.length, 25);
});

test('an invitation can be taken back, and needs the password of somebody who is known already', async () => {
  const { token, id } = await invite('late@example.com', 'editor');
  assert.equal((await api('DELETE', `/system/v1/invitations/${id}`, { headers: owner })).status, 204);
  assert.equal((await api('DELETE', `/system/v1/invitations/${id}`, { headers: owner })).status, 404);
  assert.equal((await api('POST', '/api/invitations/look', { body: { token } })).status, 400);
  assert.equal((await api('POST', '/api/invitations/accept', { body: { token, name: 'L', password: 'long enough' } })).status, 400);
  const taken = await api('POST', '/system/v1/invitations', { headers: owner, body: { email: ROBOT, role: 'admin' } });
  assert.equal(taken.status, 400);
});

test('roles: an admin cannot reach above, the last owner stays, a role in one environment holds there', async () => {
  const people = {};
  for (const [email, role] of [['admin@example.com', 'admin'], ['editor@example.com', 'editor']]) {
    const made = await api('POST', '/system/v1/people', { headers: owner, body: { email, role, name: role, password: 'long enough' } });
    assert.equal(made.status, 201, made.text);
    people[role] = made.body.data.id;
  }
  const me = (await api('GET', '/api/sessions/current', { headers: owner })).body.data.person_id;
  const admin = { 'beta-auth-token': await signIn(server, 'admin@example.com', 'long enough') };
  const editor = { 'beta-auth-token': await signIn(server, 'editor@example.com', 'long enough') };
  const status = async (headers, method, route, body) => (await api(method, route, { headers, body })).status;
  assert.equal(await status(admin, 'PATCH', `/system/v1/people/${people.admin}`, { role: 'owner' }), 403);
  assert.equal(await status(admin, 'DELETE', `/system/v1/people/${me}`), 403);
  assert.equal(await status(admin, 'POST', `/system/v1/people/${me}/password-reset`), 403);
  assert.equal(await status(admin, 'DELETE', `/system/v1/people/${me}/sessions`), 403);
  assert.equal(await status(admin, 'POST', '/system/v1/invitations', { email: 'z@example.com', role: 'owner' }), 403);
  assert.equal(await status(owner, 'DELETE', `/system/v1/people/${me}`), 400);
  assert.equal(await status(owner, 'PATCH', `/system/v1/people/${me}`, { role: 'admin' }), 400);
  assert.equal(await status(editor, 'GET', '/system/v1/people'), 200);
  assert.equal(await status(editor, 'POST', '/system/v1/environments', { name: 'E' }), 403);
  const made = await api('POST', '/system/v1/environments', { headers: admin, body: { name: 'Staging', type: 'staging' } });
  assert.equal(made.status, 201, made.text);
  const staging = made.body.data.id;
  const role = `/system/v1/environments/${staging}/people/${people.editor}`;
  assert.equal(await status(admin, 'PATCH', role, { role: 'none' }), 200);
  assert.equal(await status(editor, 'GET', `/system/v1/environments/${staging}`), 404);
  assert.equal(await status(editor, 'GET', `/data/v1/video-views?environment_id=${staging}`), 403);
  assert.equal(await status(admin, 'PATCH', role, { role: 'viewer' }), 200);
  assert.equal(await status(editor, 'GET', `/data/v1/video-views?environment_id=${staging}`), 200);
  assert.equal(await status(editor, 'GET', `/system/v1/environments/${staging}`), 403);
  assert.equal(await status(admin, 'DELETE', role), 204);
  assert.equal(await status(editor, 'GET', `/system/v1/environments/${staging}`), 200);
  assert.equal(await status(owner, 'DELETE', `/system/v1/people/${people.editor}`), 204);
  assert.equal(await status(editor, 'GET', '/data/v1/video-views'), 401);
  assert.equal(await status(admin, 'DELETE', `/system/v1/environments/${staging}?confirm=staging`), 400);
  assert.equal(await status(admin, 'DELETE', `/system/v1/environments/${staging}?confirm=Staging`), 204);
});

test("a token with system:write is an administrator of its environment, and of nothing else", async () => {
  const made = await api('POST', '/system/v1/environments', { headers: owner, body: { name: 'Other' } });
  const other = made.body.data.id, basic = { authorization: server.basic };
  const status = async (method, route, body) => (await api(method, route, { headers: basic, body })).status;
  assert.equal(await status('PATCH', `/system/v1/environments/${server.environment_id}`, { honour_dnt: true }), 200);
  assert.equal(await status('PATCH', `/system/v1/environments/${other}`, { honour_dnt: true }), 404);
  assert.equal(await status('DELETE', `/system/v1/environments/${server.environment_id}?confirm=Production`), 403);
  assert.equal(await status('POST', '/system/v1/environments', { name: 'Third' }), 403);
  assert.equal(await status('POST', '/system/v1/people', { email: 'a@example.com', password: 'long enough', role: 'admin' }), 403);
  assert.equal(await status('POST', '/system/v1/invitations', { email: 'a@example.com', role: 'admin' }), 403);
  assert.equal(await status('POST', '/system/v1/invitations', { email: 'a@example.com', role: 'viewer', environment_id: other }), 404);
  assert.equal(await status('POST', '/system/v1/invitations', { email: 'a@example.com', role: 'viewer', environment_id: server.environment_id }), 201);
  assert.equal(await status('GET', `/system/v1/environments`), 200);
  assert.deepEqual((await api('GET', '/system/v1/environments', { headers: basic })).body.data.map(e => e.id), [server.environment_id]);
  assert.equal(await status('POST', '/api/password', { current_password: 'x', password: 'long enough' }), 403);
});

test('access tokens: the secret is shown once, the list shows the last use, revoking ends it', async () => {
  const made = await api('POST', '/system/v1/access-tokens', { headers: owner, body: { name: 'Grafana', permissions: ['data:read'] } });
  assert.equal(made.status, 201, made.text);
  const { id, secret } = made.body.data;
  const basic = { authorization: 'Basic ' + Buffer.from(`${id}:${secret}`).toString('base64') };
  assert.equal((await api('GET', '/data/v1/video-views', { headers: basic })).status, 200);
  assert.equal((await api('GET', '/system/v1/access-tokens', { headers: basic })).status, 403);
  for (const route of ['/system/v1/access-tokens', `/system/v1/access-tokens/${id}`])
    assert.ok(!(await api('GET', route, { headers: owner })).text.includes(secret));
  const renamed = await api('PATCH', `/system/v1/access-tokens/${id}`, { headers: owner, body: { name: 'Charts' } });
  assert.equal(renamed.body.data.name, 'Charts');
  for (const bad of [{ name: 'x' }, { name: 'x', permissions: [] }, { name: 'x', permissions: ['all'] }, { permissions: ['data:read'] },
    { name: 'x', permissions: ['data:read'], filter: 'no_such_dimension:x' }, { name: 'x', permissions: ['data:read'], expires_at: 1 }])
    assert.equal((await api('POST', '/system/v1/access-tokens', { headers: owner, body: bad })).status, 400, JSON.stringify(bad));
  assert.equal((await api('DELETE', `/system/v1/access-tokens/${id}`, { headers: owner })).status, 204);
  assert.equal((await api('GET', '/data/v1/video-views', { headers: basic })).status, 401);
});

test('password, sessions and one-time codes', async () => {
  await api('POST', '/system/v1/people', { headers: owner, body: { email: 'ada@example.com', role: 'viewer', name: 'Ada', password: 'first password' } });
  const one = { 'beta-auth-token': await signIn(server, 'ada@example.com', 'first password') };
  const two = { 'beta-auth-token': await signIn(server, 'ada@example.com', 'first password') };
  const list = (await api('GET', '/api/sessions', { headers: one })).body.data;
  assert.deepEqual(list.map(s => s.current), [false, true]);
  assert.equal((await api('POST', '/api/password', { headers: one, body: { current_password: 'wrong', password: 'second password' } })).status, 403);
  assert.equal((await api('POST', '/api/password', { headers: one, body: { current_password: 'first password', password: 'second password' } })).status, 204);
  assert.equal((await api('GET', '/api/sessions', { headers: two })).status, 401);
  assert.equal((await api('GET', '/api/sessions', { headers: one })).status, 200);

  const { secret, uri } = (await api('POST', '/api/totp', { headers: one })).body.data;
  assert.equal(uri, `otpauth://totp/Firstframe:ada@example.com?secret=${secret}&issuer=Firstframe`);
  assert.equal((await api('POST', '/api/totp/enable', { headers: one, body: { password: 'second password', secret, code: '000000' } })).status, 400);
  const enabled = Date.now();
  assert.equal((await api('POST', '/api/totp/enable', { headers: one, body: { password: 'second password', secret, code: totp(secret, enabled) } })).status, 204);
  const without = await api('POST', '/api/sessions', { body: { session: { email: 'ada@example.com', password: 'second password' } } });
  assert.deepEqual([without.status, /six-digit/.test(without.text)], [401, true]);
  const used = await api('POST', '/api/sessions', { body: { session: { email: 'ada@example.com', password: 'second password', totp: totp(secret, enabled) } } });
  assert.equal(used.status, 401); // each code works once
  const next = await signIn(server, 'ada@example.com', 'second password', { totp: totp(secret, enabled + 30_000) });
  assert.ok(next);
  const ada = (await api('GET', '/system/v1/people', { headers: owner })).body.data.find(p => p.email === 'ada@example.com');
  assert.equal(ada.totp, true);
  // A session alone does not switch them off, nor does an administrator's, whose own they are.
  for (const [body, status] of [[undefined, 400], [{ password: 'wrong' }, 403], [{ password: 7 }, 400]])
    assert.equal((await api('DELETE', '/api/totp', { headers: one, body })).status, status, JSON.stringify(body));
  assert.equal((await api('DELETE', '/api/totp', { headers: one, body: { password: 'second password' } })).status, 204);
  assert.equal((await api('DELETE', '/api/totp', { headers: one, body: { password: 'second password' } })).status, 404);
  const again = (await api('POST', '/api/totp', { headers: one })).body.data.secret;
  assert.equal((await api('POST', '/api/totp/enable', { headers: one, body: { password: 'second password', secret: again, code: totp(again, Date.now()) } })).status, 204);
  const self = (await api('GET', '/api/sessions/current', { headers: owner })).body.data.person_id;
  assert.equal((await api('DELETE', `/system/v1/people/${self}/totp`, { headers: owner })).status, 403);
  assert.equal((await api('DELETE', `/system/v1/people/${ada.id}/totp`, { headers: owner })).status, 204);

  const reset = await api('POST', `/system/v1/people/${ada.id}/password-reset`, { headers: owner });
  assert.equal(reset.status, 201, reset.text);
  const token = reset.body.data.url.split('#')[1];
  assert.equal((await api('POST', '/api/password-resets/finish', { body: { token: 'x' + token, password: 'third password' } })).status, 400);
  assert.equal((await api('POST', '/api/password-resets/finish', { body: { token, password: 'third password' } })).status, 204);
  assert.equal((await api('POST', '/api/password-resets/finish', { body: { token, password: 'third password' } })).status, 400);
  assert.equal((await api('GET', '/api/sessions', { headers: one })).status, 401);
  const three = { 'beta-auth-token': await signIn(server, 'ada@example.com', 'third password') };
  assert.equal((await api('DELETE', '/api/sessions/current', { headers: three })).status, 204);
  assert.equal((await api('GET', '/api/sessions', { headers: three })).status, 401);
  const asked = await api('POST', '/api/password-resets', { body: { email: 'ada@example.com' } });
  assert.deepEqual([asked.status, asked.body.data], [202, { mails: false }]);
});

test('a session works only in the way it was made for', async () => {
  const answer = await api('POST', '/api/sessions', { body: { session: { email: EMAIL, password: PASSWORD, cookie: true } } });
  assert.equal(answer.status, 201);
  assert.equal(answer.body.data.token, undefined);
  const cookie = answer.headers.get('set-cookie');
  assert.match(cookie, /HttpOnly; SameSite=Lax/);
  const value = /firstframe_session=([^;]+)/.exec(cookie)[1], token = await signIn(server, EMAIL, PASSWORD);
  const status = async headers => (await api('GET', '/data/v1/video-views', { headers })).status;
  assert.equal(await status({ cookie: `firstframe_session=${value}` }), 200);
  assert.equal(await status({ 'beta-auth-token': value }), 401);
  assert.equal(await status({ authorization: `Bearer ${value}` }), 401);
  assert.equal(await status({ 'beta-auth-token': token }), 200);
  assert.equal(await status({ cookie: `firstframe_session=${token}` }), 401);
  const foreign = await api('POST', '/api/sessions', { headers: { origin: 'https://evil.example' }, body: { session: { email: EMAIL, password: PASSWORD, cookie: true } } });
  assert.equal(foreign.status, 403);
});

test('every administrative act, by API and command line, is in the audit log', async () => {
  const token = JSON.parse(firstframe(['token', 'add', '--data', server.data, '--name', 'by hand', '--json']));
  firstframe(['token', 'remove', token.token_id, '--data', server.data]);
  const rows = await audit(), acts = new Set(rows.map(r => r.act));
  for (const act of ['account.init', 'session.add', 'session.revoke', 'invitation.add', 'invitation.accept', 'invitation.revoke', 'person.add',
    'person.remove', 'role.set', 'role.clear', 'environment.add', 'environment.change', 'environment.remove', 'token.add', 'token.change',
    'token.revoke', 'password.change', 'password.reset_begin', 'password.reset', 'totp.enable', 'totp.disable'])
    assert.ok(acts.has(act), act);
  assert.deepEqual(rows.filter(r => r.target === token.token_id).map(r => [r.act, r.actor_kind]), [['token.revoke', 'command_line'], ['token.add', 'command_line']]);
  const revoked = rows.find(r => r.act === 'token.revoke' && r.actor_kind === 'person');
  assert.deepEqual([revoked.actor, revoked.address], [EMAIL, '127.0.0.0/24']);
  const cli = firstframe(['audit', '--data', server.data, '--json', '--limit', '1000']).trim().split('\n').map(l => JSON.parse(l));
  assert.equal(cli.length, rows.length);
  const own = (await api('GET', '/system/v1/audit?limit=1000', { headers: { authorization: server.basic } })).body.data;
  assert.ok(own.length > 0 && own.every(r => r.environment_id === server.environment_id));
  const some = (await api('GET', '/system/v1/audit?act=token.', { headers: owner })).body.data;
  assert.ok(some.length > 0 && some.every(r => r.act.startsWith('token.')));
});

test('CORS is off, and on for the origins that an environment lists', async () => {
  const origin = 'https://charts.example.com', read = () => api('GET', '/data/v1/dimensions', { headers: { authorization: server.basic, origin } });
  const preflight = () => fetch(server.url + '/data/v1/dimensions', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });
  assert.equal((await read()).headers.get('access-control-allow-origin'), null);
  assert.equal((await preflight()).headers.get('access-control-allow-origin'), null);
  const set = list => api('PATCH', `/system/v1/environments/${server.environment_id}`, { headers: owner, body: { cors_origins: list } });
  assert.equal((await set(['https://charts.example.com/path'])).status, 400);
  assert.deepEqual((await set([origin])).body.data.cors_origins, [origin]);
  assert.equal((await read()).headers.get('access-control-allow-origin'), origin);
  assert.equal((await preflight()).headers.get('access-control-allow-origin'), origin);
  assert.equal((await read()).headers.get('access-control-allow-credentials'), null);
  const other = await api('GET', '/data/v1/dimensions', { headers: { authorization: server.basic, origin: 'https://charts.example.com.evil.example' } });
  assert.equal(other.headers.get('access-control-allow-origin'), null);
  assert.deepEqual((await set([])).body.data.cors_origins, []);
  assert.equal((await read()).headers.get('access-control-allow-origin'), null);
});

test('removing an environment says what goes, and the views go', async () => {
  const made = (await api('POST', '/system/v1/environments', { headers: owner, body: { name: 'Doomed', allow_backfill: true } })).body.data;
  firstframe(['simulate', '--url', server.url, '--env-key', made.env_key, '--views', '20', '--days-back', '2', '--seed', '5']);
  const contents = async () => (await api('GET', `/system/v1/environments/${made.id}`, { headers: owner })).body.data.contents;
  await until('the views to be stored', async () => (await contents()).views >= 20);
  const asked = await api('DELETE', `/system/v1/environments/${made.id}`, { headers: owner });
  assert.equal(asked.status, 400);
  assert.match(asked.body.error.messages[0], /This deletes \d+ views, 0 tokens/);
  assert.equal((await api('DELETE', `/system/v1/environments/${made.id}?confirm=Doomed`, { headers: owner })).status, 204);
  const gone = await until('the views to be deleted', async () => (await audit()).find(r => r.act === 'views.delete' && r.environment_id === made.id), { seconds: 180 });
  assert.equal(gone.actor_kind, 'server');
  assert.ok(gone.details.rows >= 20);
});

test('views older than the retention of their environment are deleted', async () => {
  const { id, env_key } = (await api('POST', '/system/v1/environments', { headers: owner, body: { name: 'Forgetful', allow_backfill: true } })).body.data;
  firstframe(['simulate', '--url', server.url, '--env-key', env_key, '--views', '40', '--days-back', '6', '--seed', '6']);
  const views = async () => (await api('GET', `/system/v1/environments/${id}`, { headers: owner })).body.data.contents.views;
  await until('the views to be stored', async () => await views() >= 40);
  const day = 86400, limit = (Math.floor(Date.now() / 1000 / day) - 3) * day;
  const older = async () => (await api('GET', `/data/v1/video-views?environment_id=${id}&timeframe[]=${limit - 30 * day}&timeframe[]=${limit - 1}`, { headers: owner })).body.total_row_count;
  const old = await older();
  assert.ok(old > 0 && old < 40);
  assert.equal((await api('PATCH', `/system/v1/environments/${id}`, { headers: owner, body: { retention_days: 3 } })).status, 200);
  await until('the old views to be deleted', async () => await older() === 0, { seconds: 180 });
  assert.equal(await views(), 40 - old);
  const row = await until('the audit row', async () => (await audit()).find(r => r.act === 'views.delete' && r.environment_id === id));
  assert.equal(row.details.why, 'retention');
});

// -- servers of their own ----------------------------------------------------------------------------------------------

test('a fresh server is set up with the code that it printed', async () => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-test-'));
  const child = spawn(PROGRAM, ['serve', '--data', data, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    let out = '', log = '';
    child.stdout.on('data', chunk => { out += chunk; });
    child.stderr.on('data', chunk => { log += chunk; });
    const [, url, code] = await until('the code', () => /listening on (\S+)[^]*enter the code (\S+),/.exec(out));
    await watch(url);
    const fresh = { url }, body = { code, email: EMAIL, password: PASSWORD, name: 'Owner' };
    assert.ok(!log.includes(code));
    assert.deepEqual((await call(fresh, 'GET', '/api/setup')).body.data, { needed: true });
    assert.equal((await call(fresh, 'POST', '/api/setup', { body: { ...body, code: 'AAAA-AAAA-AAAA' } })).status, 403);
    assert.equal((await call(fresh, 'POST', '/api/setup', { body: { ...body, password: 'short' } })).status, 400);
    const made = await call(fresh, 'POST', '/api/setup', { body: { ...body, code: code.toLowerCase().replaceAll('-', '') } });
    assert.equal(made.status, 201, made.text);
    assert.deepEqual((await call(fresh, 'GET', '/api/setup')).body.data, { needed: false });
    assert.equal((await call(fresh, 'POST', '/api/setup', { body })).status, 400);
    assert.ok(await signIn(fresh, EMAIL, PASSWORD));
    for (let i = 0; i < 12; i++) await call(fresh, 'POST', '/api/setup', { body });
  } finally {
    child.kill('SIGTERM');
    await new Promise(resolve => child.once('exit', resolve));
    fs.rmSync(data, { recursive: true, force: true });
  }
});

// A mail server that takes everything.
async function smtp() {
  const letters = [];
  const listener = net.createServer(socket => {
    let data = null, rest = '';
    socket.write('220 test\r\n');
    socket.on('data', chunk => {
      rest += chunk;
      for (let at; (at = rest.indexOf('\r\n')) >= 0;) {
        const line = rest.slice(0, at);
        rest = rest.slice(at + 2);
        if (data !== null && line === '.') {
          letters.push(data);
          data = null;
          socket.write('250 taken\r\n');
        } else if (data !== null) data += line + '\n';
        else if (line === 'DATA') { data = ''; socket.write('354 go on\r\n'); }
        else if (line === 'QUIT') socket.end('221 bye\r\n');
        else socket.write('250 fine\r\n');
      }
    });
    socket.on('error', () => {});
  });
  await new Promise(resolve => listener.listen(0, '127.0.0.1', resolve));
  return { letters, url: `smtp://127.0.0.1:${listener.address().port}`, stop: () => listener.close() };
}

test('mail and the limit on requests, where they are switched on', async () => {
  const mail = await smtp();
  const other = new Server({ serve: ['--smtp-url', mail.url, '--smtp-from', 'firstframe@example.com', '--rate-limit', '5'] });
  try {
    other.get = (route, headers) => fetch(other.url + route, { headers: { authorization: other.basic, ...headers } });
    await other.start();
    const token = await signIn(other, EMAIL, PASSWORD), headers = { 'beta-auth-token': token };
    const made = await call(other, 'POST', '/system/v1/invitations', { headers, body: { email: ROBOT, role: 'viewer' } });
    assert.equal(made.body.data.mailed, true);
    await until('the invitation', () => mail.letters.find(l => l.includes(`To: <${ROBOT}>`) && l.includes(made.body.data.url)));
    for (const email of ['nobody@example.com', EMAIL])
      assert.deepEqual((await call(other, 'POST', '/api/password-resets', { body: { email } })).body.data, { mails: true });
    const letter = await until('the reset', () => mail.letters.find(l => l.includes(`To: <${EMAIL}>`)));
    assert.ok(!mail.letters.some(l => l.includes('nobody@example.com')));
    const reset = /\/reset#(\S+)/.exec(letter)[1];
    assert.equal((await call(other, 'POST', '/api/password-resets/finish', { body: { token: reset, password: 'another password' } })).status, 204);

    const fresh = { 'beta-auth-token': await signIn(other, EMAIL, 'another password') };
    const answers = await Promise.all(Array.from({ length: 40 }, () => call(other, 'GET', '/data/v1/dimensions', { headers: fresh })));
    const limited = answers.filter(a => a.status === 429);
    assert.ok(limited.length > 0 && answers.some(a => a.status === 200), answers.map(a => a.status).join(' '));
    assert.ok(Number(limited[0].headers.get('retry-after')) >= 1);
    assert.equal(limited[0].body.error.type, 'too_many_requests');
    assert.equal(limited[0].body.errors.length, 1);
    await until('the bucket to fill again', async () => (await call(other, 'GET', '/data/v1/dimensions', { headers: fresh })).status === 200);
  } finally {
    mail.stop();
    await other.stop();
  }
});

