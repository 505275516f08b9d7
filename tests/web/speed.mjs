// SPDX-License-Identifier: Apache-2.0
// speed.mjs [VIEWS [ROUNDS]]: how fast the overview is on many views, in a browser with an empty cache each time. Medians;
// aims: first contentful paint under 1 s, complete under 1.5 s, no task of the browser over 200 ms. Part of make bench.
import os from 'node:os';
import { serverWithViews } from '../bench/data.mjs';
import { EMAIL, PASSWORD } from '../lib/server.mjs';
import { browser } from '../lib/site.mjs';

const VIEWS = Number(process.argv[2] ?? 1_000_000),
  ROUNDS = Number(process.argv[3] ?? 10);

// Runs in the page before its own code: when it was complete for good, and what kept the browser from answering.
function watch() {
  const seen = (window.seen = { complete: 0, longest: 0, tasks: 0 });
  new PerformanceObserver(list => {
    for (const task of list.getEntries()) {
      seen.longest = Math.max(seen.longest, task.duration);
      seen.tasks++;
    }
  }).observe({ type: 'longtask', buffered: true });
  let done = false;
  new MutationObserver(() => {
    const now = document.querySelector('.shell main h1') !== null && !document.querySelector('.skeleton, .stale');
    if (now && !done) requestAnimationFrame(() => setTimeout(() => (seen.complete = performance.now())));
    done = now;
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] });
}

async function once(chromium, server, range, fresh) {
  const context = await chromium.newContext({
    viewport: { width: 1440, height: 900 },
    // The server keeps answers while nothing they read has changed; asked like this it works them out again.
    extraHTTPHeaders: fresh ? { 'cache-control': 'no-cache' } : {},
  });
  const signed = await context.request.post(server.url + '/api/sessions', {
    data: { session: { email: EMAIL, password: PASSWORD, cookie: true } },
  });
  if (!signed.ok()) throw new Error(`signing in: ${signed.status()}`);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.addInitScript(watch);
  let asked = 0;
  page.on('requestfinished', () => asked++);
  await page.goto(`${server.url}/?t=${range}`);
  await page.waitForFunction(() => window.seen.complete > 0 && !document.querySelector('.skeleton, .stale'));
  await page.waitForTimeout(500);
  const figures = await page.evaluate(() => ({
    ...window.seen,
    paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN,
  }));
  await context.close();
  return { ...figures, asked };
}

const median = values => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const server = await serverWithViews(VIEWS, {
  directory: process.env.BENCH_DASHBOARD_DATA ?? '',
  say: what => console.log(`  ${what}`),
});
const chromium = await browser();
try {
  console.log(
    `\n# The overview on ${VIEWS.toLocaleString('en')} views, empty browser cache, medians of ${ROUNDS} ` +
      `(${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)})`,
  );
  for (const [range, fresh] of [
    ['24:hours', true],
    ['24:hours', false],
    ['30:days', true],
    ['30:days', false],
  ]) {
    await once(chromium, server, range, false); // the first one warms the server, not the browser
    const all = [];
    for (let i = 0; i < ROUNDS; i++) all.push(await once(chromium, server, range, fresh));
    const of = name => median(all.map(r => r[name]));
    console.log(
      `${range}, ${fresh ? 'every answer worked out' : 'answers as the server keeps them'}: first contentful paint ${of('paint').toFixed(0)} ms, ` +
        `complete ${of('complete').toFixed(0)} ms, longest task ${of('longest').toFixed(0)} ms ` +
        `(largest of all ${Math.max(...all.map(r => r.longest)).toFixed(0)} ms); ${of('asked')} requests`,
    );
  }
} finally {
  await chromium.close();
  await server.stop();
}
