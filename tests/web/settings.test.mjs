// SPDX-License-Identifier: Apache-2.0
// The pages around people: set-up, sign-in, invitation, reset, and all of the settings, on a server that nobody has set
// up before. What the pages do is looked up in the API, and what they give away is used from a shell.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { call, signIn, totp } from '../access/access.mjs';
import { EMAIL, firstframe, PASSWORD, until } from '../lib/server.mjs';
import { browser } from '../lib/site.mjs';
import { Dashboard, FreshServer, readCsv } from './helpers.mjs';

const ROBOT = 'name+robot@example.com';
const d = new Dashboard();
let owner;

before(async () => {
  d.server = await new FreshServer().start();
  d.chromium = await browser();
  await d.open();
});
after(() => d.stop());

const api = async (method, route, body) => {
  const answer = await call(d.server, method, route, { headers: owner, body });
  assert.ok(answer.status < 300, `${method} ${route}: ${answer.text}`);
  return answer.body?.data;
};
const clean = () => {
  assert.deepEqual(
    d.trouble.filter(t => !/status of 4\d\d/.test(t)),
    [],
  );
  assert.deepEqual(d.foreign, []);
};
const field = (label, page = d.page) => page.getByLabel(label, { exact: true });
const choice = label => d.page.getByRole('combobox', { name: label, exact: true });
const button = (name, page = d.page) => page.getByRole('button', { name, exact: true });
const heading = (text, page = d.page) => page.getByRole('heading', { name: text, exact: true }).waitFor();
const gone = () => d.page.waitForSelector('dialog', { state: 'detached' });
const alert = (text, page = d.page) => page.getByRole('alert').filter({ hasText: text }).first().waitFor();
async function tab(name) {
  await d.page.goto(`${d.server.url}/settings?tab=${name}`);
  await d.settled();
}
// What stands in a block that is shown once.
const shown = label => d.page.getByRole('region', { name: label, exact: true }).innerText();
// Another browser, in which nobody is signed in.
async function elsewhere(run) {
  const context = await d.chromium.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB' });
  const mine = { context: d.context, page: d.page };
  d.context = context;
  d.page = await context.newPage();
  try {
    await run(d.page);
  } finally {
    Object.assign(d, mine);
    await context.close();
  }
}
async function signInPage(page, email, password) {
  await page.goto(d.server.url + '/');
  await field('E-mail', page).fill(email);
  await field('Password', page).fill(password);
  await button('Sign in', page).click();
}

test('a fresh server asks for the code of its terminal, and shows its first token once', async () => {
  await d.page.goto(d.server.url + '/');
  await heading('Set up Firstframe');
  assert.deepEqual(await d.axe(), []);
  await d.page.fill('input[name=code]', 'AAAA-AAAA-AAAA');
  await d.page.fill('input[name=email]', EMAIL);
  await d.page.fill('input[name=name]', 'Olga Owner');
  await d.page.fill('input[name=password]', PASSWORD);
  await d.page.fill('input[name=again]', PASSWORD + '!');
  await button('Set up').click();
  await alert('The two passwords differ.');
  await d.page.fill('input[name=again]', PASSWORD);
  await button('Set up').click();
  await alert('The code is not the one');
  await d.page.fill('input[name=code]', d.server.code.toLowerCase());
  await d.page.fill('input[name=organization]', 'Example Video');
  await button('Set up').click();
  await heading('Your server is ready');
  assert.deepEqual(await d.axe(), []);
  d.server.env_key = await shown('Env key');
  d.server.token_id = await shown('Token id');
  d.server.token_secret = await shown('Token secret');
  const who = JSON.parse(
    await d.shell(`curl -sS -u "$FIRSTFRAME_TOKEN_ID:$FIRSTFRAME_TOKEN_SECRET" '${d.server.url}/system/v1/whoami'`),
  );
  assert.deepEqual([who.data.organization_name, who.data.environment_name], ['Example Video', 'Production']);
  d.server.environment_id = who.data.environment_id;
  await button('Add a player').click();
  await heading('Add a player');
  owner = { 'beta-auth-token': await signIn(d.server, EMAIL, PASSWORD) };
  await d.page.goto(d.server.url + '/setup');
  await heading('This server is set up');
  assert.deepEqual(await d.axe(), []);
  clean();
});

