// SPDX-License-Identifier: Apache-2.0
// One metric: its value in every measurement, over time, by any dimension, and what harms it.
import { Delta } from '../components/Delta';
import { DimensionButton } from '../components/DimensionButton';
import { Distribution, hasDistribution } from '../components/Distribution';
import { Values } from '../components/Filters';
import { Icon } from '../components/Icon';
import { Link } from '../components/Link';
import { MetricChart } from '../components/MetricChart';
import { Panel, States } from '../components/Panel';
import { Pivot, pivotOf } from '../components/Pivot';
import { Popover } from '../components/Popover';
import { RequestButton } from '../components/Request';
import { Pager, sortState, Sorter } from '../components/Table';
import { useAsk } from '../lib/api';
import {
  breakdown,
  insights,
  overall,
  type BreakdownRow,
  type Envelope,
  type InsightRow,
  type Order,
  type Overall,
} from '../lib/asks';
import {
  findDimension,
  findMetric,
  GROUPS,
  groupOf,
  measureName,
  measures,
  metric as metricOf,
  nameOf,
  type DimensionId,
  type Measure,
  type MetricRow,
} from '../lib/catalog';
import { csv } from '../lib/csv';
import { filterOn } from '../lib/filter';
import { count, exact, value as show } from '../lib/format';
import { change, hrefHere } from '../lib/route';
import { addFilter, usePage, type Page } from '../lib/scope';
import { previous } from '../lib/time';

const LIMIT = 25;

function Number({ page, m, measure, chosen }: { page: Page; m: MetricRow; measure: Measure; chosen: boolean }) {
  const ask = overall(m.id, page, measure),
    askBefore = overall(m.id, { ...page, range: previous(page.span) }, measure);
  const now = useAsk<Envelope<Overall>>(ask),
    before = useAsk<Envelope<Overall>>(askBefore);
  return (
    <div class={chosen ? 'tile chosen' : 'tile'} data-measure={measure}>
      <div class="tile-head">
        <Link href={hrefHere({ m: measure === m.measure ? null : measure })} class="tile-name" current={chosen}>
          {measureName(measure)}
        </Link>
        <RequestButton
          of={`${nameOf(m.id)}, ${measureName(measure)}`}
          requests={[
            { label: 'This period', ask },
            { label: 'The period before', ask: askBefore },
          ]}
        />
      </div>
      <div class="tile-value" title={exact(now.data?.data.value)}>
        {now.error ? 'failed' : now.data ? show(now.data.data.value, m.unit) : <span class="skeleton word" />}
      </div>
      <div class="tile-foot">
        {now.data && before.data ? (
          <Delta now={now.data.data.value} before={before.data.data.value} metric={m} />
        ) : (
          <span class="delta">&nbsp;</span>
        )}
        {now.data && <span class="hint"> · {count(now.data.data.total_views)} views</span>}
      </div>
    </div>
  );
}

function Breakdown({ page, m, measure, by }: { page: Page; m: MetricRow; measure: Measure; by: DimensionId }) {
  const order = page.get('o') ?? 'negative_impact-desc',
    [column, direction] = order.split('-');
  const at = Math.max(1, parseInt(page.get('page') ?? '1', 10) || 1);
  const ordering = ['negative_impact', 'value', 'views', 'field'].includes(column)
    ? ({ by: column, direction } as Order)
    : undefined;
  const ask = breakdown(m.id, by, page, measure, LIMIT, at === 1 ? undefined : at, ordering);
  const answer = useAsk<Envelope<BreakdownRow[]>>(ask);
  const rows = answer.data?.data;
  const head = (id: string, label: string, first?: 'asc' | 'desc', kind = 'num') => (
    <th scope="col" class={kind} aria-sort={sortState(id, order)}>
      <Sorter label={label} by={id} order={order} first={first} />
    </th>
  );
  return (
    <Panel
      title={`By ${nameOf(by).toLowerCase()}`}
      requests={[{ label: 'Breakdown', ask }]}
      csv={
        rows &&
        (() =>
          csv(
            [by, m.id, 'views', 'negative_impact', 'total_watch_time', 'total_playing_time'],
            rows.map(r => [r.field, r.value, r.views, r.negative_impact, r.total_watch_time, r.total_playing_time]),
          ))
      }
      tools={
        <>
          <DimensionButton
            by={by}
            name="Dimension"
            label="Break down by"
            pick={id => change({ by: id, page: null, p: null })}
          />
          {!page.get('then') && (
            <DimensionButton
              by={null}
              name="and by…"
              label="A second dimension"
              without={[by]}
              pick={id => change({ then: id })}
            />
          )}
        </>
      }
    >
      <States of={answer} empty={a => a.data.length === 0}>
        {a => {
          const most = Math.max(...a.data.map(r => Math.abs(r.value ?? 0)), 0);
          return (
            <>
              <div class="table-wrap">
                <table class="table">
                  <thead>
                    <tr>
                      {head('field', nameOf(by), 'asc', '')}
                      {head('value', nameOf(m.id))}
                      <th class="wide">
                        <span class="sr">Bar</span>
                      </th>
                      {head('views', 'Views')}
                      {head('negative_impact', 'Impact')}
                    </tr>
                  </thead>
                  <tbody>
                    {a.data.map(r => {
                      const filter = filterOn(by, r.field);
                      return (
                        <tr key={r.field ?? ''}>
                          <td>
                            <Link
                              class="row-link"
                              title="Filter by this"
                              href={hrefHere({ f: [...new Set([...page.filters, filter])], page: null })}
                            >
                              <bdi>{r.field || '(none)'}</bdi>
                            </Link>
                          </td>
                          <td class="num" title={exact(r.value)}>
                            {show(r.value, m.unit)}
                          </td>
                          <td class="wide">
                            <svg class="bar" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8">
                              <rect width={most ? (100 * Math.abs(r.value ?? 0)) / most : 0} height="8" />
                            </svg>
                          </td>
                          <td class="num">{count(r.views)}</td>
                          <td class="num">{r.negative_impact}</td>
                        </tr>
                      );
                    })}
                  </tbody>
                </table>
              </div>
              <Pager page={at} limit={LIMIT} total={a.total_row_count ?? 0} noun="values" />
            </>
          );
        }}
      </States>
    </Panel>
  );
}

