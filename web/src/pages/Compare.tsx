// SPDX-License-Identifier: Apache-2.0
// Two to four filter sets or time ranges side by side: did the new release make a difference, and how sure is that?
import { Chart, Legend, type Line } from '../components/Chart';
import { Delta } from '../components/Delta';
import { AddFilter, Chips } from '../components/Filters';
import { Icon } from '../components/Icon';
import { Panel, States } from '../components/Panel';
import { Popover } from '../components/Popover';
import { Ranges } from '../components/TimeRange';
import { useAsk, useAsks, type Answer } from '../lib/api';
import type { Ask } from '../lib/ask';
import { comparison, timeseries, type ComparisonRow, type Envelope, type Scope, type SeriesRow } from '../lib/asks';
import { findMetric, GROUPS, metric as metricOf, nameOf, type Measure, type MetricRow } from '../lib/catalog';
import { csv } from '../lib/csv';
import { count, exact, value as show } from '../lib/format';
import type { QueryAnswer } from '../lib/query';
import { change } from '../lib/route';
import { usePage, type Page } from '../lib/scope';
import { beside, stepOf, timesOf, valuesOf } from '../lib/series';
import { intervalOf, joined, rankAsks, spreadAsks, type Measured } from '../lib/spread';
import { ofDifference, type Interval } from '../lib/sure';
import { previous, readRange } from '../lib/time';

const COLOURS = ['--series-1', '--series-2', '--series-3', '--series-4'],
  LETTERS = 'ABCD',
  MOST = 4;

interface Set {
  t: string | null;
  f: string[];
}
const readSet = (text: string): Set => {
  const q = new URLSearchParams(text);
  return { t: q.get('t'), f: q.getAll('f') };
};
const writeSet = (s: Set): string =>
  new URLSearchParams([...(s.t ? [['t', s.t]] : []), ...s.f.map(f => ['f', f])]).toString().replace(/%3A/g, ':');

type Rows = Envelope<ComparisonRow[]>;
interface Row {
  label: string;
  metric: MetricRow;
  measure: Measure;
  head: boolean;
  values: (number | null | undefined)[];
}

function rowsOf(answers: (ComparisonRow[] | undefined)[]): Row[] {
  const shape = answers.find(a => a) ?? [],
    out: Row[] = [];
  const all = answers.map(a => (a ?? []).flatMap(b => [b, ...(b.items ?? [])]));
  shape
    .flatMap(b => [{ r: b, head: true }, ...(b.items ?? []).map(r => ({ r, head: false }))])
    .forEach(({ r, head }, i) => {
      const m = findMetric(r.metric === 'playback_failure_score' ? 'playback_success_score' : (r.metric ?? null));
      if (m)
        out.push({
          label: r.metric === 'playback_failure_score' ? 'Playback Success Score' : r.name,
          metric: m,
          measure: measureOf(r, m),
          head,
          values: all.map(rows => rows[i]?.value),
        });
    });
  return out.filter(r => r.head || r.values.some(v => v !== null && v !== undefined && v !== 0));
}

// What an item does not say is what its metric is measured by.
const measureOf = (r: ComparisonRow, m: MetricRow): Measure => (r.measurement as Measure | undefined) ?? m.measure;

const measured = (rows: Row[], i: number): Measured[] =>
  rows.map(r => ({ metric: r.metric, measure: r.measure, value: r.values[i] }));

// The intervals of every row and set, once the questions behind them are answered.
function useIntervals(scopes: Scope[], rows: Row[]) {
  const spread = scopes.map((s, i) => spreadAsks(s, measured(rows, i))),
    spreads = useAsks<QueryAnswer>(spread.flat());
  const rowOf = (asks: Ask[][], answers: Answer<QueryAnswer>[], i: number) => {
    const from = asks.slice(0, i).reduce((n, a) => n + a.length, 0);
    return joined(answers.slice(from, from + asks[i].length).map(a => a.data));
  };
  const known = scopes.map((_, i) => rowOf(spread, spreads, i));
  const ranks = scopes.map((s, i) => (spreads.some(a => a.loading) ? [] : rankAsks(s, measured(rows, i), known[i]))),
    ranked = useAsks<QueryAnswer>(ranks.flat());
  const all = [...spreads, ...ranked];
  return {
    loading: all.some(a => a.loading),
    error: all.find(a => a.error)?.error,
    of: rows.map(r =>
      scopes.map((_, i) => intervalOf({ ...r, value: r.values[i] }, known[i], rowOf(ranks, ranked, i))),
    ),
    requests: scopes.flatMap((_, i) => [
      ...spread[i].map(ask => ({ label: `${LETTERS[i]}, spread`, ask })),
      ...ranks[i].map(ask => ({ label: `${LETTERS[i]}, ranks`, ask })),
    ]),
  };
}

