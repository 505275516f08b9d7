// SPDX-License-Identifier: Apache-2.0
// Writes src/generated/*.ts from the server's tables of metrics, dimensions, permissions and administrative acts, which
// stay the only definition.
import fs from 'node:fs';

const source = new URL('../src/', import.meta.url);

// The rows MACRO(a, "b, c", d) of a .def file, as arrays of strings.
function rows(file, macro) {
  const out = [];
  for (const line of fs.readFileSync(new URL(file, source), 'utf8').split('\n')) {
    if (!line.startsWith(macro + '(')) continue;
    const inner = line.slice(macro.length + 1, line.lastIndexOf(')'));
    out.push([...inner.matchAll(/"((?:[^"\\]|\\.)*)"|[^,\s][^,]*/g)].map(m => m[1] ?? m[0].trim()));
  }
  if (out.length === 0) throw new Error(`${file} has no row ${macro}`);
  return out;
}

const UNITS = ['MS', 'SCORE', 'FRACTION', 'NUMBER', 'PER_MINUTE', 'BITS_PER_SECOND'];
const metrics = rows('query/metrics.def', 'METRIC').map(cells => {
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
const dimensions = rows('query/dimensions.def', 'DIMENSION').map(cells => {
  if (cells.length !== 6) throw new Error(`dimensions.def: cannot read ${cells[0]}`);
  const [id, , type, list] = cells;
  return { id, type, list };
});
// What a field of a view is measured in, by its name in the API.
const fieldUnits = Object.fromEntries(
  rows('views/columns.def', 'COL').flatMap(([, , name, form, meaning]) => {
    const unit = /^(ms|bit\/s)\b/.exec(meaning)?.[1];
    return name && form !== 'HIDDEN' && unit ? [[name, unit === 'ms' ? 'MS' : 'BITS_PER_SECOND']] : [];
  }),
);
const union = list => list.map(x => `  | '${x.id}'`).join('\n');
const text = `// Made by generate.mjs from metrics.def, dimensions.def and columns.def. Not to be edited, not committed.
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
export const FIELD_UNITS: Readonly<Record<string, Unit>> = ${JSON.stringify(fieldUnits, null, 1)};
`;

const ROLES = ['none', 'viewer', 'editor', 'admin', 'owner'];
const permissions = rows('accounts/permissions.def', 'PERMISSION').map(cells => {
  const [, id, role, meaning] = cells,
    least = role.replace('ROLE_', '').toLowerCase();
  if (cells.length !== 4 || !ROLES.includes(least)) throw new Error(`permissions.def: cannot read ${id}`);
  return { id, least, meaning };
});
const acts = rows('accounts/audit_acts.def', 'AUDIT_ACT').map(cells => cells[1]);
const access = `// Made by generate.mjs from src/accounts/permissions.def and audit_acts.def. Not to be edited, not committed.
export type Role = ${ROLES.map(r => `'${r}'`).join(' | ')};
export interface PermissionRow { id: string; least: Role; meaning: string }
export const PERMISSIONS: readonly PermissionRow[] = ${JSON.stringify(permissions, null, 1)};
export const ACTS: readonly string[] = ${JSON.stringify(acts)};
`;

function write(name, content) {
  const target = new URL(`src/generated/${name}`, import.meta.url);
  fs.mkdirSync(new URL('.', target), { recursive: true });
  let before = '';
  try {
    before = fs.readFileSync(target, 'utf8');
  } catch {
    /* the first time */
  }
  if (before !== content) fs.writeFileSync(target, content);
}
write('catalog.ts', text);
write('access.ts', access);
