// SPDX-License-Identifier: Apache-2.0
// Every secret that exists is made once, and then looked for where it must not be: in any file of the data directory, in
// the logs (at their most talkative), in the process list, and in every answer but the one that made it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { EMAIL, PASSWORD, Server, sleep } from '../lib/server.mjs';
import { basicOf, call, signIn, totp } from './access.mjs';

const METRICS_TOKEN = 'metrics-token-of-this-test', SMTP_PASSWORD = 'smtp-password-of-this-test';

function* files(dir) {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (entry.isFile()) yield full;
  }
}

// Of the processes that work on this data directory; other tests have the same passwords.
const commandLines = data => fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
  try {
    const line = fs.readFileSync(`/proc/${pid}/cmdline`);
    return line.includes(data) ? [[`the command line of process ${pid}`, line]] : [];
  } catch { return []; } // it has ended meanwhile
});

test('no secret is readable anywhere', async () => {
  // Secrets come by the environment, as on a real machine; that of a process is readable for its own user only.
  process.env.FIRSTFRAME_METRICS_TOKEN = METRICS_TOKEN;
  process.env.FIRSTFRAME_SMTP_URL = `smtp://user:${SMTP_PASSWORD}@127.0.0.1:9`; // nobody listens: that is an error to be logged
  const server = new Server({ serve: ['--smtp-from', 'firstframe@example.com', '--log-level', 'debug'] });
  const secrets = new Map([['owner password', PASSWORD], ['first token', server.token_secret], ['metrics token', METRICS_TOKEN], ['SMTP password', SMTP_PASSWORD]]);
  const answers = [];
  try {
    await server.start();
    const keep = (name, value) => { assert.ok(value && value.length >= 6, name); secrets.set(name, value); return value; };
    const ask = async (method, route, options = {}, made = []) => {
      const answer = await call(server, method, route, options);
      let text = answer.text + JSON.stringify([...answer.headers]);
      for (const [name, value] of made.map(([n, pick]) => [n, keep(n, pick(answer))])) text = text.replaceAll(value, `<${name}>`);
      answers.push([`${method} ${route}`, text]);
      return answer;
    };
    const session = keep('session', await signIn(server, EMAIL, PASSWORD)), owner = { 'beta-auth-token': session };
    keep('cookie', await signIn(server, EMAIL, PASSWORD, { cookie: true }));
    const fragment = a => a.body.data.url.split('#')[1];
    await ask('POST', '/system/v1/invitations', { headers: owner, body: { email: 'a@example.com', role: 'viewer' } }, [['open invitation', fragment]]);
    await ask('POST', '/system/v1/invitations', { headers: owner, body: { email: 'b@example.com', role: 'viewer' } }, [['used invitation', fragment]]);
    await ask('POST', '/api/invitations/accept', { body: { token: secrets.get('used invitation'), name: 'B', password: keep('password of B', 'a password of somebody') } });
    const { id } = (await ask('GET', '/system/v1/people', { headers: owner })).body.data.find(p => p.email === 'b@example.com');
    await ask('POST', `/system/v1/people/${id}/password-reset`, { headers: owner }, [['reset link', fragment]]);
    await ask('POST', '/api/password-resets', { body: { email: EMAIL } });
    const token = await ask('POST', '/system/v1/access-tokens', { headers: owner, body: { name: 'T', permissions: ['data:read'] } }, [['access token', a => a.body.data.secret]]);
    await ask('POST', '/system/v1/signing-keys', { headers: owner }, [['signing key', a => a.body.data.private_key]]);
    keep('signing key, as PEM', Buffer.from(secrets.get('signing key'), 'base64').toString().split('\n')[5]);
    await ask('POST', '/api/totp', { headers: owner }, [['one-time secret', a => a.body.data.secret]]);
    const code = totp(secrets.get('one-time secret'), Date.now());
    assert.equal((await ask('POST', '/api/totp/enable', { headers: owner, body: { password: PASSWORD, secret: secrets.get('one-time secret'), code } })).status, 204);
    await ask('POST', '/api/password', { headers: owner, body: { current_password: keep('wrong password', 'not the password'), password: keep('next password', 'the next password') } });
    await ask('POST', '/api/password', { headers: owner, body: { current_password: PASSWORD, password: secrets.get('next password') } });

    // Mistakes that hold secrets: none is repeated in what is answered or logged.
    const wrong = keep('mistyped token', token.body.data.secret.slice(0, -1) + '~');
    await ask('GET', '/data/v1/video-views', { headers: { authorization: basicOf(token.body.data.id, wrong) } });
    await ask('GET', '/data/v1/video-views', { headers: { authorization: 'Bearer ' + wrong } });
    await ask('GET', '/data/v1/video-views', { headers: { 'beta-auth-token': wrong } });
    await ask('POST', '/api/sessions', { body: { session: { email: EMAIL, password: secrets.get('wrong password') } } });
    await ask('POST', '/api/sessions', { body: `{"session":{"email":"${EMAIL}","password":"${PASSWORD}"` });
    await ask('POST', '/api/invitations/accept', { body: { token: wrong, password: PASSWORD } });
    await ask('POST', '/api/setup', { body: { code: wrong, email: EMAIL, password: PASSWORD } });
    await ask('POST', '/system/v1/people', { headers: owner, body: { email: 'no address', role: 'viewer', password: secrets.get('password of B') } });
    for (const route of ['/system/v1/access-tokens', '/system/v1/invitations', '/system/v1/signing-keys', '/system/v1/audit?limit=1000', '/api/sessions', '/api/sessions/current', '/metrics'])
      await ask('GET', route, { headers: owner });
    await sleep(3000); // the mail that cannot be delivered, last-used times, the engine's logs
    const running = commandLines(server.data);
    assert.ok(running.length >= 2, 'the server and its engine are looked at');
    await server.kill('SIGTERM');

    const places = [['the log', Buffer.from(server.log)], ...running, ...answers.map(([what, text]) => [`the answer to ${what}`, Buffer.from(text)]),
      ...[...files(server.data)].map(file => [path.relative(server.data, file), fs.readFileSync(file)])];
    assert.ok(places.some(([name]) => name === 'accounts.db') && server.log.includes('mail_failed'), 'the search looks at something');
    const needles = [...secrets].map(([name, value]) => [name, Buffer.from(value)]);
    for (const [name, value] of [...secrets].filter(([, v]) => /^[\w-]{43}$/.test(v))) needles.push([name + ', decoded', Buffer.from(value, 'base64url')]);
    const found = places.flatMap(([place, bytes]) => needles.filter(([, needle]) => bytes.includes(needle)).map(([name]) => `${name} in ${place}`));
    assert.deepEqual(found, []);
    for (const file of ['accounts.db', 'accounts.key'])
      assert.equal(fs.statSync(path.join(server.data, file)).mode & 0o777, 0o600, file);
    console.log(`# ${needles.length} secrets looked for in ${places.length} places`);
  } finally {
    delete process.env.FIRSTFRAME_METRICS_TOKEN;
    delete process.env.FIRSTFRAME_SMTP_URL;
    await server.stop();
  }
});
