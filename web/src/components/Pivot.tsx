// SPDX-License-Identifier: Apache-2.0
// One metric by several dimensions at once: rows by up to three of them, columns by one. Sums of rows and columns are
// questions of their own, since a median of medians is no median.
import { useAsk, type Answer } from '../lib/api';
import { findDimension, nameOf, type DimensionId, type Measure, type MetricRow } from '../lib/catalog';
import { csv } from '../lib/csv';
import { filterOn } from '../lib/filter';
import { count, exact, value as show } from '../lib/format';
import { query, type QueryAnswer, type QueryMetric } from '../lib/query';
import { change, hrefHere } from '../lib/route';
import type { Page } from '../lib/scope';
import { DimensionButton } from './DimensionButton';
import { Icon } from './Icon';
import { Link } from './Link';
import { Panel, States } from './Panel';

const ROWS = 30,
  COLUMNS = 8,
  CELLS = 5000,
  DEEPEST = 3;
type Values = Record<string, string | number | null>;
const keyOf = (row: Values, dimensions: string[]): string => JSON.stringify(dimensions.map(d => row[d] ?? null));
const texts = (key: string): (string | null)[] => JSON.parse(key) as (string | null)[];

// What the address names beside the first dimension: p rows, then columns.
export function pivotOf(page: Page, by: DimensionId): { rows: DimensionId[]; column: DimensionId | null } {
  const column = findDimension(page.get('then') ?? '')?.id ?? null;
  const more = (page.get('p') ?? '').split(',').flatMap(id => findDimension(id)?.id ?? []);
  return {
    rows: [...new Set([by, ...more])].filter(d => d !== column).slice(0, DEEPEST),
    column: column === by ? null : column,
  };
}

