// SPDX-License-Identifier: Apache-2.0
// What the golden tests share: the recordings, the files of expected views, how a detail is compared.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

const HERE = path.dirname(new URL(import.meta.url).pathname);
const CAPTURES = path.join(HERE, '../captures');
export const EXPECTED = path.join(HERE, 'expected');
export const ENV_KEY = 'labenvkey123'; // what the players of the recordings were given

export function captures() {
  return fs.readdirSync(CAPTURES).filter(file => /^[^.]+\.jsonl(\.gz)?$/.test(file)).sort()
    .map(file => ({ name: file.split('.')[0], file: path.join(CAPTURES, file) }));
}

export const expected = name => JSON.parse(fs.readFileSync(path.join(EXPECTED, name + '.json'), 'utf8')).views;

// Keys of a detail that the environment, the clock or the server's own ids decide; captures.test.mjs looks at them apart.
export const OWN = ['id', 'environment_id', 'property_id', 'inserted_at', 'updated_at'];
const ERROR_IDS = /error_type_id$|^view_error_id$/;

// Sends one recorded request as it was: method, path, content type, user agent, body; only the env key is the server's.
export function replay(server, request, { body = request.body, backfill = true } = {}) {
  const headers = { 'user-agent': request.headers['User-Agent'] };
  if (request.headers['Content-Type']) headers['content-type'] = request.headers['Content-Type'];
  if (backfill) headers['x-firstframe-backfill'] = '1';
  const sent = body.replaceAll(JSON.stringify(ENV_KEY), JSON.stringify(server.env_key));
  return fetch(server.url + request.url, { method: request.method, headers, body: request.method === 'POST' ? sent : undefined });
}

// Scores and averages go through pow, exp and sums of doubles: the last digits may differ between two mathematical
// libraries, more may not.
const numeric = text => typeof text === 'string' && /^-?\d+(\.\d+)?$/.test(text);
function same(actual, wanted) {
  if (typeof wanted === 'number' && typeof actual === 'number' && !Number.isInteger(wanted))
    return Math.abs(actual - wanted) <= 1e-12 * Math.abs(wanted);
  if (numeric(wanted) && numeric(actual) && wanted.includes('.')) return same(Number(actual), Number(wanted));
  try { assert.deepEqual(actual, wanted); return true; } catch { return false; }
}

// All differences of a detail from the expected view, one line each. errors: Map "code, message" -> id over all views.
export function differences(actual, wanted, errors) {
  const found = [], fields = { ...wanted.fields };
  for (const name of wanted.null.split(' ')) fields[name] = null;
  for (const name of Object.keys(actual)) if (!(name in fields) && name !== 'events' && !OWN.includes(name)) found.push(`${name}: not expected at all`);
  for (const [name, value] of Object.entries(fields)) {
    if (ERROR_IDS.test(name) && value !== null) { // an id is the server's choice, but one error has one id
      const key = JSON.stringify(value), id = actual[name];
      if (!Number.isInteger(id) || id <= 0 || id > 2 ** 31 - 1) found.push(`${name}: ${id} is no error id`);
      else if ((errors.get(key) ?? id) !== id) found.push(`${name}: ${id}, elsewhere ${errors.get(key)} for ${key}`);
      else errors.set(key, id);
    } else if (!same(actual[name], value)) found.push(`${name}: ${JSON.stringify(actual[name])}, expected ${JSON.stringify(value)}`);
  }
  if (actual.events.length !== wanted.events.length) found.push(`events: ${actual.events.length}, expected ${wanted.events.length}`);
  wanted.events.forEach((event, i) => {
    const got = actual.events[i] && [actual.events[i].name, actual.events[i].viewer_time, actual.events[i].playback_time, actual.events[i].details];
    if (!same(got, event) && found.length < 60) found.push(`events[${i}]: ${JSON.stringify(got)}, expected ${JSON.stringify(event)}`);
  });
  return found;
}
