// SPDX-License-Identifier: Apache-2.0
// Re-categorised error codes: past views follow, there and back, as a calculation from their own errors says; new views
// follow at once; nothing is lost or counted twice meanwhile.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../lib/server.mjs';
import { inParallel, Simulated } from './simulated.mjs';

let server, original, errors, views;

before(async () => {
  server = await new Simulated({ views: 500, seed: 5 }).start();
  views = server.truth.length;
  // Those with an error event, and a tenth of the others.
  const stored = await server.details();
  original = new Map();
  await inParallel(server.truth.filter(({ view_id: id }, i) => stored.get(id).error_ids.length > 0 || i % 10 === 0), async ({ view_id: id }) => original.set(id, await detail(id)));
  errors = new Map();
  for (const view of original.values()) errors.set(view.view_id, errorsOf(view));
});
after(() => {
  if (process.env.SHOW_LOG) console.error(server.log.split('\n').slice(-60).join('\n'), server.stopped);
  return server?.stop();
});

const detail = async id => (await server.json('/data/v1/video-views/' + id)).data;
const overall = async (metric, measurement = 'avg') => (await server.json(`/data/v1/metrics/${metric}/overall?${server.window}&measurement=${measurement}`)).data;

// Each error event of the timeline, in order, as sent.
function errorsOf(view) {
  let inBreak = false;
  return view.events.flatMap(({ name, details }) => {
    if (name === 'adbreakstart') inBreak = true;
    if (name === 'adbreakend' || name === 'playing') inBreak = false;
    if (name !== 'error') return [];
    return [{ code: details.player_error_code ?? null, message: details.player_error_message ?? null, inBreak,
      fatal: details.player_error_severity !== 'warning', business: details.player_error_business_exception === true }];
  });
}

const T = (a, b, weight) => a ** weight * b ** (1 - weight);

// What a view is by its errors and the rules {code: {severity, business}}.
function outcome(view, rules) {
  const list = errors.get(view.view_id).map(error => {
    const rule = rules[error.code] ?? {};
    return { ...error, fatal: rule.severity === undefined ? error.fatal : rule.severity === 'fatal', business: rule.business ?? error.business };
  });
  const failure = list.find(error => error.fatal && !error.business), business = list.find(error => error.fatal && error.business);
  const error = failure ?? business, wait = view.watch_time ?? Date.parse(view.view_end) - Date.parse(view.view_start);
  const success = failure ? 0 : view.watched ? 1 : wait < 1000 ? null : 0.5;
  const number = key => (view[key] === null ? null : Number(view[key]));
  const sm = number('rebuffering_score'), su = number('startup_score'), q = number('quality_score');
  const pairs = [[sm, q, 0.62], [sm, su, 0.54], [su, q, 0.58]].filter(([a, b]) => a !== null && b !== null).map(pair => T(...pair));
  const mean = pairs.length ? pairs.reduce((a, b) => a + b) / pairs.length : sm ?? su ?? q ?? 1;
  return { playback_failure: !!failure, video_startup_failure: !!failure && !view.watched, exit_before_video_start: !failure && !view.watched,
    player_error_code: error?.code ?? null, player_error_message: error?.message ?? null, playback_score: success,
    viewer_experience_score: success === null ? null : success * mean };
}

async function assertOutcomes(rules) {
  let failures = 0;
  await inParallel([...original.values()], async view => {
    const now = await detail(view.view_id), expected = outcome(view, rules);
    failures += expected.playback_failure;
    for (const [key, value] of Object.entries(expected)) {
      const actual = typeof value === 'number' && now[key] !== null ? Number(now[key]) : now[key];
      if (typeof value === 'number') assert.ok(Math.abs(actual - value) <= 1e-9, `${key} of ${view.view_id}: ${now[key]} against ${value}`);
      else assert.equal(actual, value, `${key} of ${view.view_id}`);
    }
    assert.equal(now.error_type_id === null, expected.player_error_code === null && !errors.get(view.view_id).some(one => one.code === null && one.fatal));
    // Whatever does not depend on errors is as it was.
    for (const key of ['watch_time', 'time_to_first_frame', 'rebuffering_score', 'events', 'view_end', 'video_cdn_trace', 'custom_1'])
      assert.deepEqual(now[key], view[key], key);
  });
  const { value, total_views: total } = await overall('playback_failure_percentage', 'sum');
  assert.equal(value, failures);
  assert.equal(total, views);
  return failures;
}