test('signing in: a wrong password, the way to a new one, the right one', async () => {
  await elsewhere(async page => {
    await signInPage(page, EMAIL, 'not the password');
    await alert('E-mail or password is not right.', page);
    await page.getByRole('link', { name: 'Forgot the password?' }).click();
    await heading('A new password', page);
    assert.deepEqual(await d.axe(), []);
    await field('E-mail', page).fill(EMAIL);
    await button('Send the link', page).click();
    await heading('Ask an administrator', page); // this server sends no mail, and says so
    assert.deepEqual(await d.axe(), []);
    await page.getByRole('link', { name: 'Back to the sign-in' }).click();
    // A cookie that is for https alone is dropped by a browser that came by http.
    await page.route('**/api/sessions/current', route => route.fulfill({ status: 401, json: { error: { type: 'unauthorized', messages: ['x'] } } }));
    await signInPage(page, EMAIL, PASSWORD);
    await alert('the browser did not keep the sign-in', page);
    await page.unroute('**/api/sessions/current');
    await button('Sign in', page).click();
    await heading('Overview', page);
  });
});

test('a robot is invited in the page, accepts by the link, and sees what a viewer may', async () => {
  await tab('people');
  await d.page.locator('section[aria-label=Invitations] input[name=email]').fill(ROBOT);
  await button('Invite').click();
  await heading(`${ROBOT} is invited`);
  assert.deepEqual(await d.axe(), []);
  const link = await shown('Link');
  await button('Done').click();
  await gone();
  await d.page.locator('section[aria-label=Invitations] tbody', { hasText: ROBOT }).waitFor();
  assert.ok(!(await d.page.content()).includes(link.split('#')[1]), 'the link is shown once');

  await elsewhere(async page => {
    await page.goto(link);
    await heading('Join Example Video', page);
    assert.deepEqual(await d.axe(), []);
    assert.equal(await field('E-mail', page).inputValue(), ROBOT);
    await page.fill('input[name=name]', 'The robot');
    await page.fill('input[name=password]', 'a robot has one too');
    await page.fill('input[name=again]', 'a robot has one too');
    await button('Accept', page).click();
    await heading('Overview', page);
    await page.goto(d.server.url + '/settings');
    await d.settled();
    assert.deepEqual(await page.getByRole('navigation', { name: 'Settings' }).getByRole('link').allInnerTexts(), [
      'Account',
      'Annotations',
      'Exports',
    ]);
    // The address of a page that is not offered says why it is not.
    await page.goto(d.server.url + '/settings?tab=people');
    await page.getByRole('alert').filter({ hasText: 'lacks the permission' }).first().waitFor();
    await page.goto(link);
    await alert('unknown, used or expired', page);
    assert.deepEqual(await d.axe(), []);
  });
  await tab('people');
  await d.page.locator('section[aria-label=People] tr', { hasText: 'The robot' }).waitFor();
  assert.equal(await d.page.locator('section[aria-label=Invitations] tbody').count(), 0);
  const robot = (await api('GET', '/system/v1/people')).find(p => p.email === ROBOT);
  assert.deepEqual([robot.name, robot.role], ['The robot', 'viewer']);

  // Taken back before it is accepted.
  await d.page.locator('section[aria-label=Invitations] input[name=email]').fill('late@example.com');
  await button('Invite').click();
  await button('Done').click();
  await button('Revoke the invitation of late@example.com').click();
  await until('the invitation to go', async () => (await api('GET', '/system/v1/invitations')).length === 0);
  clean();
});