// A difference in the unit of its metric: points of shares and scores, otherwise as values are shown.
function signed(v: number, m: MetricRow): string {
  const sized = (size: number) =>
    m.unit === 'FRACTION' || m.unit === 'SCORE' ? (size * 100).toFixed(2) : show(size, m.unit);
  const size = sized(Math.abs(v));
  return (size === sized(0) ? '' : v > 0 ? '+' : '−') + size;
}

// How much was watched says nothing of how well it played: more of it is neither better nor worse.
const VOLUMES = ['views', 'unique_viewers', 'playing_time'];
const isVolume = (r: Row): boolean => VOLUMES.includes(r.metric.id) || r.measure === 'sum' || r.measure === 'count';

function Against({ row, i, of }: { row: Row; i: number; of: (Interval | null)[] }) {
  const a = row.values[0],
    b = row.values[i],
    sure = typeof a === 'number' && typeof b === 'number' ? ofDifference(a, of[0], b, of[i]) : null,
    unsure = sure !== null && sure[0] <= 0 && sure[1] >= 0,
    none = sure !== null && sure.every(end => signed(end, row.metric) === signed(0, row.metric));
  return (
    <div class="against">
      {none ? (
        <span class="delta">no change</span>
      ) : unsure && a !== b ? (
        <span class="delta" title="The interval holds zero">
          not sure
        </span>
      ) : (
        <Delta now={b} before={a} metric={row.metric} than="A" neutral={isVolume(row)} />
      )}
      {sure && !none && (
        <span class="hint" title="95 % interval of the difference">
          {' '}
          {signed(sure[0], row.metric)} … {signed(sure[1], row.metric)}
          {row.metric.unit === 'FRACTION' || row.metric.unit === 'SCORE' ? ' pts' : ''}
        </span>
      )}
    </div>
  );
}