async function categorise(code, change) {
  const id = ids.get(code);
  const { data } = await server.sendJson('PATCH', `/data/v1/errors/${id}?${server.window}`, change);
  // While it runs, every view is there once.
  const counts = new Set();
  await until(`the views with error ${code} to be rewritten`, async () => {
    counts.add((await overall('views', 'count')).value);
    return (await server.json(`/data/v1/errors/${id}?${server.window}`)).data.rewrite.status === 'done';
  }, { seconds: 180 });
  assert.deepEqual([...counts], [views]);
  return data;
}

const ids = new Map();

test('as sent, the calculation agrees', async () => {
  assert.ok(await assertOutcomes({}) > 5);
  for (const row of (await server.json(`/data/v1/errors?${server.window}`)).data) if (!ids.has(row.player_error_code)) ids.set(row.player_error_code, row.id);
});

test('a fatal error becomes a warning, with words of explanation', async () => {
  const { data: [top] } = await server.json(`/data/v1/errors?${server.window}`);
  const code = top.player_error_code;
  const data = await categorise(code, { severity: 'warning', description: 'noise', notes: 'see the ticket' });
  assert.deepEqual([data.severity, data.business_exception, data.description, data.notes], ['warning', null, 'noise', 'see the ticket']);
  await assertOutcomes({ [code]: { severity: 'warning' } });
  assert.ok(!(await server.json(`/data/v1/errors?${server.window}`)).data.some(row => row.player_error_code === code && row.count > 0));
  // Description and notes stay when only the severity changes; and everything goes back.
  const back = await categorise(code, { severity: null });
  assert.deepEqual([back.severity, back.description], [null, 'noise']);
  await assertOutcomes({});
});

test('business exceptions: a failure becomes one, and one becomes a failure', async () => {
  const rows = (await server.json(`/data/v1/errors?${server.window}`)).data.filter(row => row.player_error_code !== null);
  const business = [...errors.values()].flat().find(error => error.business && error.fatal && error.code !== null);
  const failure = rows.find(row => ![...errors.values()].flat().some(error => error.code === row.player_error_code && error.business));
  assert.ok(business && failure, 'the simulation has both');
  await categorise(failure.player_error_code, { business_exception: true });
  await assertOutcomes({ [failure.player_error_code]: { business: true } });
  await categorise(business.code, { business_exception: false });
  const rules = { [failure.player_error_code]: { business: true }, [business.code]: { business: false } };
  await assertOutcomes(rules);
  // A restart in between changes nothing, and does not forget.
  await server.kill('SIGTERM');
  await Object.getPrototypeOf(Simulated.prototype).start.call(server);
  await assertOutcomes(rules);
  await categorise(failure.player_error_code, { business_exception: null });
  await categorise(business.code, { business_exception: null });
  await assertOutcomes({});
});

test('what is refused', async () => {
  const id = ids.get([...ids.keys()].find(code => code !== null));
  for (const [body, message] of [[{ severity: 'bad' }, /fatal, warning, or null/], [{ business_exception: 1 }, /true, false, or null/],
    [{ notes: 5 }, /notes has to be text/], [{ description: 'x'.repeat(3000) }, /at most 2047/], ['[]', /JSON object/]]) {
    const response = await server.send('PATCH', '/data/v1/errors/' + id, body);
    assert.equal(response.status, 400);
    assert.match((await response.json()).error.messages[0], message);
  }
  assert.equal((await server.send('PATCH', '/data/v1/errors/12345', { severity: 'fatal' })).status, 404);
  assert.equal((await server.get('/data/v1/errors/12345')).status, 404);
});
