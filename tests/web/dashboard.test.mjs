// SPDX-License-Identifier: Apache-2.0
// A walk through the dashboard on simulated views and hostile texts: what is shown is what the API answers, the request
// behind it gives the same in a shell, nothing foreign is asked for, nothing of a stranger's text is carried out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PASSWORD, until } from '../lib/server.mjs';
import { Dashboard, HOSTILE, MARK, readCsv } from './helpers.mjs';

const d = new Dashboard();
before(async () => {
  await d.start();
});
after(async () => {
  await d.stop();
});

const PAGES = [
  ['/', {}],
  ['/explore', { id: 'video_startup_time', by: 'video_title' }],
  ['/explore', { id: 'views' }],
  ['/compare', {}],
  ['/views', {}],
  ['/errors', {}],
  ['/engagement', {}],
  ['/renditions', {}],
  ['/live', {}],
  ['/alerts', {}],
  ['/start', {}],
  ['/settings', {}],
  ['/settings', { tab: 'annotations' }],
  ['/settings', { tab: 'keys' }],
  ['/settings', { tab: 'exports' }],
];
const exact = v => new Intl.NumberFormat('en-GB', { maximumFractionDigits: 6 }).format(v);

// Equal but for the last digits of sums, whose order the store is free to choose, and with them the order of insights
// that harm alike.
function alike(a, b, where) {
  if (Array.isArray(a) && a[0]?.filter_column)
    [a, b] = [a, b].map(rows =>
      rows.toSorted((x, y) =>
        JSON.stringify([x.filter_column, x.filter_value]) < JSON.stringify([y.filter_column, y.filter_value]) ? -1 : 1,
      ),
    );
  if (typeof a === 'number' && typeof b === 'number')
    assert.ok(Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b)), `${where}: ${a} and ${b}`);
  else if (a !== null && b !== null && typeof a === 'object' && typeof b === 'object') {
    assert.deepEqual(Object.keys(a).sort(), Object.keys(b).sort(), where);
    for (const key of Object.keys(a)) {
      // An hour may have become complete between the two answers.
      if (key === 'status' && [a, b].every(x => ['partial', 'complete'].includes(x.status))) continue;
      alike(a[key], b[key], `${where}.${key}`);
    }
  } else assert.equal(a, b, where);
}
const clean = () => {
  assert.deepEqual(d.trouble, []);
  assert.deepEqual(d.foreign, []);
};

test('a wrong password is refused, the right one opens the overview', async () => {
  await d.page.goto(d.server.url + '/');
  await d.page.waitForSelector('input[name=email]');
  assert.deepEqual(await d.axe(), []);
  await d.signIn('not the password');
  await d.page.waitForFunction(() => document.querySelector('.wrong')?.textContent.length > 5);
  await d.page.fill('input[name=password]', PASSWORD);
  await d.page.click('button[type=submit]');
  await d.settled();
  assert.equal(await d.page.locator('h1').innerText(), 'Overview');
  const cookies = await d.context.cookies();
  assert.deepEqual(
    cookies.map(c => [c.name, c.httpOnly, c.sameSite]),
    [['firstframe_session', true, 'Lax']],
  );
  clean();
});

test("the headline numbers are the API's", async () => {
  await d.visit('/');
  const rows = (await d.server.json(`/data/v1/metrics/comparison?${d.timeframe()}`)).data.flatMap(r => [
    r,
    ...(r.items ?? []),
  ]);
  const value = (metric, measurement) =>
    rows.find(r => r.metric === metric && (!measurement || r.measurement === measurement)).value;
  const expected = {
    views: value('views'),
    unique_viewers: value('unique_viewers'),
    playing_time: value('playing_time'),
    video_startup_time: value('video_startup_time', 'median'),
    rebuffer_percentage: value('rebuffer_percentage'),
    playback_failure_percentage: value('playback_failure_percentage'),
    exits_before_video_start: value('exits_before_video_start'),
    weighted_average_bitrate: value('weighted_average_bitrate', 'median'),
    viewer_experience_score: value('viewer_experience_score'),
    playback_success_score: value('playback_failure_score'),
    startup_time_score: value('startup_time_score'),
    rebuffer_score: value('rebuffer_score'),
    video_quality_score: value('video_quality_score'),
  };
  assert.ok(expected.views > 100);
  for (const [id, v] of Object.entries(expected))
    assert.equal(await d.page.locator(`.tile[data-metric=${id}] .tile-value`).getAttribute('title'), exact(v), id);
  assert.equal(
    await d.page.locator('.tile[data-metric=video_startup_time] .tile-value').innerText(),
    `${Math.round(expected.video_startup_time)} ms`,
  );
  assert.equal(
    await d.page.locator('.tile[data-metric=playback_success_score] .tile-value').innerText(),
    String(Math.round(expected.playback_success_score * 1000) / 10),
  );
  clean();
});

