// SPDX-License-Identifier: Apache-2.0
// node generate.mjs: writes expected/ anew from the reference; what stands under _why is written by hand and kept. Read
// the difference before you commit it: the files are the claim, this program only does the arithmetic.
import fs from 'node:fs';
import path from 'node:path';
import { ENV_KEY, EXPECTED, captures } from './golden.mjs';
import { load, views } from './reference.mjs';

function compact(view) {
  const { events, row, ...fields } = view;
  const known = Object.entries(fields).filter(([, value]) => value !== null);
  return { fields: Object.fromEntries(known), null: Object.keys(fields).filter(name => fields[name] === null).sort().join(' '), row,
    events: events.map(event => [event.name, event.viewer_time, event.playback_time, event.details]) };
}

function write(name, why, found) {
  const line = (key, value) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  const parts = Object.entries(found).map(([id, view]) => `  ${JSON.stringify(id)}: {\n   "fields": {\n` +
    Object.entries(view.fields).map(([key, value]) => '    ' + line(key, value)).join(',\n') +
    `\n   },\n   ${line('null', view.null)},\n   "row": {\n` +
    Object.entries(view.row).filter(([, value]) => value !== null).map(([key, value]) => '    ' + line(key, value)).join(',\n') +
    `\n   },\n   "events": [\n` + view.events.map(event => '    ' + JSON.stringify(event)).join(',\n') + '\n   ]\n  }');
  const text = `{\n "_why": ${JSON.stringify(why, null, 1).replaceAll('\n', '\n ')},\n "views": {${parts.length ? '\n' + parts.join(',\n') + '\n ' : ''}}\n}\n`;
  JSON.parse(text);
  fs.writeFileSync(path.join(EXPECTED, name + '.json'), text);
}

for (const { name, file } of captures()) {
  const target = path.join(EXPECTED, name + '.json');
  const why = fs.existsSync(target) ? JSON.parse(fs.readFileSync(target, 'utf8'))._why : {};
  write(name, why, Object.fromEntries(Object.entries(views(load(file), ENV_KEY)).map(([id, view]) => [id, compact(view)])));
}
