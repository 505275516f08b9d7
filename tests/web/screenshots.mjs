// SPDX-License-Identifier: Apache-2.0
// screenshots.mjs DIRECTORY: every page, desktop and phone, light and dark. Run by tools/screenshots.sh.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { EMAIL, firstframe, PASSWORD, Server, sleep, until } from '../lib/server.mjs';
import { browser } from '../lib/site.mjs';

const directory = process.argv[2];
if (!directory) throw new Error('which directory?');
mkdirSync(directory, { recursive: true });

const VIEWS = 12_000;
const server = await new Server({
  init: ['--allow-backfill', '--organization', 'Demo', '--environment', 'Demo'],
}).start();
let chromium;
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
      '8',
      '--seed',
      '3',
    ],
    { stdio: 'ignore' },
  );
  await until(
    'all views',
    async () => (await server.json('/data/v1/metrics/views/overall?timeframe[]=10:days')).data.value >= VIEWS,
    { seconds: 120 },
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
  const pages = {
    overview: '/',
    metrics: `/explore${week}&id=video_startup_time`,
    compare: `/compare${week}`,
    views: '/views',
    view: `/views/${view.id}`,
    errors: `/errors${week}`,
    engagement: `/engagement${week}`,
    renditions: `/renditions${week}`,
    live: '/live',
    alerts: '/alerts',
    start: '/start',
    settings: '/settings',
  };
  chromium = await browser();
  for (const [size, viewport] of [
    ['desktop', { width: 1440, height: 900 }],
    ['phone', { width: 390, height: 844 }],
  ]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await chromium.newPage({ viewport, colorScheme, locale: 'en-GB', timezoneId: 'UTC' });
      const shot = async name => page.screenshot({ path: path.join(directory, `${name}-${size}-${colorScheme}.png`) });
      await page.goto(server.url + '/');
      await page.waitForSelector('input[name=email]');
      await shot('sign-in');
      await page.fill('input[name=email]', EMAIL);
      await page.fill('input[name=password]', PASSWORD);
      await page.click('button[type=submit]');
      await page.waitForSelector('.shell main h1');
      for (const [name, address] of Object.entries(pages)) {
        await page.goto(server.url + address);
        await page.waitForSelector('.shell main h1');
        await sleep(200);
        await page.waitForFunction(() => !document.querySelector('.skeleton, .stale'), null, { timeout: 60_000 });
        await sleep(200);
        await shot(name);
        if (name === 'metrics') {
          await page.getByLabel('Show the request: Video startup time', { exact: true }).click();
          await page.waitForSelector('dialog[open] pre');
          await shot('request');
        }
      }
      await page.close();
    }
  }
} finally {
  await chromium?.close();
  await server.stop();
}
