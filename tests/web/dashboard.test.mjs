// SPDX-License-Identifier: Apache-2.0
// A walk through the dashboard on simulated views and hostile texts: what is shown is what the API answers, the request
// behind it gives the same in a shell, nothing foreign is asked for, nothing of a stranger's text is carried out.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { PASSWORD, until } from '../lib/server.mjs';
import { Site } from '../lib/site.mjs';
import { edgesOf } from '../../web/src/lib/histogram.ts';
import { Dashboard, HOSTILE, kept, MARK, readCsv } from './helpers.mjs';

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
  ['/explore', { id: 'rebuffer_percentage', m: '95th', by: 'country', p: 'browser', then: 'video_title' }],
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

test('the headline numbers are asked before the charts', async () => {
  const asked = [],
    note = r => /\/data\/v1\/metrics\//.test(r.url()) && asked.push(new URL(r.url()).pathname);
  d.page.on('request', note);
  await d.visit('/');
  d.page.off('request', note);
  assert.ok(asked.length > 6, String(asked));
  assert.deepEqual(asked.slice(0, 2), ['/data/v1/metrics/comparison', '/data/v1/metrics/comparison']);
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
  await until('the tile to show the filtered count', async () => (await shown()) === views);
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

// What a button's request answers is what the page was answered. A window that moves with the clock loses views between
// two answers: then both are asked for anew.
async function answersAlike(run, url, mine, where) {
  const moves = url.searchParams.getAll('timeframe[]').some(t => t.includes(':'));
  for (let tries = 1; ; tries++) {
    const expected = tries === 1 ? mine.data : (await d.server.json(url.pathname + url.search)).data;
    try {
      return alike(await run(), expected, where);
    } catch (error) {
      if (!moves || tries === 5) throw error;
    }
  }
}

test('every request of every page, run in a shell, answers what the page was answered', async () => {
  let ran = 0,
    compared = 0;
  for (const [route, query] of PAGES) {
    await d.visit(route, query);
    const bare = await d.page
      .locator('main .panel:not(.place), main .tile')
      .evaluateAll(all => all.filter(e => !e.querySelector('.request-button')).map(e => e.textContent.slice(0, 60)));
    // What shows no data has no request: the snippet, and the forms of the settings.
    if (!['/start', '/settings'].includes(route)) assert.deepEqual(bare, [], `${route}: without a request`);
    for (const { name, curl } of await d.requests()) {
      const { url, mine } = d.asked(curl);
      if (url.pathname.startsWith('/api/sessions')) continue; // a person's, not a token's
      const run = async () => {
        const answer = JSON.parse(await d.shell(curl));
        assert.equal(answer.error, undefined, `${route}: ${name}: ${JSON.stringify(answer)}`);
        return answer.data;
      };
      if (mine && url.pathname !== '/data/v1/exports/views') {
        // an export's address is signed anew each time
        await answersAlike(run, url, mine, `${route}: ${name}: ${url.search}`);
        compared++;
      } else await run();
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
        { url, mine } = d.asked(curl),
        once = method + url.pathname + (method === 'mux.post' ? name : '');
      if (methods.has(once) || url.pathname.startsWith('/api/sessions')) continue;
      methods.add(once);
      const run = () => d.javascript(javascript);
      if (mine && url.pathname !== '/data/v1/exports/views')
        await answersAlike(run, url, mine, `${route}: ${name}: ${javascript}`);
      else await run();
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
  for (const text of HOSTILE.map(kept)) {
    await d.visit('/explore', {
      id: 'playing_time',
      by: 'video_title',
      then: 'viewer_user_id',
      f: `video_title:${text}`,
    });
    assert.match(await d.page.locator('.tile[data-measure=sum] .tile-foot').innerText(), / 1 views$/, text);
    assert.equal(await d.page.locator('.chip-value').textContent(), text);
    assert.equal(await d.page.locator('section[aria-label="By video title"] tbody bdi').first().textContent(), text);
    const pivot = d.page.locator('section[aria-label="By video title, viewer user id"]');
    assert.deepEqual(await pivot.locator('bdi').allTextContents(), [text, text]);
    // Bodies stand in the line as JSON: the same text, and nothing that the shell takes for its own.
    for (const { curl, javascript } of await d.requests('Show the request: By video title, viewer user id')) {
      const answer = JSON.parse(await d.shell(curl));
      assert.deepEqual(
        answer.data.map(r => r.video_title ?? r.viewer_user_id),
        [text],
        curl,
      );
      assert.match(curl, /^[\x20-\x7e]+$/);
      assert.match(javascript, /^[\n\x20-\x7e]+$/);
    }
    for (const row of readCsv(await d.download(pivot.getByRole('button', { name: 'Download' }))).slice(1))
      assert.ok([text, `'${text}`].includes(row[0]) && [text, `'${text}`].includes(row[1]), row.join());
    const [first] = await d.requests('Show the request: By video title');
    const answer = JSON.parse(await d.shell(first.curl));
    assert.deepEqual(
      answer.data.map(r => [r.field, r.views]),
      [[text, 1]],
    );
    const cells = readCsv(await d.download(d.page.getByLabel('Download as CSV: By video title', { exact: true })));
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

test("a distribution is the API's histogram between round borders; a click on a bar filters by it", async () => {
  await d.visit('/explore', { id: 'video_startup_time' });
  const panel = d.page.locator('section[aria-label="Distribution"]');
  const rows = readCsv(await d.download(panel.getByRole('button', { name: 'Download' }))).slice(1);
  const ask = metrics => d.query({ metrics });
  const [whole] = (await ask([{ metric: 'video_startup_time', measurement: 'count', name: 'n' }])).data;
  assert.equal(
    rows.reduce((n, r) => n + Number(r[2]), 0),
    whole.n,
  );
  const edges = rows
    .filter(r => r[0] !== '' && r[1] !== '')
    .flatMap((r, i) => (i ? [r[1]] : [r[0], r[1]]))
    .map(Number);
  const [{ h }] = (await ask([{ metric: 'video_startup_time', histogram: { edges }, name: 'h' }])).data;
  assert.deepEqual(
    rows.filter(r => r[0] !== '' && r[1] !== '').map(r => Number(r[2])),
    h.counts,
  );
  assert.equal(await panel.locator('.histogram-bar').count(), rows.length);
  const most = rows.toSorted((a, b) => b[2] - a[2])[0];
  await panel.locator('.histogram-bar').nth(rows.indexOf(most)).click();
  await d.page.waitForURL(/[?&]mf=/);
  await d.settled();
  const { data } = await d.server.json(
    `/data/v1/metrics/video_startup_time/overall?${d.timeframe()}` +
      `&metric_filters[]=video_startup_time%3E=${most[0]}&metric_filters[]=video_startup_time%3C${most[1]}`,
  );
  assert.equal(data.total_views, Number(most[2]));
  assert.equal(await d.page.locator('.tile[data-measure=median] .tile-value').getAttribute('title'), exact(data.value));
  assert.equal(await d.page.locator('.chip').count(), 2);
  await d.page.locator('.chip-x').first().click();
  await until('the chip to go', async () => (await d.page.locator('.chip').count()) === 1);
  clean();
});

test('borders of distributions are round and hold what they shall', () => {
  for (const [low, high, unit] of [
    [120, 2130, 'MS'],
    [0, 0.3, 'FRACTION'],
    [4e6, 4.4e6, 'BITS_PER_SECOND'],
    [0, 0, 'NUMBER'],
    [0, 7, 'NUMBER'],
    [-40, 900, 'MS'],
    [5, 5, 'MS'],
    [0.2, 0.9, 'SCORE'],
    [0, 3e7, 'MS'],
  ]) {
    const edges = edgesOf(low, high, unit);
    assert.ok(edges[0] <= Math.max(low, 0) && edges.at(-1) > high, `${low} to ${high}: ${edges}`);
    assert.ok(
      edges.length >= 2 && edges.length <= 50 && edges.every((e, i) => i === 0 || e > edges[i - 1]),
      String(edges),
    );
  }
  assert.deepEqual(edgesOf(100, 1000, 'MS').slice(0, 3), [0, 50, 100]);
  assert.equal(edgesOf(null, null, 'MS'), null);
});

test("a pivot's cells, rows and columns are the API's", async () => {
  await d.visit('/explore', { id: 'video_startup_time', by: 'country', then: 'operating_system' });
  const table = d.page.locator('section[aria-label="By country, operating system"] table');
  const shown = await table.evaluate(t =>
    [...t.rows].map(r => [...r.cells].map(c => (c.className.includes('num') && c.title) || c.innerText.trim())),
  );
  const breakdown = async (by, more = '') =>
    (
      await d.server.json(
        `/data/v1/metrics/video_startup_time/breakdown?group_by=${by}&limit=1000&${d.timeframe()}${more}`,
      )
    ).data;
  const systems = await breakdown('operating_system'),
    countries = await breakdown('country');
  const columns = shown[0].slice(2, -1);
  const of = (rows, name) => {
    const v = rows.find(r => (r.field ?? '(none)') === name)?.value ?? null;
    return v === null ? '' : exact(v);
  };
  assert.deepEqual(
    shown[1].slice(2, -1),
    columns.map(c => of(systems, c)),
  );
  assert.ok(shown.length > 5 && columns.length > 2);
  for (const row of shown.slice(2, 6)) {
    assert.equal(row[1], of(countries, row[0]), row[0]);
    const filter = row[0] === '(none)' ? 'country:' : `country:${row[0]}`;
    const cells = await breakdown('operating_system', `&filters[]=${filter}`);
    for (const [i, c] of columns.entries()) assert.equal(row[2 + i].split(';')[0], of(cells, c), `${row[0]}, ${c}`);
  }
  clean();
});

test('a comparison says how sure a difference is', async () => {
  const browsers = (await d.server.json(`/data/v1/dimensions/browser?${d.timeframe()}`)).data.map(v => v.value);
  const sets = browsers.slice(0, 2).map(b => `f=browser:${b}`);
  await d.page.goto(
    `${d.server.url}/compare?${new URLSearchParams([['t', `${d.start_s}-${d.end}`], ...sets.map(s => ['s', s])])}`,
  );
  await d.settled();
  const row = (metric, measure) => d.page.locator(`tr[data-metric=${metric}][data-measure="${measure}"]`).first();
  const cells = async (metric, measure) =>
    row(metric, measure)
      .locator('td > span')
      .evaluateAll(all => all.map(e => e.title));
  const query = async (browser, metrics) =>
    (
      await d.query({
        metrics,
        filters: { dimension: 'browser', value: browser },
      })
    ).data[0];
  const z = 1.959963984540054,
    near = (text, low, high, where) => {
      const [, a, b] = /interval (\S+) to (\S+)/.exec(text.replace(/,(?=\d{3})/g, ''));
      assert.ok(
        Math.abs(a - low) <= 2e-6 * Math.max(1, low) && Math.abs(b - high) <= 2e-6 * Math.max(1, high),
        `${where}: ${text}, not ${low} to ${high}`,
      );
    };
  for (const [i, browser] of browsers.slice(0, 2).entries()) {
    const q = await query(browser, [
      { metric: 'playback_failure_percentage', name: 'p' },
      { metric: 'playback_failure_percentage', measurement: 'count', name: 'n' },
      { metric: 'viewer_experience_score', name: 'mean' },
      { metric: 'viewer_experience_score', measurement: 'stddev', name: 's' },
      { metric: 'viewer_experience_score', measurement: 'count', name: 'ns' },
      { metric: 'video_startup_time', measurement: 'count', name: 'nt' },
    ]);
    const share = (await cells('playback_failure_percentage', 'avg'))[i];
    const root = z * Math.sqrt((q.p * (1 - q.p)) / q.n + (z * z) / (4 * q.n * q.n)),
      middle = q.p + (z * z) / (2 * q.n),
      scale = 1 + (z * z) / q.n;
    near(share, (middle - root) / scale, (middle + root) / scale, 'Wilson');
    near(
      (await cells('viewer_experience_score', 'avg'))[i],
      q.mean - (z * q.s) / Math.sqrt(q.ns - 1),
      q.mean + (z * q.s) / Math.sqrt(q.ns - 1),
      'mean',
    );
    const half = z * Math.sqrt(0.25 / q.nt);
    const r = await query(browser, [
      { metric: 'video_startup_time', percentile: 0.5 - half, name: 'low' },
      { metric: 'video_startup_time', percentile: 0.5 + half, name: 'high' },
    ]);
    near((await cells('video_startup_time', 'median'))[i], r.low, r.high, 'median');
  }
  assert.match(await row('video_startup_time', 'median').locator('.against').innerText(), / … /);
  const against = metric => d.page.locator(`tr[data-metric=${metric}] .against .delta`).first();
  assert.equal(await against('views').getAttribute('class'), 'delta', 'more views are neither better nor worse');
  assert.doesNotMatch(await against('views').innerText(), /better|worse/);

  // A set beside itself: no value differs, and an interval that is nothing but zero is not shown.
  await d.visit('/compare');
  const twice = [...new URLSearchParams(new URL(d.page.url()).search), ['s', sets[0]], ['s', sets[0]]];
  await d.page.goto(`${d.server.url}/compare?${new URLSearchParams(twice)}`);
  await d.settled();
  const all = await d.page.locator('tr[data-metric] .against').allInnerTexts();
  assert.ok(all.length > 10);
  for (const text of all) assert.match(text, /^(no change|no comparison)/);
  clean();
});

test('every panel fails and recovers on its own, and shows when there is nothing', async () => {
  for (const [route, query] of PAGES.filter(([r]) => !['/live', '/alerts', '/settings', '/start'].includes(r))) {
    // All questions fail, some for a moment only: no panel waits for ever and none takes the page down.
    await d.page.route(/\/data\/v1\//, r =>
      r.fulfill({ status: 500, json: { error: { type: 'server_error', messages: ['Broken for the test.'] } } }),
    );
    await d.visit(route, query);
    const silent = await d.page
      .locator('main .panel')
      .evaluateAll(all => all.filter(p => !/Broken for the test/.test(p.innerText)).map(p => p.ariaLabel));
    assert.deepEqual(silent, [], route);
    const early = d.page.locator('main .panel:has([role=alert]) [aria-label^="Download as CSV"]:enabled');
    assert.equal(await early.count(), 0, `${route}: a file of nothing`);
    await d.page.unroute(/\/data\/v1\//);
    await d.page.getByRole('button', { name: 'Try again' }).first().click();
    await until(
      'no failure to be shown',
      async () => !/Broken for the test/.test(await d.page.locator('main').innerText()),
    );
    await d.settled();
    // Long before the first view.
    await d.page.goto(`${d.server.url}${route}?${new URLSearchParams({ t: '1000000000-1000086400', ...query })}`);
    await d.settled();
    const text = await d.page.locator('main').innerText();
    assert.doesNotMatch(text, /NaN|undefined|Infinity|null|\[object/, route);
    const blank = await d.page
      .locator('main .panel')
      .evaluateAll(all => all.filter(p => !p.querySelector('.state p, table, canvas, .course')).map(p => p.ariaLabel));
    assert.deepEqual(blank, [], route);
  }
  d.trouble = d.trouble.filter(t => !/status of 500/.test(t));
  // One question fails for a moment: its panel waits behind its skeleton and comes, the others are there at once.
  let refused = 0;
  await d.page.route(/v1\/errors\?/, r =>
    refused++
      ? r.continue()
      : r.fulfill({
          status: 503,
          headers: { 'retry-after': '1' },
          json: { error: { type: 'service_unavailable', messages: ['A moment.'] } },
        }),
  );
  await d.visit('/errors');
  await d.page.unroute(/v1\/errors\?/);
  assert.ok(refused >= 2);
  assert.ok((await d.page.locator('section[aria-label="Errors by code and message"] tbody tr').count()) > 1);
  d.trouble = d.trouble.filter(t => !/status of 503/.test(t));
  clean();
});

test('nothing jumps while a page fills', async () => {
  const jumps = [];
  await d.page.route(/\/data\/v1\//, async r => {
    await new Promise(done => setTimeout(done, 30));
    await r.continue();
  });
  for (const [route, query] of PAGES) {
    await d.visit(route, query);
    const moved = await d.page.evaluate(
      () =>
        new Promise(done => {
          let sum = 0;
          new PerformanceObserver(list => {
            for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value;
          }).observe({ type: 'layout-shift', buffered: true });
          setTimeout(() => done(sum), 50);
        }),
    );
    if (moved > 0.1) jumps.push(`${route} ${JSON.stringify(query)}: ${moved.toFixed(3)}`);
  }
  await d.page.unroute(/\/data\/v1\//);
  assert.deepEqual(jumps, []);
});

test('a filter set is kept, used again and forgotten', async () => {
  await d.visit('/', { f: 'country:DE' });
  await d.page.getByRole('button', { name: 'Saved filter sets' }).click();
  await d.page.fill('input[aria-label="Name for these filters"]', HOSTILE[1]);
  await d.page.getByRole('button', { name: 'Keep', exact: true }).click();
  await d.visit('/views');
  await d.page.getByRole('button', { name: 'Saved filter sets' }).click();
  await d.page.locator('.saved-name', { hasText: HOSTILE[1].slice(0, 20) }).click();
  await d.page.waitForURL(/[?&]f=country:DE/);
  await d.settled();
  await d.page.getByRole('button', { name: 'Saved filter sets' }).click();
  await d.page
    .getByRole('button', { name: /^Remove / })
    .last()
    .click();
  await d.page.locator('.saved .note').waitFor();
  clean();
});

test("numbers and times are in the reader's format, times in UTC where asked for", async () => {
  const other = new Dashboard();
  Object.assign(other, { server: d.server, chromium: d.chromium, end: d.end, start_s: d.start_s });
  await other.open({ locale: 'de-DE', timezoneId: 'Asia/Kolkata' });
  await other.signIn();
  await other.settled();
  await other.visit('/');
  const { data } = await d.server.json(`/data/v1/metrics/views/overall?${d.timeframe()}`);
  const views = other.page.locator('.tile[data-metric=views] .tile-value');
  assert.equal(await views.innerText(), new Intl.NumberFormat('de-DE').format(data.value));
  const label = zone =>
    new Intl.DateTimeFormat('de-DE', {
      hourCycle: 'h23',
      timeZone: zone,
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }).format(d.start_s * 1000);
  const range = other.page.locator('.time-range button').first();
  assert.ok((await range.innerText()).startsWith(label('Asia/Kolkata')), await range.innerText());
  await other.page.getByRole('button', { name: /^Times in/ }).click();
  await until('times in UTC', async () => (await range.innerText()).startsWith(label('UTC')));
  await other.context.close();
});

test('the arrow keys walk a chart, span a stretch and zoom into it', async () => {
  await d.visit('/explore', { id: 'views' });
  await d.page.locator('.chart').first().focus();
  await d.page.keyboard.press('ArrowRight');
  assert.ok(await d.page.locator('.chart-tip.on').first().isVisible());
  for (let i = 0; i < 4; i++) await d.page.keyboard.press('Shift+ArrowRight');
  await d.page.keyboard.press('Enter');
  await d.page.waitForURL(url => url.searchParams.get('t') !== `${d.start_s}-${d.end}`);
  await d.settled();
  assert.equal(new URL(d.page.url()).searchParams.get('t'), `${d.start_s}-${d.start_s + 4 * 3600}`);
});

test('the server lets a page load nothing but its own, and no inline script', async () => {
  const response = await fetch(d.server.url + '/');
  const policy = response.headers.get('content-security-policy');
  assert.match(policy, /default-src '(self|none)'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  for (const asset of (await response.text()).matchAll(/(?:src|href)="([^"]+)"/g)) assert.match(asset[1], /^\//);
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
  await d.page.locator('.hello', { hasText: 'Past views follow the new meaning' }).waitFor();
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

test('onboarding: the snippet in a page of its own plays a video, and its first view completes here', async () => {
  await d.visit('/start');
  const snippet = await d.page.locator('pre').first().innerText();
  const site = await new Site().start(); // the video; the page with the snippet stands beside it
  const html = `<!doctype html><title>My page</title>${snippet.replace('"video.mp4"', `"${site.url}/media/clip12.mp4" muted`)}`;
  const page = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end(html));
  await new Promise(done => page.listen(0, '127.0.0.1', done));
  const tab = await d.context.newPage();
  try {
    await tab.goto(`http://localhost:${page.address().port}/`);
    await tab.evaluate(() => document.querySelector('video').play());
    await tab.waitForFunction(() => document.querySelector('video').currentTime > 1.5);
    await d.page.bringToFront();
    const step = n => d.page.locator('.step').nth(n);
    await step(1).and(d.page.locator('.done')).waitFor();
    await d.page
      .locator('td bdi', { hasText: /^playing$/ })
      .first()
      .waitFor();
    await tab.close({ runBeforeUnload: true });
    await step(2).locator('a', { hasText: 'My video' }).waitFor();
    assert.match(await step(2).getAttribute('class'), /done/);
    const [view] = (await d.server.json('/data/v1/video-views?timeframe[]=60:minutes&limit=1')).data;
    assert.equal(view.video_title, 'My video');
    await step(2).locator('a', { hasText: 'My video' }).click();
    await d.settled();
    assert.ok((await d.page.locator('.course rect.state-playing').count()) >= 1);
  } finally {
    await new Promise(done => page.close(done));
    await site.stop();
  }
  d.foreign = d.foreign.filter(url => !url.startsWith(site.url));
  clean();
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