function Table({ rows, sets, intervals }: { rows: Row[]; sets: Set[]; intervals: (Interval | null)[][] }) {
  return (
    <div class="table-wrap" tabIndex={0} role="group" aria-label="Side by side">
      <table class="table compare">
        <thead>
          <tr>
            <th scope="col">Metric</th>
            {sets.map((_, i) => (
              <th scope="col" class="num">
                <span class="letter" style={{ '--key': `var(${COLOURS[i]})` }}>
                  {LETTERS[i]}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r, k) => (
            <tr class={r.head ? 'head' : undefined} data-metric={r.metric.id} data-measure={r.measure}>
              <th scope="row">{r.label}</th>
              {r.values.map((v, i) => {
                const own = intervals[k]?.[i];
                return (
                  <td class="num">
                    <span
                      title={exact(v) + (own ? `, 95 % interval ${exact(own[0])} to ${exact(own[1])}` : '')}
                      data-value={v}
                    >
                      {show(v, r.metric.unit)}
                    </span>
                    {i > 0 && <Against row={r} i={i} of={intervals[k] ?? []} />}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Overlay({ page, scopes, m }: { page: Page; scopes: Scope[]; m: MetricRow }) {
  const asks = scopes.map(s => timeseries(m.id, s));
  const padded = Array.from({ length: MOST }, (_, i) => asks[i] ?? null);
  const answers = padded.map(a => useAsk<Envelope<SeriesRow[]>>(a)).slice(0, scopes.length); // always four: the order of hooks is fixed
  return (
    <Panel
      title={`${nameOf(m.id)} over time`}
      note="each from its own beginning"
      requests={asks.map((ask, i) => ({ label: LETTERS[i], ask }))}
      tools={
        <select aria-label="Metric" value={m.id} onChange={e => change({ id: e.currentTarget.value }, true)}>
          {GROUPS.map(g => (
            <optgroup label={g.name}>
              {g.metrics.map(id => (
                <option value={id}>{nameOf(id)}</option>
              ))}
            </optgroup>
          ))}
        </select>
      }
    >
      <States of={answers[0]} height="chart" px={243}>
        {a => {
          const times = timesOf(a.data),
            format = (v: number | null) => show(v, m.unit);
          const lines = answers.map((x, i): Line => ({
            label: LETTERS[i],
            colour: COLOURS[i],
            format,
            dash: i % 2 === 1,
            values: i === 0 ? valuesOf(a.data) : beside(x.data?.data ?? [], times.length),
          }));
          return (
            <>
              <Chart
                label={`${nameOf(m.id)} of ${lines.length} sets`}
                times={times}
                step={stepOf(times, page.span.step)}
                lines={lines}
                zeroBased={m.unit !== 'SCORE'}
              />
              <Legend lines={lines} />
            </>
          );
        }}
      </States>
    </Panel>
  );
}

export function Compare() {
  const page = usePage(),
    written = new URLSearchParams(location.search).getAll('s').slice(0, MOST).map(readSet);
  const sets: Set[] =
    written.length >= 2
      ? written
      : [
          { t: previous(page.span).text, f: [] },
          { t: null, f: [] },
        ];
  const keep = (next: Set[]) => change({ s: next.map(writeSet).map(s => s || 'f=') });
  const edit = (i: number, part: Partial<Set>) => keep(sets.map((s, k) => (k === i ? { ...s, ...part } : s)));
  const scopes = sets.map((s): Scope => ({
    range: s.t ? readRange(s.t) : page.range,
    filters: [...page.filters, ...s.f.filter(Boolean)],
  }));
  const asks = scopes.map(comparison);
  const answers: Answer<Rows>[] = Array.from({ length: MOST }, (_, i) => useAsk<Rows>(asks[i] ?? null)).slice(
    0,
    sets.length,
  );
  const rows = rowsOf(answers.map(a => a.data?.data)),
    ended = answers.map(a => a.data?.data.find(r => r.name === 'totals')?.ended_views);
  const failed = answers.find(a => a.error),
    waiting = answers.find(a => a.data === undefined);
  const intervals = useIntervals(scopes, waiting || failed ? [] : rows);
  const m = findMetric(page.get('id')) ?? metricOf('video_startup_time');
  return (
    <>
      <div class={`sets n${sets.length}`}>
        {sets.map((s, i) => (
          <section class="set" aria-label={`Set ${LETTERS[i]}`}>
            <div class="set-head">
              <span class="letter" style={{ '--key': `var(${COLOURS[i]})` }}>
                {LETTERS[i]}
              </span>
              <Popover
                label={`Time range of ${LETTERS[i]}: ${s.t ? scopes[i].range.label : `As above: ${page.range.label}`}`}
                class="button quiet"
                button={
                  <>
                    <Icon name="clock" />
                    <span>{s.t ? scopes[i].range.label : `As above: ${page.range.label}`}</span>
                  </>
                }
              >
                {close => (
                  <>
                    <Ranges page={{ ...page, range: scopes[i].range }} set={t => edit(i, { t })} close={close} />
                    {s.t && (
                      <button
                        type="button"
                        class="button"
                        onClick={() => {
                          edit(i, { t: null });
                          close();
                        }}
                      >
                        As above
                      </button>
                    )}
                  </>
                )}
              </Popover>
              {sets.length > 2 && (
                <button
                  type="button"
                  class="button quiet"
                  aria-label={`Remove set ${LETTERS[i]}`}
                  onClick={() => keep(sets.filter((_, k) => k !== i))}
                >
                  <Icon name="close" />
                </button>
              )}
            </div>
            <div class="set-filters">
              <Chips filters={s.f.filter(Boolean)} set={f => edit(i, { f })} />
              <AddFilter
                page={{ ...page, range: scopes[i].range }}
                filters={s.f.filter(Boolean)}
                set={f => edit(i, { f })}
              />
            </div>
            <p class="note">{ended[i] === undefined ? '…' : `${count(ended[i])} views ended`}</p>
          </section>
        ))}
        {sets.length < MOST && (
          <button type="button" class="button add-set" onClick={() => keep([...sets, { t: null, f: [] }])}>
            <Icon name="plus" /> Another set
          </button>
        )}
      </div>
      <Overlay page={page} scopes={scopes} m={m} />
      <Panel
        title="Side by side"
        note={intervals.error ? `without intervals: ${intervals.error.message}` : 'differences against A'}
        requests={[...asks.map((ask, i) => ({ label: LETTERS[i], ask })), ...intervals.requests]}
        csv={
          waiting || failed || intervals.loading
            ? undefined
            : () =>
                csv(
                  ['metric', 'name', ...sets.flatMap((_, i) => ['', ' low', ' high'].map(end => LETTERS[i] + end))],
                  rows.map((r, k) => [
                    r.metric.id,
                    r.label,
                    ...r.values.flatMap((v, i) => [v, ...(intervals.of[k]?.[i] ?? [null, null])]),
                  ]),
                )
        }
      >
        <States of={failed ?? waiting ?? answers[0]}>
          {() => <Table rows={rows} sets={sets} intervals={intervals.of} />}
        </States>
        <p class="footnote">
          Behind a difference stands its 95 % interval; “not sure” means that it holds zero. Shares of views: Wilson's
          intervals and Newcombe's method 10; averages and scores: from their standard deviation; medians and 95th
          percentiles: from the order statistics around their rank. Totals and rates over watch time stand without one:
          the API does not tell how they scatter. The methods are in docs/compare.md.
        </p>
      </Panel>
    </>
  );
}