test('roles: in the organization, in one environment; the last owner stays', async () => {
  await tab('people');
  await button(`Change ${ROBOT}`).click();
  assert.deepEqual(await d.axe(), []);
  await choice('Role in the organization').selectOption('none');
  await choice('Production').selectOption('editor');
  await field('Name').fill('Robbie');
  await button('Save').click();
  await gone();
  const robot = (await api('GET', '/system/v1/people')).find(p => p.email === ROBOT);
  assert.deepEqual(
    [robot.name, robot.role, robot.role_here, robot.environment_roles],
    ['Robbie', 'none', 'editor', [{ environment_id: d.server.environment_id, role: 'editor' }]],
  );
  await d.page.locator('tr', { hasText: 'editor in Production' }).waitFor();
  await button(`Change ${EMAIL}`).click();
  await choice('Role in the organization').selectOption('viewer');
  await button('Save').click();
  await alert('The last owner of an organization can be neither removed nor demoted.');
  await button('Cancel').click();
  await gone();
  await button(`More for ${EMAIL}`).click();
  await button('Remove from the organization').click();
  await button('Remove').click();
  await alert('The last owner');
  await d.page.keyboard.press('Escape');
  await gone();
  assert.equal((await api('GET', '/system/v1/people')).length, 2);

  // An admin of one environment gives roles there, and nothing else.
  const inProduction = `/system/v1/environments/${d.server.environment_id}/people`;
  const third = await api('POST', '/system/v1/people', {
    email: 'third@example.com',
    role: 'viewer',
    password: PASSWORD,
  });
  await api('PATCH', `${inProduction}/${robot.id}`, { role: 'admin' });
  await elsewhere(async page => {
    await signInPage(page, ROBOT, 'a robot has one too');
    await heading('Overview', page);
    await tab('people');
    assert.equal(await button('More for third@example.com').count(), 0);
    await button('Change third@example.com').click();
    assert.equal(await choice('Role in the organization').count(), 0);
    await choice('Production').selectOption('editor');
    await button('Save').click();
    await gone();
  });
  const now = (await api('GET', '/system/v1/people')).find(p => p.id === third.id);
  assert.deepEqual([now.role, now.role_here], ['viewer', 'editor']);
  await api('DELETE', `/system/v1/people/${third.id}`);
  await api('PATCH', `${inProduction}/${robot.id}`, { role: 'editor' });
  clean();
});

test('a link to a new password, made in the page, works once', async () => {
  await tab('people');
  await button(`More for ${ROBOT}`).click();
  await button('Link to a new password').click();
  await button('Make the link').click();
  await heading('The link to a new password');
  assert.deepEqual(await d.axe(), []);
  const link = await shown('Link');
  await button('Done').click();
  await elsewhere(async page => {
    await page.goto(link);
    await heading('Choose a new password', page);
    assert.deepEqual(await d.axe(), []);
    await page.fill('input[name=password]', 'another for the robot');
    await page.fill('input[name=again]', 'another for the robot');
    await button('Save the password', page).click();
    await heading('The new password holds', page);
    assert.deepEqual(await d.axe(), []);
    await signInPage(page, ROBOT, 'another for the robot');
    await heading('Overview', page);
    await page.goto('about:blank');
    await page.goto(link);
    await page.fill('input[name=password]', 'and a third password');
    await page.fill('input[name=again]', 'and a third password');
    await button('Save the password', page).click();
    await alert('unknown, used or expired', page);
  });
});

test('a token made in the page reads in a shell, is shown once, and ends when it is revoked', async () => {
  await tab('tokens');
  await button('New token').focus();
  await d.page.keyboard.press('Enter');
  await heading('New access token');
  await d.page.keyboard.type('Grafana'); // the first field has the keyboard
  assert.deepEqual(await d.axe(), []);
  await choice('It ends').selectOption('30');
  await choice('It sees').selectOption('sub_property_id');
  await d.page.fill('input[name=value]', 'acme');
  await button('Make the token').click();
  await heading('The new token');
  assert.deepEqual(await d.axe(), []);
  const id = await shown('Token id'),
    secret = await shown('Token secret'),
    line = await shown('Try it in a shell');
  const answer = JSON.parse(await d.shell(line));
  assert.deepEqual([answer.data.access_token_name, answer.data.permissions], ['Grafana', ['data:read']]);
  const read = `curl -sS -o /dev/null -w '%{http_code}' -u '${id}:${secret}' '${d.server.url}/data/v1/metrics/views/overall'`;
  assert.equal(await d.shell(read), '200');
  await d.page.mouse.click(5, 5); // beside the dialog: what is shown once does not go by mistake
  assert.ok(await d.page.locator('dialog[open]').isVisible());
  await button('Done').click();
  await gone();
  assert.ok(!(await d.page.content()).includes(secret));
  const row = d.page.locator('tr', { hasText: 'Grafana' });
  assert.match(await row.innerText(), /data:read\s+sub_property_id:acme/);
  const made = (await api('GET', '/system/v1/access-tokens')).find(t => t.id === id);
  assert.deepEqual(
    [made.name, made.filter, Math.round((made.expires_at - made.created_at) / 86400)],
    ['Grafana', 'sub_property_id:acme', 30],
  );

  await button('Rename Grafana').click();
  await field('What it is for').fill('Wall');
  await button('Save').click();
  await gone();
  await button('Revoke Wall').click();
  assert.deepEqual(await d.axe(), []);
  await button('Revoke').click();
  await gone();
  assert.equal(await d.shell(read), '401');
  assert.equal(await d.page.locator('tr', { hasText: 'Wall' }).count(), 0);
  await field('show 1 ended').check();
  await d.page.locator('tr', { hasText: 'revoked' }).waitFor();
  clean();
});