function Cells({
  page,
  m,
  rows,
  column,
  data,
  byRow,
  byColumn,
}: {
  page: Page;
  m: MetricRow;
  rows: DimensionId[];
  column: DimensionId | null;
  data: Values[];
  byRow: Values[];
  byColumn: Values[];
}) {
  const cells = new Map(data.map(r => [keyOf(r, [...rows, ...(column ? [column] : [])]), r]));
  const values = data.map(r => r.value).filter((v): v is number => typeof v === 'number'),
    low = Math.min(...values),
    high = Math.max(...values);
  const shade = (v: unknown) =>
    typeof v === 'number' && high > low ? { '--share': `${Math.round((26 * (v - low)) / (high - low))}%` } : undefined;
  const filters = (key: (string | null)[], dimensions: DimensionId[]) => dimensions.map((d, i) => filterOn(d, key[i]));
  const href = (more: string[]) => hrefHere({ f: [...new Set([...page.filters, ...more])], page: null });
  const columns = column ? byColumn.map(r => r[column] as string | null) : [];
  return (
    <div class="table-wrap">
      <table class="table pivot">
        <thead>
          <tr>
            {rows.map(d => (
              <th scope="col">{nameOf(d)}</th>
            ))}
            <th scope="col" class="num">
              All
            </th>
            {columns.map(c => (
              <th scope="col" class="num">
                <Link class="row-link" title="Filter by this" href={href(column ? [filterOn(column, c)] : [])}>
                  <bdi>{c || '(none)'}</bdi>
                </Link>
              </th>
            ))}
            <th scope="col" class="num">
              Views
            </th>
          </tr>
        </thead>
        <tbody>
          {column && (
            <tr class="head">
              <td colSpan={rows.length}>All</td>
              <td />
              {byColumn.map(r => (
                <td class="num" title={exact(r.value as number | null)}>
                  {show(r.value as number | null, m.unit)}
                </td>
              ))}
              <td />
            </tr>
          )}
          {byRow.map(r => {
            const key = texts(keyOf(r, rows));
            return (
              <tr>
                {key.map((text, i) => (
                  <td class="text">
                    <Link class="row-link" title="Filter by this" href={href(filters(key.slice(0, i + 1), rows))}>
                      <bdi>{text || '(none)'}</bdi>
                    </Link>
                  </td>
                ))}
                <td class="num head" title={exact(r.value as number | null)}>
                  {show(r.value as number | null, m.unit)}
                </td>
                {columns.map(c => {
                  const cell = cells.get(JSON.stringify([...key, c]));
                  return (
                    <td
                      class="num shaded"
                      style={shade(cell?.value)}
                      title={cell && `${exact(cell.value as number | null)}; ${count(cell.views as number)} views`}
                    >
                      {cell ? show(cell.value as number | null, m.unit) : ''}
                    </td>
                  );
                })}
                <td class="num">{count(r.views as number)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function Pivot({ page, m, measure, by }: { page: Page; m: MetricRow; measure: Measure; by: DimensionId }) {
  const { rows, column } = pivotOf(page, by);
  const metrics: QueryMetric[] = [
    { metric: m.id, measurement: measure, name: 'value' },
    { metric: 'views', name: 'views' },
  ];
  const order = [{ by: 'views', direction: 'desc' as const }];
  const ask = (dimensions: DimensionId[], limit: number) => query(page, { metrics, dimensions, order, limit });
  const askRows = ask(rows, ROWS),
    askColumns = column && ask([column], COLUMNS),
    askCells = column && ask([...rows, column], CELLS);
  const byRow = useAsk<QueryAnswer>(askRows),
    byColumn = useAsk<QueryAnswer>(askColumns),
    cells = useAsk<QueryAnswer>(askCells);
  const all: Answer<QueryAnswer>[] = column ? [byRow, byColumn, cells] : [byRow];
  const state = all.find(a => a.error) ?? all.find(a => a.data === undefined) ?? all.find(a => a.loading) ?? byRow;
  const data = (a: Answer<QueryAnswer>) => (a.data?.data ?? []) as Values[];
  // An answer of the dimensions before is none of these.
  const fits = data(byRow).every(r => rows.every(d => d in r)) && (!column || data(byColumn).every(r => column in r));
  return (
    <Panel
      title={`By ${[...rows, ...(column ? [column] : [])].map(d => nameOf(d).toLowerCase()).join(', ')}`}
      note={column ? 'stronger colour: higher' : undefined}
      requests={[
        ...(askCells ? [{ label: 'Cells', ask: askCells }] : []),
        { label: 'Rows', ask: askRows },
        ...(askColumns ? [{ label: 'Columns', ask: askColumns }] : []),
      ]}
      csv={
        state.data &&
        (() =>
          csv(
            [...rows, ...(column ? [column] : []), m.id, 'views'],
            data(column ? cells : byRow).map(r => [
              ...[...rows, ...(column ? [column] : [])].map(d => r[d]),
              r.value,
              r.views,
            ]),
          ))
      }
      tools={
        <>
          {rows.length < DEEPEST && (
            <DimensionButton
              by={null}
              name="More rows"
              label="Rows by one more dimension"
              without={[...rows, ...(column ? [column] : [])]}
              pick={id => change({ p: [...rows.slice(1), id].join(',') })}
            />
          )}
          <DimensionButton
            by={column}
            name="Columns"
            label="Columns by"
            without={rows}
            pick={id => change({ then: id })}
          />
          <button
            type="button"
            class="button quiet"
            aria-label="Close the pivot"
            title="Close the pivot"
            onClick={() => change({ then: null, p: null })}
          >
            <Icon name="close" />
          </button>
        </>
      }
    >
      <States of={fits ? state : { loading: true }} empty={() => data(byRow).length === 0}>
        {() => (
          <Cells
            page={page}
            m={m}
            rows={rows}
            column={column}
            data={data(column ? cells : byRow)}
            byRow={data(byRow)}
            byColumn={data(byColumn)}
          />
        )}
      </States>
    </Panel>
  );
}
