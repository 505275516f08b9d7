// SPDX-License-Identifier: Apache-2.0
// firstframe user, token, environment and audit: administration beside a running server, which notices at once; every
// act is in the log; what cannot be done says so and changes nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, PROGRAM, Server, until } from '../lib/server.mjs';
import { basicOf, call, signIn, totp } from './access.mjs';

let server;
before(async () => { server = await new Server().start(); });
after(() => server?.stop());

function run(args, env = {}, data = server.data) {
  const ended = spawnSync(PROGRAM, [...args, '--data', data], { encoding: 'utf8', env: { ...process.env, ...env } });
  return { status: ended.status, out: ended.stdout, wrong: ended.stderr };
}
function fine(args, env, data) {
  const ended = run(args, env, data);
  assert.equal(ended.status, 0, `${args.join(' ')}: ${ended.wrong}`);
  return args.includes('--json') ? JSON.parse(ended.out) : ended.out;
}
const refused = (args, sentence, env) => {
  const ended = run(args, env);
  assert.notEqual(ended.status, 0, args.join(' '));
  assert.equal(ended.out, '');
  assert.match(ended.wrong, sentence, args.join(' '));
};
const acts = () => run(['audit', '--limit', '100000', '--json']).out.trim().split('\n').map(line => JSON.parse(line));
const people = () => fine(['user', 'list', '--json']);
const known = { FIRSTFRAME_PASSWORD: 'long enough' };

test('people: add, role, password, sign out, one-time codes, remove', async () => {
  fine(['user', 'add', 'ada@example.com', '--role', 'editor', '--name', 'Ada Lovelace'], known);
  fine(['user', 'add', 'name+robot@example.com'], known);
  assert.deepEqual(people().map(p => [p.email, p.name, p.role]), [[EMAIL, 'owner', 'owner'],
    ['ada@example.com', 'Ada Lovelace', 'editor'], ['name+robot@example.com', 'name+robot', 'viewer']]);
  const token = await signIn(server, 'ada@example.com', 'long enough'), ada = { 'beta-auth-token': token };
  const opens = async () => (await call(server, 'GET', '/api/sessions/current', { headers: ada })).status;
  assert.equal(await opens(), 200);
  fine(['user', 'sign-out', 'ada@example.com']);
  await until('the session to end', async () => await opens() === 401);
  fine(['user', 'password', 'ada@example.com'], { FIRSTFRAME_PASSWORD: 'another one' });
  const again = { 'beta-auth-token': await signIn(server, 'ada@example.com', 'another one') };
  const { secret } = (await call(server, 'POST', '/api/totp', { headers: again })).body.data;
  assert.equal((await call(server, 'POST', '/api/totp/enable', { headers: again, body: { password: 'another one', secret, code: totp(secret, Date.now()) } })).status, 204);
  assert.equal(people()[1].totp, true);
  fine(['user', 'totp-off', 'ada@example.com']);
  await until('a sign-in without a code', async () =>
    (await call(server, 'POST', '/api/sessions', { body: { session: { email: 'ada@example.com', password: 'another one' } } })).status === 201);
  fine(['user', 'role', 'ada@example.com', '--role', 'admin']);
  assert.equal(people()[1].role, 'admin');
  fine(['user', 'remove', 'ada@example.com']);
  assert.deepEqual(people().map(p => p.email), [EMAIL, 'name+robot@example.com']);
  await until('her session to end', async () => (await call(server, 'GET', '/api/sessions', { headers: again })).status === 401);
});

test('a command that is not there is named; what says nothing is refused', () => {
  refused(['user', 'frob'], /there is no user command "frob"/);
  refused(['user'], /say what to do/);
  const before = [fine(['environment', 'list', '--json']), acts().length];
  refused(['environment', 'update', 'Production'], /say what to change/);
  assert.equal(run(['environment', 'update', 'Production']).status, 2);
  assert.deepEqual([fine(['environment', 'list', '--json']), acts().length], before);
});

test('a link without --public-url is said to be for this machine', () => {
  const told = args => run(['user', 'reset', EMAIL, ...args], { FIRSTFRAME_PUBLIC_URL: '' }).wrong;
  assert.match(told([]), /--public-url/);
  assert.equal(told(['--public-url', server.url]), '');
});