test('an environment is added, changed, and removed by its name after the page said what goes', async () => {
  await tab('environments');
  await button('Add an environment').click();
  assert.deepEqual(await d.axe(), []);
  await d.page.fill('dialog input[name=name]', 'Doomed <b>');
  await choice('Type').selectOption('test');
  await d.page.fill('textarea[name=cors_origins]', 'https://charts.example.com/path');
  await d.page.check('input[name=allow_backfill]');
  await button('Add').click();
  await alert('A CORS origin must have the form');
  await d.page.fill('textarea[name=cors_origins]', 'https://charts.example.com');
  await button('Add').click();
  await gone();
  await d.page.locator('tr', { hasText: 'Doomed <b>' }).waitFor();
  let made = (await api('GET', '/system/v1/environments')).find(e => e.name === 'Doomed <b>');
  assert.deepEqual(
    [made.type, made.allow_backfill, made.cors_origins, made.retention_days],
    ['test', true, ['https://charts.example.com'], 0],
  );

  await button('Change Doomed <b>').click();
  await d.page.locator('select[name=retention_days]').selectOption('90');
  await d.page.locator('summary', { hasText: 'Privacy and limits' }).click();
  await d.page.check('input[name=honour_dnt]');
  assert.deepEqual(await d.axe(), []);
  await d.page.locator('dialog').getByRole('button', { name: 'Save' }).click();
  await gone();
  made = (await api('GET', '/system/v1/environments')).find(e => e.id === made.id);
  assert.deepEqual(
    [made.type, made.retention_days, made.honour_dnt, made.env_key.length, made.cors_origins.length],
    ['test', 90, true, 24, 1],
  );

  firstframe([
    'simulate',
    '--url',
    d.server.url,
    '--env-key',
    made.env_key,
    '--views',
    '20',
    '--days-back',
    '2',
    '--seed',
    '5',
  ]);
  await until(
    'the views to be stored',
    async () => (await api('GET', `/system/v1/environments/${made.id}`)).contents.views >= 20,
  );
  await d.page.goto(`${d.server.url}/settings?tab=environments&e=${made.id}`);
  await d.settled();
  await button('Remove Doomed <b>').click();
  await d.page.locator('dialog .goes').waitFor();
  assert.deepEqual(await d.axe(), []);
  const { contents } = await api('GET', `/system/v1/environments/${made.id}`);
  assert.equal((await d.page.locator('.goes li').first().innerText()).trim(), `${contents.views} views`);
  const remove = button('Remove for ever');
  assert.ok(await remove.isDisabled());
  await d.page.fill('dialog input[name=confirm]', 'doomed <b>');
  assert.ok(await remove.isDisabled());
  await d.page.fill('dialog input[name=confirm]', 'Doomed <b>');
  await remove.click();
  await gone();
  await d.settled();
  assert.deepEqual(
    (await api('GET', '/system/v1/environments')).map(e => e.name),
    ['Production'],
  );
  assert.equal(await d.page.locator('tr', { hasText: 'Doomed' }).count(), 0);
  assert.equal(new URL(d.page.url()).searchParams.get('e'), d.server.environment_id);
  // Nor is it offered any more: with one environment there is no choice.
  await d.page.locator('.environment select').waitFor({ state: 'detached' });
  assert.equal(await d.page.locator('.environment strong').innerText(), 'Production');
  // The last one stays, and says why.
  await button('Remove Production').click();
  await d.page.fill('dialog input[name=confirm]', 'Production');
  await remove.click();
  await alert('The last environment of an organization cannot be removed.');
  await button('Keep it').click();
  await gone();

  await field('Name').fill('Renamed Video');
  await button('Save').click();
  await until('the new name', async () => (await api('GET', '/system/v1/organization')).name === 'Renamed Video');
  clean();
});

