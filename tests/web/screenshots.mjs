// SPDX-License-Identifier: Apache-2.0
// screenshots.mjs DIRECTORY [NAME...]: every page, or those named, desktop and phone, light and dark. Run by
// tools/screenshots.sh.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { EMAIL, firstframe, PASSWORD, Server, sleep, until } from '../lib/server.mjs';
import { call, signIn } from '../access/access.mjs';
import { browser } from '../lib/site.mjs';
import { FreshServer } from './helpers.mjs';

const [directory, ...only] = process.argv.slice(2);
const wanted = name => only.length === 0 || only.includes(name);
if (!directory) throw new Error('which directory?');
mkdirSync(directory, { recursive: true });

const VIEWS = 14_000;
const server = await new Server({
  init: ['--allow-backfill', '--organization', 'Demo', '--environment', 'Demo'],
}).start();
let chromium, fresh;

const administer = (at, method, route, body) =>
  call(at, method, route, { headers: { 'beta-auth-token': at.session }, body }).then(answer => answer.body?.data);
const invite = async (at, email) =>
  (await administer(at, 'POST', '/system/v1/invitations', { email, role: 'editor' })).url;
// Somebody to see in the settings.
async function people(at) {
  at.session = await signIn(at, EMAIL, PASSWORD);
  const staging = await administer(at, 'POST', '/system/v1/environments', {
    name: 'Staging',
    type: 'staging',
    retention_days: 30,
    cors_origins: ['https://status.example.com'],
  });
  for (const [email, name, role] of [
    ['ada@example.com', 'Ada Lovelace', 'admin'],
    ['grace@example.com', 'Grace Hopper', 'editor'],
    ['name+robot@example.com', 'Morning report', 'viewer'],
  ]) {
    const one = await administer(at, 'POST', '/system/v1/people', { email, name, role, password: 'for the picture' });
    if (role === 'editor')
      await administer(at, 'PATCH', `/system/v1/environments/${staging.id}/people/${one.id}`, { role: 'admin' });
  }
  for (const [name, permissions, filter] of [
    ['Grafana', ['data:read'], undefined],
    ['Acme, their own wall', ['data:read'], 'sub_property_id:acme'],
  ])
    await administer(at, 'POST', '/system/v1/access-tokens', { name, permissions, filter });
  await administer(at, 'POST', '/system/v1/signing-keys');
  await invite(at, 'newcomer@example.com');
}

try {
  firstframe(
    [
      'simulate',
      '--url',
      server.url,
      '--env-key',
      server.env_key,
      '--views',
      String(VIEWS),
      '--days-back',
      '15', // a week, and the week before it
      '--seed',
      '3',
    ],
    { stdio: 'ignore' },
  );
  await until(
    'all views',
    async () => (await server.json('/data/v1/metrics/views/overall?timeframe[]=20:days')).data.value >= VIEWS,
    { seconds: 300 },
  );
  const now = Math.floor(Date.now() / 1000);
  await fetch(server.url + '/data/v1/annotations', {
    method: 'POST',
    headers: { authorization: server.basic, 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'Deploy 42: new encoding ladder', date: now - 60 * 3600 }),
  });
  const {
    data: [view],
  } = await server.json(
    `/data/v1/video-views?timeframe[]=3:days&limit=1&metric_filters[]=rebuffer_count%3E=2&metric_filters[]=rendition_change_count%3E=2&metric_filters[]=seek_latency%3E=1`,
  );
  const week = '?t=7:days';
  const versions = await server.json('/data/v1/dimensions/player_version?timeframe[]=7:days');
  const sets = versions.data
    .slice(0, 2)
    .map(v => `s=${encodeURIComponent(`f=player_version:${v.value}`)}`)
    .join('&');
  await people(server);
  fresh = await new FreshServer().start();
  const doors = {
    'sign-in': server.url + '/',
    setup: fresh.url + '/',
    invitation: await invite(server, 'guest@example.com'),
    reset: server.url + '/reset',
    'new-password': server.url + '/reset#0',
  };
  const pages = {
    overview: '/',
    metrics: `/explore${week}&id=video_startup_time`,
    pivot: `/explore${week}&id=video_startup_time&by=country&then=operating_system`,
    compare: `/compare${week}&${sets}`,
    views: '/views',
    view: `/views/${view.id}`,
    errors: `/errors${week}`,
    engagement: `/engagement${week}`,
    renditions: `/renditions${week}`,
    live: '/live',
    alerts: '/alerts',
    start: '/start',
    settings: '/settings',
    environments: '/settings?tab=environments',
    people: '/settings?tab=people',
    tokens: '/settings?tab=tokens',
    'signing-keys': '/settings?tab=keys',
    annotations: '/settings?tab=annotations',
    exports: '/settings?tab=exports',
    audit: '/settings?tab=audit',
  };
  chromium = await browser();
  for (const [size, viewport] of [
    ['desktop', { width: 1440, height: 900 }],
    ['phone', { width: 390, height: 844 }],
  ]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await chromium.newPage({ viewport, colorScheme, locale: 'en-GB', timezoneId: 'UTC' });
      const shot = async name => page.screenshot({ path: path.join(directory, `${name}-${size}-${colorScheme}.png`) });
      for (const [name, address] of Object.entries(doors)) {
        if (!wanted(name)) continue;
        await page.goto(address);
        await page.waitForSelector('main.sign-in input');
        await shot(name);
      }
      await page.goto(server.url + '/');
      await page.waitForSelector('input[name=email]');
      await page.fill('input[name=email]', EMAIL);
      await page.fill('input[name=password]', PASSWORD);
      await page.click('button[type=submit]');
      await page.waitForSelector('.shell main h1');
      for (const [name, address] of Object.entries(pages)) {
        if (!wanted(name)) continue;
        await page.goto(server.url + address);
        await page.waitForSelector('.shell main h1');
        await sleep(200);
        await page.waitForFunction(() => !document.querySelector('.skeleton, .stale'), null, { timeout: 60_000 });
        await sleep(200);
        if (name === 'pivot') await page.locator('main .panel').last().scrollIntoViewIfNeeded();
        await shot(name);
        if (name === 'metrics') {
          await page.getByLabel('Show the request: Video startup time', { exact: true }).click();
          await page.waitForSelector('dialog[open] pre');
          await shot('request');
        }
        if (name === 'tokens') {
          await page.getByRole('button', { name: 'New token' }).click();
          await page.getByRole('combobox', { name: 'It sees' }).selectOption('sub_property_id');
          await shot('new-token');
        }
        if (name === 'environments') {
          await page.getByRole('button', { name: 'Remove Staging' }).click();
          await page.waitForSelector('.goes');
          await shot('remove-environment');
        }
      }
      await page.close();
    }
  }
} finally {
  await chromium?.close();
  await fresh?.stop();
  await server.stop();
}