test('init says how to go on', t => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'firstframe-init-'));
  t.after(() => fs.rmSync(data, { recursive: true }));
  const out = fine(['init', '--email', 'new@example.com'], known, data);
  assert.ok(out.includes(`firstframe serve --data ${data}\n`));
  assert.match(out, /sign in as new@example\.com/);
  assert.ok(!out.includes(known.FIRSTFRAME_PASSWORD));
});

test('init refuses a directory that has an account, and changes nothing', () => {
  const before = [people(), fine(['environment', 'list', '--json']), fine(['token', 'list', '--json'])];
  refused(['init', '--email', 'other@example.com', '--env-key', 'another', '--json'], /An account exists already; nothing was changed/, known);
  assert.deepEqual([people(), fine(['environment', 'list', '--json']), fine(['token', 'list', '--json'])], before);
});

test('a role in one environment, by its name; an environment that is not there adds nobody', () => {
  const made = fine(['environment', 'add', 'Staging', '--type', 'staging', '--json']);
  fine(['user', 'add', 'eve@example.com', '--role', 'editor', '--environment', 'Staging'], known);
  assert.deepEqual(people().find(p => p.email === 'eve@example.com').environment_roles, [{ environment_id: made.id, role: 'editor' }]);
  const before = people();
  refused(['user', 'add', 'nobody@example.com', '--environment', 'Nowhere'], /no such environment/, known);
  refused(['user', 'add', 'nobody@example.com', '--environment', 'Staging', '--role', 'owner'], /role must be/, known);
  refused(['user', 'add', 'nobody@example.com', '--role', 'king'], /--role/, known);
  refused(['user', 'add', 'nobody@example.com'], /8 to 1024/, { FIRSTFRAME_PASSWORD: 'short' });
  refused(['user', 'add', EMAIL.toUpperCase()], /exists already/, known);
  refused(['user', 'remove', EMAIL], /last owner/);
  refused(['user', 'role', EMAIL, '--role', 'viewer'], /last owner/);
  assert.deepEqual(people(), before);
});

test('invitations and resets are links; an invitation can be taken back', async () => {
  const look = async url => (await call(server, 'POST', '/api/invitations/look', { body: { token: url.split('#')[1] } }));
  const { url } = fine(['user', 'invite', 'guest@example.com', '--role', 'viewer', '--environment', 'Staging', '--public-url', server.url, '--json']);
  assert.ok(url.startsWith(`${server.url}/invitation#`));
  await until('the invitation', async () => (await look(url)).status === 200);
  assert.deepEqual((await look(url)).body.data, { ...(await look(url)).body.data, email: 'guest@example.com', role: 'viewer', environment_name: 'Staging', exists: false });
  assert.deepEqual(fine(['user', 'invitations', '--json']).map(i => i.email), ['guest@example.com']);
  fine(['user', 'revoke', 'Guest@example.com']);
  assert.deepEqual(fine(['user', 'invitations', '--json']), []);
  await until('the link to be void', async () => (await look(url)).status === 400);
  refused(['user', 'revoke', 'guest@example.com'], /no such/);
  const again = fine(['user', 'invite', 'guest@example.com', '--json']);
  // Without a name, people are called by the part before the @.
  const accepted = await call(server, 'POST', '/api/invitations/accept', { body: { token: again.url.split('#')[1], password: 'long enough' } });
  assert.equal(accepted.status, 201, accepted.text);
  assert.equal(people().find(p => p.email === 'guest@example.com').name, 'guest');
  const reset = fine(['user', 'reset', 'guest@example.com', '--json']).url.split('#')[1];
  assert.equal((await call(server, 'POST', '/api/password-resets/finish', { body: { token: reset, password: 'a fresh one' } })).status, 204);
  await signIn(server, 'guest@example.com', 'a fresh one');
});