test('a signing key shows its private half once; annotations are changed', async () => {
  await tab('keys');
  await button('New key').click();
  await heading('The new key');
  const pem = Buffer.from(await shown('Private key, base64 of the PEM'), 'base64').toString();
  assert.match(pem, /^-----BEGIN RSA PRIVATE KEY-----/);
  await button('Done').click();
  await gone();
  const [key] = await api('GET', '/system/v1/signing-keys');
  await button(`Remove ${key.id}`).click();
  await button('Remove').click();
  await gone();
  assert.deepEqual(await api('GET', '/system/v1/signing-keys'), []);

  await tab('annotations');
  await d.page.fill('input[name=note]', 'deploy 42');
  await button('Add').click();
  await d.page.locator('tr', { hasText: 'deploy 42' }).waitFor();
  await button('Change').click();
  await d.page.fill('dialog textarea[name=note]', 'deploy 43');
  assert.deepEqual(await d.axe(), []);
  await button('Save').click();
  await gone();
  assert.deepEqual(
    (await api('GET', '/data/v1/annotations')).map(n => n.note),
    ['deploy 43'],
  );
  clean();
});

test('the account: name, sessions, password, one-time codes at the sign-in', async () => {
  await tab('account');
  await field('Name').fill('Olga');
  await button('Save').click();
  await d.page.getByText('Saved.').waitFor();
  assert.equal((await api('GET', '/api/sessions/current')).name, 'Olga');

  const other = await signIn(d.server, EMAIL, PASSWORD);
  await tab('account');
  const sessions = d.page.locator('section[aria-label=Sessions] tbody tr');
  assert.equal(await sessions.count(), (await api('GET', '/api/sessions')).length);
  await sessions.first().getByRole('button', { name: 'End' }).click(); // the newest
  await until(
    'it to end',
    async () =>
      (await call(d.server, 'GET', '/api/sessions', { headers: { 'beta-auth-token': other } })).status === 401,
  );

  await d.page.fill('input[name=current_password]', 'not it');
  await d.page.fill('input[name=password]', 'quite another one');
  await d.page.fill('input[name=again]', 'quite another one');
  await button('Change the password').click();
  await alert('The present password is wrong.');
  await d.page.fill('input[name=current_password]', PASSWORD);
  await button('Change the password').click();
  await d.page.getByText('The new password holds from now on.').waitFor();
  owner = { 'beta-auth-token': await signIn(d.server, EMAIL, 'quite another one') };

  await button('Set up').click();
  await heading('Set up one-time codes');
  assert.deepEqual(await d.axe(), []);
  const secret = await shown('Secret');
  assert.ok((await d.page.locator('.qr path').getAttribute('d')).length > 1000);
  assert.ok(
    (await d.page.getByRole('link', { name: 'open it in the app' }).getAttribute('href')).includes(`secret=${secret}`),
  );
  let at = Date.now();
  await d.page.fill('dialog input[name=code]', totp(secret, at));
  await d.page.fill('dialog input[name=password]', 'quite another one');
  await button('Switch on').click();
  await gone();
  await button('Switch off').waitFor();
  await elsewhere(async page => {
    await signInPage(page, EMAIL, 'quite another one');
    await heading('One-time code', page);
    assert.deepEqual(await d.axe(), []);
    await page.keyboard.type('000000');
    await button('Sign in', page).click();
    await alert('wrong or was used', page);
    // Each code works once: the next one is taken a little early.
    await page.fill('input[name=totp]', totp(secret, Math.max(at + 30_000, Date.now())));
    await button('Sign in', page).click();
    await heading('Overview', page);
  });
  await button('Switch off').click();
  await heading('Switch one-time codes off?');
  assert.deepEqual(await d.axe(), []);
  await d.page.fill('dialog input[name=password]', 'not this one');
  await d.page.locator('dialog').getByRole('button', { name: 'Switch off' }).click();
  await alert('The present password is wrong.');
  await d.page.fill('dialog input[name=password]', 'quite another one');
  await d.page.locator('dialog').getByRole('button', { name: 'Switch off' }).click();
  await gone();
  await button('Set up').waitFor();
  clean();
});