test("a metric's page shows the API's values, chart and breakdown", async () => {
  await d.visit('/explore', { id: 'video_startup_time', by: 'browser', o: 'views-desc' });
  for (const measure of ['median', '95th', 'avg']) {
    const { data } = await d.server.json(
      `/data/v1/metrics/video_startup_time/overall?measurement=${measure}&${d.timeframe()}`,
    );
    assert.equal(
      await d.page.locator(`.tile[data-measure="${measure}"] .tile-value`).getAttribute('title'),
      exact(data.value),
      measure,
    );
  }
  const series = await d.server.json(`/data/v1/metrics/video_startup_time/timeseries?${d.timeframe()}`);
  const drawn = readCsv(await d.download(d.page.getByLabel('Download as CSV: Video startup time')));
  assert.deepEqual(
    drawn.slice(1),
    series.data.map(r => r.map(c => (c === null ? '' : String(c)))),
  );
  const { data } = await d.server.json(
    `/data/v1/metrics/video_startup_time/breakdown?group_by=browser&order_by=views&${d.timeframe()}`,
  );
  const shown = await d.page
    .locator('section[aria-label="By browser"] tbody tr')
    .evaluateAll(rows => rows.map(r => [r.cells[0].innerText, r.cells[1].title, r.cells[3].innerText]));
  assert.deepEqual(
    shown,
    data.map(r => [r.field ?? '(none)', r.value === null ? '' : exact(r.value), exact(r.views)]),
  );
  clean();
});

test('clicking a row filters, the address holds it, back takes it away', async () => {
  await d.visit('/explore', { id: 'views', by: 'browser', o: 'views-desc' });
  const row = d.page.locator('section[aria-label="By browser"] tbody tr').first(),
    name = await row.locator('bdi').innerText(),
    views = await row.locator('td').nth(3).innerText();
  await row.locator('a').click();
  await d.settled();
  assert.deepEqual(new URL(d.page.url()).searchParams.getAll('f'), [`browser:${name}`]);
  const shown = () => d.page.locator('.tile[data-measure=count] .tile-value').getAttribute('title');
  await until('the tile to show the filtered count', async () => await shown() === views);
  await d.page.goBack();
  await d.settled();
  assert.deepEqual(new URL(d.page.url()).searchParams.getAll('f'), []);
  assert.equal(await d.page.locator('.chip').count(), 0);
});

test('a filter is added with the keyboard alone, from suggested values', async () => {
  await d.visit('/views');
  await d.page.getByRole('button', { name: 'Add a filter' }).focus();
  await d.page.keyboard.press('Enter');
  await d.page.keyboard.type('country');
  await d.page.keyboard.press('Enter');
  await d.page.waitForSelector('.picker li .hint');
  await d.page.keyboard.press('ArrowDown');
  await d.page.keyboard.press('Enter');
  await d.page.waitForURL(/[?&]f=/);
  await d.settled();
  const [filter] = new URL(d.page.url()).searchParams.getAll('f');
  const values = (await d.server.json(`/data/v1/dimensions/country?${d.timeframe()}&limit=200`)).data;
  assert.equal(filter, `country:${values[1].value}`);
  const list = await d.server.json(`/data/v1/video-views?${d.timeframe()}&filters[]=${filter}`);
  assert.match(await d.page.locator('.pager').innerText(), new RegExp(`of ${exact(list.total_row_count)} views`));
});