test('tokens: add with a filter, rename, list, remove', async () => {
  const made = fine(['token', 'add', '--name', 'Charts', '--permissions', 'data:read', '--filter', 'sub_property_id:acme', '--expires-in-days', '30', '--json']);
  const basic = { authorization: basicOf(made.token_id, made.token_secret) };
  const status = async () => (await call(server, 'GET', '/data/v1/video-views', { headers: basic })).status;
  await until('the token', async () => await status() === 200);
  fine(['token', 'rename', made.token_id, '--name', 'Wall']);
  const row = fine(['token', 'list', '--environment', 'Production', '--json']).find(t => t.id === made.token_id);
  assert.deepEqual([row.name, row.permissions, row.filter, Math.round((Date.parse(row.expires) - Date.now()) / 86400e3)], ['Wall', 'data:read', 'sub_property_id:acme', 30]);
  assert.ok(!run(['token', 'list']).out.includes(made.token_secret));
  fine(['token', 'remove', made.token_id]);
  await until('the token to end', async () => await status() === 401);
  refused(['token', 'remove', made.token_id], /no such/);
  refused(['token', 'add', '--permissions', 'data:all'], /--permissions/);
  refused(['token', 'add', '--filter', 'no_such_dimension:x'], /--filter/);
});

test('environments: update by name, CORS, removal only with the name', async () => {
  const updated = fine(['environment', 'update', 'Staging', '--cors-origins', 'https://a.example,https://b.example:8443', '--retention-days', '30', '--allow-backfill', '--json']);
  assert.deepEqual([updated.cors_origins, updated.retention_days, updated.allow_backfill], ['https://a.example https://b.example:8443', 30, true]);
  refused(['environment', 'update', 'Staging', '--cors-origins', 'https://a.example/path'], /origin/);
  assert.equal(fine(['environment', 'update', 'Staging', '--cors-origins', 'none', '--json']).cors_origins, '');
  refused(['environment', 'add', 'Staging'], /name is used/);
  refused(['environment', 'remove', 'Staging'], /deletes all views .* 0 tokens/);
  refused(['environment', 'remove', 'Staging', '--confirm', 'staging'], /exact name/);
  fine(['environment', 'remove', 'Staging', '--confirm', 'Staging']);
  refused(['environment', 'remove', 'Production', '--confirm', 'Production'], /last environment/);
  assert.deepEqual(fine(['environment', 'list', '--json']).map(e => e.name), ['Production']);
});

test('every act above is in the log, by the command line, without a secret', () => {
  const rows = acts(), mine = rows.filter(r => r.actor === 'command line');
  assert.deepEqual([...new Set(mine.map(r => r.act))].sort(), ['account.init', 'environment.add', 'environment.change', 'environment.remove',
    'invitation.add', 'invitation.revoke', 'password.reset_begin', 'password.set', 'person.add', 'person.remove', 'role.set', 'session.revoke',
    'token.add', 'token.change', 'token.revoke', 'totp.disable'].sort());
  assert.ok(rows.some(r => r.act === 'totp.enable' && r.actor === 'ada@example.com'));
  assert.ok(rows.some(r => r.act === 'invitation.accept' && r.target === 'guest@example.com'));
  assert.ok(!JSON.stringify(rows).includes('long enough'));
  const tokens = run(['audit', '--act', 'token.', '--json']).out.trim().split('\n').map(line => JSON.parse(line));
  assert.ok(tokens.length >= 4 && tokens.every(r => r.act.startsWith('token.')));
  assert.match(run(['audit', '--limit', '2']).out, /^(.+\n){2}$/);
});

test('the log is printed beyond a page of the store', async () => {
  const more = 1020 - acts().length;
  assert.ok(more > 0);
  // One row each, without a thousand programs: the owner renames a token by the API.
  const owner = { 'beta-auth-token': await signIn(server, EMAIL, PASSWORD) };
  for (let i = 0; i < more; i += 20)
    await Promise.all(Array.from({ length: 20 }, (_, k) => call(server, 'PATCH', `/system/v1/access-tokens/${server.token_id}`, { headers: owner, body: { name: `token ${i + k}` } })));
  const rows = acts();
  assert.ok(rows.length > 1000);
  assert.ok(new Set(rows.map(r => r.details.name).filter(Boolean)).size >= more);
});
