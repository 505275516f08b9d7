// SPDX-License-Identifier: Apache-2.0
// Every operation of /openapi.json was answered as it says, by some test: FOLDER holds what the tests saw (schema.mjs).
import fs from 'node:fs';
import path from 'node:path';

const [folder] = process.argv.slice(2);
const runs = fs.readdirSync(folder).map(file => JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')));
const seen = new Set(runs.flatMap(run => run.seen)), missing = [...new Set(runs.flatMap(run => run.operations))].filter(id => !seen.has(id));
console.log(`${seen.size} operations were seen by ${runs.length} test files`);
if (runs.length === 0 || missing.length) {
  console.log(`no test saw an answer of: ${missing.join(', ')}`);
  process.exit(1);
}