test('what opens has the focus before the next key can come, however slowly it is painted', async () => {
  await d.visit('/views');
  // Between the click and this look lies no frame: only what is done with the rendering itself is done.
  const at = await d.page.evaluate(async () => {
    const press = async selector => {
        document.querySelector(selector).click();
        for (let i = 0; i < 10; i++) await Promise.resolve();
      },
      focused = () => document.activeElement.getAttribute('aria-label');
    const out = [];
    await press('[aria-label="Add a filter"]');
    out.push(focused());
    await press('.picker li');
    out.push(focused());
    await press('main .request-button');
    return [...out, document.querySelector('dialog').open];
  });
  assert.match(at[1], / value$/);
  assert.deepEqual(at, ['Dimension', at[1], true]);
});

test('dragging over a chart zooms into that time', async () => {
  await d.visit('/explore', { id: 'views' });
  const box = await d.page.locator('.chart .u-over').first().boundingBox();
  await d.page.mouse.move(box.x + box.width * 0.25, box.y + 60);
  await d.page.mouse.down();
  await d.page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 8 });
  await d.page.mouse.up();
  await d.settled();
  const [from, to] = new URL(d.page.url()).searchParams.get('t').split('-').map(Number);
  assert.ok(
    from > d.start_s && to < d.end && Math.abs((to - from) / (d.end - d.start_s) - 0.25) < 0.05,
    `${from} to ${to} of ${d.start_s} to ${d.end}`,
  );
});

test("errors and a view's page are the API's", async () => {
  await d.visit('/errors');
  const errors = (await d.server.json(`/data/v1/errors?${d.timeframe()}`)).data;
  const rows = await d.page
    .locator('section[aria-label="Errors by code and message"] tbody tr')
    .evaluateAll(all => all.map(r => Number(r.cells[2].innerText.replace(/,/g, ''))));
  assert.deepEqual(
    rows,
    errors.map(e => e.count),
  );
  const {
    data: [view],
  } = await d.server.json(`/data/v1/video-views?${d.timeframe()}&metric_filters[]=rebuffer_count%3E=1&limit=1`);
  const detail = (await d.server.json(`/data/v1/video-views/${view.id}`)).data;
  await d.page.goto(`${d.server.url}/views/${view.id}`);
  await d.settled();
  const tiles = await d.page.locator('.tiles.six .tile-value').allInnerTexts();
  assert.equal(tiles[4], String(detail.buffering_count));
  assert.equal(tiles[0], String(Math.round(Number(detail.viewer_experience_score) * 1000) / 10));
  assert.ok((await d.page.locator('.course rect.state-rebuffer').count()) >= 1);
  assert.ok((await d.page.locator('.course rect.state-playing').count()) >= 1);
  for (const box of await d.page.locator('.course-foot input').all()) await box.check();
  assert.match(
    await d.page.locator('.course-foot .note').innerText(),
    new RegExp(`^${detail.events.length} of ${detail.events.length} `),
  );
  clean();
});

test('every request of every page, run in a shell, answers what the page was answered', async () => {
  let ran = 0,
    compared = 0;
  for (const [route, query] of PAGES) {
    await d.visit(route, query);
    for (const { name, curl } of await d.requests()) {
      const asked = /'(http[^']*)'$/.exec(curl);
      assert.ok(asked, curl);
      const url = new URL(asked[1]),
        mine = d.seen.get(url.pathname + url.search);
      if (url.pathname.startsWith('/api/sessions')) continue; // a person's, not a token's
      const answer = JSON.parse(await d.shell(curl));
      assert.equal(answer.error, undefined, `${route}: ${name}: ${JSON.stringify(answer)}`);
      if (mine && url.pathname !== '/data/v1/exports/views') {
        // an export's address is signed anew each time
        alike(answer.data, mine.data, `${route}: ${name}: ${url.search}`);
        compared++;
      }
      ran++;
    }
  }
  assert.ok(ran >= 50 && compared >= 50, `${ran} requests, ${compared} compared`);
});

