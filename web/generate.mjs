// SPDX-License-Identifier: Apache-2.0
// Writes src/generated/catalog.ts from the server's tables of metrics and dimensions, which stay the only definition.
import fs from 'node:fs';

const query = new URL('../src/query/', import.meta.url);

// The rows MACRO(a, "b, c", d) of a .def file, as arrays of strings.
function rows(file, macro) {
  const out = [];
  for (const line of fs.readFileSync(new URL(file, query), 'utf8').split('\n')) {
    if (!line.startsWith(macro + '(')) continue;
    const inner = line.slice(macro.length + 1, line.lastIndexOf(')'));
    out.push([...inner.matchAll(/"((?:[^"\\]|\\.)*)"|[^,\s][^,]*/g)].map(m => m[1] ?? m[0].trim()));
  }
  if (out.length === 0) throw new Error(`${file} has no row ${macro}`);
  return out;
}

const UNITS = ['MS', 'SCORE', 'FRACTION', 'NUMBER', 'PER_MINUTE', 'BITS_PER_SECOND'];
const metrics = rows('metrics.def', 'METRIC').map(cells => {
  if (cells.length !== 11 || !UNITS.includes(cells[8])) throw new Error(`metrics.def: cannot read ${cells[0]}`);
  const [id, kind, , , , clock, better, measure, unit, filter, meaning] = cells;
  return {
    id,
    kind,
    clock,
    better,
    measure: measure === 'P95' ? '95th' : measure.toLowerCase(),
    unit,
    filter: filter === '1',
    meaning,
  };
});
const dimensions = rows('dimensions.def', 'DIMENSION').map(cells => {
  if (cells.length !== 6) throw new Error(`dimensions.def: cannot read ${cells[0]}`);
  const [id, , type, list] = cells;
  return { id, type, list };
});
const union = list => list.map(x => `  | '${x.id}'`).join('\n');
const text = `// Made by generate.mjs from src/query/metrics.def and dimensions.def. Not to be edited, not committed.
export type MetricId =\n${union(metrics)};
export type DimensionId =\n${union(dimensions)};
export type Unit = ${UNITS.map(u => `'${u}'`).join(' | ')};
export type Measure = 'avg' | 'median' | '95th' | 'sum' | 'count';
export interface MetricRow {
  id: MetricId; kind: string; clock: 'START' | 'END'; better: 'LOWER' | 'HIGHER'; measure: Measure; unit: Unit;
  filter: boolean; meaning: string;
}
export interface DimensionRow { id: DimensionId; type: string; list: string }
export const METRICS: readonly MetricRow[] = ${JSON.stringify(metrics, null, 1)};
export const DIMENSIONS: readonly DimensionRow[] = ${JSON.stringify(dimensions, null, 1)};
`;
const target = new URL('src/generated/catalog.ts', import.meta.url);
fs.mkdirSync(new URL('.', target), { recursive: true });
let before = '';
try {
  before = fs.readFileSync(target, 'utf8');
} catch {
  /* the first time */
}
if (before !== text) fs.writeFileSync(target, text);