test("the audit log shows the API's rows, by kind, by page, as CSV", async () => {
  await tab('audit');
  const rows = await api('GET', '/system/v1/audit?limit=50'),
    first = await d.page
      .locator('.audit tbody tr')
      .evaluateAll(all => all.map(r => [r.cells[1].innerText.trim(), r.cells[2].innerText]));
  assert.deepEqual(
    first,
    rows.map(r => [r.actor, r.act.replace(/[._]/g, ' ')]),
  );
  const cells = readCsv(await d.download(d.page.getByLabel('Download as CSV: Audit log')));
  assert.deepEqual(
    cells.slice(1).map(r => r[3]),
    rows.map(r => r.act),
  );
  const total = (await call(d.server, 'GET', '/system/v1/audit', { headers: owner })).body.total_row_count;
  assert.match(await d.page.locator('.pager').innerText(), new RegExp(`of ${total} acts`));
  if (total > 50) {
    await button('Next').click();
    await d.page.waitForURL(/page=2/);
    await d.settled();
    assert.equal(await d.page.locator('.audit tbody tr').count(), Math.min(50, total - 50));
  }
  await choice('Of what').selectOption('environment.');
  await d.page.waitForURL(/act=environment\./);
  await d.settled();
  const kinds = await d.page.locator('.audit tbody tr .act').allInnerTexts();
  assert.deepEqual([...new Set(kinds)].sort(), ['environment add', 'environment change', 'environment remove']);
  assert.equal(new URL(d.page.url()).searchParams.get('page'), null);
  await choice('Where').selectOption('environment');
  await d.settled();
  await until('only this environment', async () => (await d.page.locator('.audit tbody tr').count()) === 1);
  clean();
});

const TABS = ['account', 'environments', 'people', 'tokens', 'keys', 'annotations', 'exports', 'audit'];

test('every request of the settings, run in a shell, answers what the page was answered', async () => {
  process.env.FIRSTFRAME_SESSION = owner['beta-auth-token'];
  let ran = 0;
  for (const name of TABS) {
    await tab(name);
    for (const { name: panel, curl, javascript } of await d.requests()) {
      const url = new URL(/'(http[^']*)'$/.exec(curl)[1]),
        mine = d.seen.get(url.pathname + url.search);
      const answer = JSON.parse(await d.shell(curl));
      assert.equal(answer.error, undefined, `${panel}: ${JSON.stringify(answer)}`);
      const program = await d.javascript(javascript);
      assert.ok(program, panel);
      ran++;
      // What differs between a cookie and a token for scripts, or changes by being looked at.
      if (/sessions|whoami|audit|exports/.test(url.pathname)) continue;
      const steady = rows => JSON.parse(JSON.stringify(rows, (key, v) => (/^last_/.test(key) ? null : v)));
      assert.deepEqual(steady(answer.data), steady(mine.data), panel);
      assert.deepEqual(steady(program), steady(mine.data), panel);
    }
  }
  delete process.env.FIRSTFRAME_SESSION;
  assert.ok(ran >= 10, String(ran));
  // With a token alone the same lines answer for its environment.
  await tab('people');
  for (const { curl } of await d.requests()) assert.equal(JSON.parse(await d.shell(curl)).error, undefined);
});

test('a panel says when it cannot be loaded, and tries again', async () => {
  let broken = true;
  await d.page.route('**/system/v1/access-tokens*', route =>
    broken
      ? route.fulfill({ status: 500, json: { error: { type: 'internal_error', messages: ['It broke.'] } } })
      : route.continue(),
  );
  await d.page.goto(`${d.server.url}/settings?tab=tokens`);
  await alert('It broke.');
  broken = false;
  await button('Try again').click();
  await d.page.locator('tr', { hasText: 'first token' }).waitFor();
  await d.page.unroute('**/system/v1/access-tokens*');
  assert.equal(d.trouble.filter(t => /status of 500/.test(t)).length, 1);
  d.trouble = [];
});

test('axe finds nothing in the settings, in light and in dark, on a desk and on a phone', async () => {
  const found = [];
  for (const [scheme, size] of [
    ['light', { width: 1440, height: 900 }],
    ['dark', { width: 390, height: 844 }],
  ]) {
    await d.page.emulateMedia({ colorScheme: scheme });
    await d.page.setViewportSize(size);
    const look = async name => {
      for (const v of await d.axe()) found.push(`${name} ${scheme}: ${v}`);
      const over = await d.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) found.push(`${name} ${scheme}: ${over} px wider than the window`);
    };
    for (const name of TABS) {
      await tab(name);
      await look(name);
    }
    for (const [name, open] of [
      ['environments', 'Change Production'],
      ['people', `Change ${ROBOT}`],
      ['tokens', 'New token'],
    ]) {
      await tab(name);
      await button(open).click();
      await d.page.waitForSelector('dialog[open]');
      await look(`${name}: ${open}`);
    }
    await d.page.goto(d.server.url + '/reset');
    await heading('A new password');
    await look('reset');
  }
  assert.deepEqual(found, []);
  clean();
});