test('the JavaScript of every page runs with the node client and answers the same', async () => {
  const methods = new Set();
  for (const [route, query] of PAGES) {
    await d.visit(route, query);
    for (const { name, curl, javascript } of await d.requests()) {
      const method = /await (mux\.[\w.]+)/.exec(javascript)[1],
        url = new URL(/'(http[^']*)'$/.exec(curl)[1]);
      if (methods.has(method + url.pathname) || url.pathname.startsWith('/api/sessions')) continue;
      methods.add(method + url.pathname);
      const mine = d.seen.get(url.pathname + url.search),
        answer = await d.javascript(javascript);
      if (mine && url.pathname !== '/data/v1/exports/views')
        alike(answer, mine.data, `${route}: ${name}: ${javascript}`);
    }
  }
  assert.ok(methods.size >= 20, [...methods].join('\n'));
});

test('the sparkline and the single number work in a shell', async () => {
  await d.visit('/');
  const [spark] = await d.requests('Show the request: Time to first frame'),
    [number] = await d.requests('Show the request: Startup time, median');
  assert.match((await d.shell(spark.terminal)).trim(), /^[▁▂▃▄▅▆▇█ ]{24}$/u);
  const { data } = await d.server.json(`/data/v1/metrics/video_startup_time/overall?${d.timeframe()}`);
  assert.equal(Number(await d.shell(number.terminal)), data.value);
});

test("hostile texts are shown as text, stay inside the shell's quotes and are no formulas in CSV", async () => {
  for (const text of HOSTILE) {
    await d.visit('/explore', { id: 'views', by: 'video_title', f: `video_title:${text}` });
    assert.equal(await d.page.locator('.tile[data-measure=count] .tile-value').getAttribute('title'), '1', text);
    assert.equal(await d.page.locator('.chip-value').textContent(), text);
    assert.equal(await d.page.locator('section[aria-label="By video title"] tbody bdi').first().textContent(), text);
    const [first] = await d.requests('Show the request: By video title');
    const answer = JSON.parse(await d.shell(first.curl));
    assert.deepEqual(
      answer.data.map(r => [r.field, r.value]),
      [[text, 1]],
    );
    const cells = readCsv(await d.download(d.page.getByLabel('Download as CSV: By video title')));
    assert.ok([text, `'${text}`].includes(cells[1][0]), cells[1][0]);
    assert.doesNotMatch(cells[1][0], /^[\s\u200e\u200f\u202a-\u202e\u2066-\u2069]*[=+\-@]/);
  }
  for (const [route, query] of PAGES) await d.visit(route, query);
  const views = (await d.server.json(`/data/v1/video-views?${d.timeframe()}&limit=1000`)).data.filter(v =>
    v.video_title?.includes(MARK),
  );
  assert.equal(views.length, HOSTILE.length);
  for (const view of views) {
    await d.page.goto(`${d.server.url}/views/${view.id}`);
    await d.settled();
    assert.ok((await d.page.locator('.view-title strong').textContent()).includes(MARK));
  }
  assert.equal(await d.page.evaluate(() => window.hacked), undefined);
  clean();
});

test('an error is given a meaning', async () => {
  await d.visit('/errors');
  const [error] = (await d.server.json(`/data/v1/errors?${d.timeframe()}`)).data.filter(
    e => e.player_error_code && e.message && !e.message.includes(MARK),
  );
  await d.page.locator('tr', { hasText: error.message }).getByRole('button', { name: 'Categorise' }).first().click();
  await d.page.selectOption('dialog select[name=severity]', 'warning');
  await d.page.fill('dialog textarea[name=notes]', HOSTILE[0]);
  assert.deepEqual(await d.axe(), []);
  await d.page.getByRole('button', { name: 'Save', exact: true }).click();
  await d.page.waitForSelector('dialog', { state: 'detached' });
  const after = (await d.server.json(`/data/v1/errors?${d.timeframe()}`)).data.find(e => e.id === error.id);
  assert.deepEqual([after.severity, after.notes], ['warning', HOSTILE[0]]);
  await d.settled();
  assert.ok((await d.page.locator('tbody').innerText()).includes(HOSTILE[0]));
  clean();
});

