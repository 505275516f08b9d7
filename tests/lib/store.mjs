// SPDX-License-Identifier: Apache-2.0
// The stored rows themselves, for what no answer of the API shows.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import readline from 'node:readline';

// The lines of what the store answers to a statement, asked for through the engine's own socket.
async function* answered(server, sql) {
  const response = await new Promise((resolve, reject) => http.request({ socketPath: path.join(server.data, 'engine/engine.sock'), path: '/', method: 'POST' }, resolve)
    .on('error', reject).end(sql));
  let refusal = '';
  for await (const line of readline.createInterface({ input: response, crlfDelay: Infinity })) {
    if (response.statusCode !== 200) refusal += line;
    else if (line) yield line;
  }
  if (refusal) throw new Error(refusal);
}

// Rows of the store one after the other.
export async function* select(server, sql) {
  for await (const line of answered(server, `${sql} FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0`)) yield JSON.parse(line);
}

// A statement that changes something.
export async function execute(server, sql) {
  for await (const line of answered(server, sql)) throw new Error(`no answer was expected: ${line}`);
}

// Lists that lie in several columns of a row: an item is one place of all of them. Playing time is added up by kind, and
// the order of the kinds says nothing.
export const LISTS = { ranges: ['range_start', 'range_end'],
  renditions: ['rendition_bitrate', 'rendition_width', 'rendition_height', 'rendition_fps', 'rendition_codec', 'rendition_name', 'rendition_playing_time'],
  modes: ['mode_name', 'mode_playing_time'], ad_types: ['ad_type_name', 'ad_type_playing_time'],
  errors: ['error_codes', 'error_messages', 'error_contexts', 'error_times', 'error_fatal', 'error_business', 'error_in_ad'],
  timeline: ['event_names', 'event_sequences', 'event_viewer_times', 'event_playback_times'] };
const ANY_ORDER = new Set(['renditions', 'modes', 'ad_types']);
const ordered = (key, list) => ANY_ORDER.has(key) ? [...list].sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1) : list;

export function listOf(row, key) {
  const columns = LISTS[key].map(name => row[name]);
  for (const column of columns) assert.equal(column.length, columns[0].length, `${row.view_id}: ${LISTS[key]} differ in length`);
  return ordered(key, columns[0].map((_, i) => columns.map(column => column[i])));
}

// A list as the columns have it: -1 for a number that is not known, "" for such a text, 1 and 0.
export function stored(key, list) {
  const unknown = i => /_(bitrate|width|height|fps)$/.test(LISTS[key][i]) ? -1 : '';
  return ordered(key, list.map(item => item.map((value, i) => value === null ? unknown(i) : typeof value === 'boolean' ? Number(value) : value)));
}