function Harm({ page, m, measure }: { page: Page; m: MetricRow; measure: Measure }) {
  const ask = insights(m.id, page, measure),
    answer = useAsk<Envelope<InsightRow[]>>(ask);
  const harmful = (rows: InsightRow[]) => rows.filter(r => r.negative_impact_score < 0).slice(0, 10);
  const rows = answer.data && harmful(answer.data.data);
  return (
    <Panel
      title="What harms it most"
      note="over all dimensions"
      requests={[{ label: 'Insights', ask }]}
      csv={
        rows &&
        (() =>
          csv(
            ['dimension', 'value', m.id, 'views', 'impact'],
            rows.map(r => [r.filter_column, r.filter_value, r.metric, r.total_views, r.negative_impact_score]),
          ))
      }
    >
      <States of={answer} empty={a => harmful(a.data).length === 0} emptyText="Nothing stands out.">
        {a => (
          <div class="table-wrap">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Where</th>
                  <th scope="col" class="num">
                    {nameOf(m.id)}
                  </th>
                  <th scope="col" class="num">
                    Views
                  </th>
                </tr>
              </thead>
              <tbody>
                {harmful(a.data).map(r => (
                  <tr>
                    <td>
                      <Link
                        class="row-link"
                        title="Filter by this"
                        href={hrefHere({
                          f: [...new Set([...page.filters, filterOn(r.filter_column, r.filter_value)])],
                          page: null,
                        })}
                      >
                        <span class="hint">{nameOf(r.filter_column)}</span> <bdi>{r.filter_value || '(none)'}</bdi>
                      </Link>
                    </td>
                    <td class="num">{show(r.metric, m.unit)}</td>
                    <td class="num">{count(r.total_views)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </States>
    </Panel>
  );
}

export function Metrics() {
  const page = usePage(),
    m = findMetric(page.get('id')) ?? metricOf('video_startup_time'),
    offered = measures(m);
  const measure = offered.find(x => x === page.get('m')) ?? m.measure;
  const by = (findDimension(page.get('by') ?? '')?.id ?? 'country') as DimensionId,
    pivot = pivotOf(page, by);
  const group = groupOf(m.id),
    before = page.get('before') !== '0';
  const fresh = { id: null, m: null, o: null, page: null };
  return (
    <>
      <div class="segments" role="group" aria-label="Groups of metrics">
        {GROUPS.map(g => (
          <Link class="segment" current={g === group} href={hrefHere({ ...fresh, id: g.metrics[0] })}>
            {g.name}
          </Link>
        ))}
      </div>
      <div class="segments minor" role="group" aria-label="Metrics">
        {group.metrics.map(id => (
          <Link class="segment" current={id === m.id} href={hrefHere({ ...fresh, id })}>
            {nameOf(id)}
          </Link>
        ))}
      </div>
      <p class="meaning">
        {m.meaning.charAt(0).toUpperCase() + m.meaning.slice(1)}. Counted where the view{' '}
        {m.clock === 'END' ? 'ended' : 'began'}; {m.better === 'LOWER' ? 'lower is better' : 'higher is better'}.
      </p>
      <section class={`tiles few n${offered.length}`} aria-label={`${nameOf(m.id)} in numbers`}>
        {offered.map(x => (
          <Number page={page} m={m} measure={x} chosen={x === measure} />
        ))}
      </section>
      <div class="above-chart">
        <label class="switch">
          <input
            type="checkbox"
            checked={before}
            onChange={e => change({ before: e.currentTarget.checked ? null : '0' }, true)}
          />{' '}
          with the period before
        </label>
        <Popover
          label={`Filter by a value: ${nameOf(by)}…`}
          class="button quiet"
          align="right"
          button={
            <>
              <Icon name="filter" />
              <span>{nameOf(by)}…</span>
            </>
          }
        >
          {close => (
            <Values
              page={page}
              dimension={by}
              pick={f => {
                addFilter(page, f);
                close();
              }}
            />
          )}
        </Popover>
      </div>
      <MetricChart
        page={page}
        metric={m}
        measure={measure}
        title={nameOf(m.id)}
        note={`${measureName(measure).toLowerCase()} · drag to zoom`}
        height={280}
        before={before}
        volume={m.id !== 'views'}
        marks
      />
      <div class="grid wide-narrow">
        <Breakdown page={page} m={m} measure={measure} by={by} />
        <div class="stack">
          {hasDistribution(m) && <Distribution page={page} m={m} />}
          <Harm page={page} m={m} measure={measure} />
        </div>
      </div>
      {(pivot.column || pivot.rows.length > 1) && <Pivot page={page} m={m} measure={measure} by={by} />}
    </>
  );
}