test('what the copy button copies is what is shown', async () => {
  await d.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: d.server.url });
  await d.visit('/');
  await d.page.getByLabel('Show the request: Views', { exact: true }).first().click();
  await d.page.locator('dialog .copy').click();
  await d.page.locator('dialog .copy', { hasText: 'Copied' }).waitFor();
  assert.equal(
    await d.page.evaluate(() => navigator.clipboard.readText()),
    await d.page.locator('dialog pre').innerText(),
  );
});

test("annotations are made, stand on the chart's request, and go", async () => {
  await d.visit('/settings', { tab: 'annotations' });
  await d.page.fill('input[name=note]', HOSTILE[0]);
  await d.page.fill('input[name=date]', new Date((d.end - 3 * 3600) * 1000 + 3600_000).toISOString().slice(0, 16)); // Berlin in winter
  await d.page.getByRole('button', { name: 'Add', exact: true }).click();
  await d.page.waitForSelector('tbody tr');
  const made = (await d.server.json(`/data/v1/annotations?${d.timeframe()}`)).data;
  assert.deepEqual(
    made.map(n => n.note),
    [HOSTILE[0]],
  );
  await d.page.getByRole('button', { name: 'Remove' }).click();
  await until('the annotation to go', async () => (await d.server.json('/data/v1/annotations')).data.length === 0);
});

test('adding a player: the snippet is filled in and beacons appear as they arrive', async () => {
  await d.visit('/start');
  const snippet = await d.page.locator('pre').first().innerText();
  assert.ok(
    snippet.includes(JSON.stringify(d.server.env_key)) &&
      snippet.includes(`"localhost:${d.server.port}"`) &&
      snippet.includes(`${d.server.url}/sdk/mux.js`),
  );
  const now = Date.now();
  await fetch(d.server.url + '/', {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: JSON.stringify({
      metadata: { transmission_timestamp: now },
      events: [{ e: 'viewstart', ake: d.server.env_key, xid: 'live-view', xsqno: 1, uti: now, vtt: 'Shown at once' }],
    }),
  });
  await d.page.locator('summary', { hasText: 'Shown at once' }).waitFor({ timeout: 30_000 });
});

test('axe finds nothing on any page, in light and in dark, on a desk and on a phone', async () => {
  const view = (await d.server.json(`/data/v1/video-views?${d.timeframe()}&limit=1`)).data[0].id;
  const found = [];
  for (const [scheme, size] of [
    ['light', { width: 1440, height: 900 }],
    ['dark', { width: 390, height: 844 }],
  ]) {
    await d.page.emulateMedia({ colorScheme: scheme });
    await d.page.setViewportSize(size);
    for (const [route, query] of [...PAGES, [`/views/${view}`, {}]]) {
      await d.visit(route, query);
      for (const v of await d.axe()) found.push(`${route} ${JSON.stringify(query)} ${scheme}: ${v}`);
      const over = await d.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) found.push(`${route} ${scheme}: ${over} px wider than the window`);
    }
  }
  await d.visit('/');
  await d.page.locator('main .request-button').first().click();
  for (const v of await d.axe()) found.push(`the request dialog: ${v}`);
  assert.deepEqual(found, []);
});

test('the first page needs at most 120 kB of JavaScript, packed', async () => {
  const html = await (await fetch(d.server.url + '/')).text();
  let bytes = 0;
  for (const [, file] of html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)) {
    const response = await fetch(d.server.url + file, { headers: { 'accept-encoding': 'gzip' } });
    bytes += Number(response.headers.get('content-length'));
  }
  assert.ok(bytes > 10_000 && bytes <= 120_000, `${bytes} bytes`);
});

test('signing out ends the session', async () => {
  await d.page.setViewportSize({ width: 1440, height: 900 });
  await d.visit('/');
  await d.page.getByRole('button', { name: 'Sign out' }).click();
  await d.page.waitForSelector('input[name=password]');
  await d.page.goto(d.server.url + '/views');
  await d.page.waitForSelector('input[name=password]');
});
