// SPDX-License-Identifier: Apache-2.0
// How a metric's values spread over the views: a histogram between round borders, with median and 95th percentile. Two
// questions: where the values lie, then how many fall into each step. A click on a step filters by it.
import { useAsk } from '../lib/api';
import { nameOf, type MetricRow } from '../lib/catalog';
import { csv } from '../lib/csv';
import { count, percent, value as show } from '../lib/format';
import { query, type Histogram, type QueryAnswer } from '../lib/query';
import { edgesOf, stepsOf, type Bucket } from '../lib/histogram';
import { hrefHere } from '../lib/route';
import type { Page } from '../lib/scope';
import { Link } from './Link';
import { Panel, States } from './Panel';

// Counts of views and viewers are one number, and a share of views knows only yes and no.
export const hasDistribution = (m: MetricRow): boolean =>
  (m.kind === 'NUMBER' || m.kind === 'RATIO') && m.id !== 'views';

const PARTS = ['low', 'median', 'high', 'views'] as const;

function rangeName(b: Bucket, m: MetricRow): string {
  if (b.from === null) return `below ${show(b.to, m.unit)}`;
  if (b.to === null) return `${show(b.from, m.unit)} and more`;
  return `${show(b.from, m.unit)} to ${show(b.to, m.unit)}`;
}

// The address with the views of one step alone; limits on this metric are replaced.
function narrowed(page: Page, b: Bucket, m: MetricRow): string {
  const others = (page.metricFilters ?? []).filter(f => !f.startsWith(m.id));
  const own = [...(b.from === null ? [] : [`${m.id}>=${b.from}`]), ...(b.to === null ? [] : [`${m.id}<${b.to}`])];
  return hrefHere({ mf: [...others, ...own], page: null });
}

function Bars({ page, m, buckets, marks }: { page: Page; m: MetricRow; buckets: Bucket[]; marks: [string, number][] }) {
  const most = Math.max(...buckets.map(b => b.views), 1),
    total = buckets.reduce((n, b) => n + b.views, 0);
  const place = (v: number): number | null => {
    const i = buckets.findIndex(b => (b.from === null || v >= b.from) && (b.to === null || v < b.to)),
      b = buckets[i];
    if (!b) return null;
    const inside = b.from === null || b.to === null ? 0.5 : (v - b.from) / (b.to - b.from);
    return (100 * (i + inside)) / buckets.length;
  };
  const every = Math.ceil(buckets.length / 8);
  return (
    <figure class="histogram">
      <div class="histogram-plot">
        <ul class="curve-y" aria-hidden="true">
          {[1, 0.5, 0].map(f => (
            <li>{percent((f * most) / Math.max(1, total))}</li>
          ))}
        </ul>
        <ol class="histogram-bars" aria-label={`${nameOf(m.id)}: views by value`}>
          {buckets.map(b => {
            const said = `${rangeName(b, m)}: ${count(b.views)} views, ${percent(b.views / Math.max(1, total))}`;
            return (
              <li>
                <Link href={m.filter ? narrowed(page, b, m) : hrefHere({})} title={said} class="histogram-bar">
                  <span class="sr">{said}</span>
                  <svg aria-hidden="true" viewBox="0 0 10 100" preserveAspectRatio="none">
                    <rect y={100 - (100 * b.views) / most} width="10" height={(100 * b.views) / most} />
                  </svg>
                </Link>
              </li>
            );
          })}
          {marks.map(([name, v]) => {
            const at = place(v);
            return (
              at !== null && (
                <li class={at > 75 ? 'histogram-mark late' : 'histogram-mark'} style={{ left: `${at}%` }}>
                  <span>
                    {name} {show(v, m.unit)}
                  </span>
                </li>
              )
            );
          })}
        </ol>
      </div>
      <figcaption class="histogram-x" aria-hidden="true">
        {buckets.map((b, i) => (
          <span>{i % every === 0 && b.from !== null ? show(b.from, m.unit) : ''}</span>
        ))}
      </figcaption>
    </figure>
  );
}

export function Distribution({ page, m }: { page: Page; m: MetricRow }) {
  const lower = m.better === 'LOWER';
  const askSpread = query(page, {
    metrics: [
      { metric: m.id, percentile: 0.005, name: PARTS[0] },
      { metric: m.id, percentile: 0.5, name: PARTS[1] },
      { metric: m.id, percentile: 0.98, name: PARTS[2] },
      { metric: m.id, percentile: lower ? 0.95 : 0.05, name: 'p95' },
      { metric: m.id, measurement: 'count', name: PARTS[3] },
    ],
  });
  const spread = useAsk<QueryAnswer>(askSpread),
    row = spread.data?.data[0] as Record<string, number | null> | undefined;
  const edges = row ? edgesOf(row.low, row.high, m.unit) : null;
  const askCounts = edges && query(page, { metrics: [{ metric: m.id, histogram: { edges }, name: 'views_by_value' }] });
  const counted = useAsk<QueryAnswer>(askCounts);
  const histogram = counted.data?.data[0]?.views_by_value as Histogram | undefined;
  // An answer to the borders before is not of these borders.
  const fits = histogram && edges && histogram.counts.length === edges.length - 1,
    buckets = fits ? stepsOf(edges, histogram) : undefined;
  const nothing = spread.data !== undefined && edges === null;
  return (
    <Panel
      title="Distribution"
      note={m.filter ? 'share of views by value · click a bar to filter' : 'share of views by value'}
      requests={[
        ...(askCounts ? [{ label: 'Histogram', ask: askCounts }] : []),
        { label: 'Percentiles', ask: askSpread },
      ]}
      csv={
        buckets &&
        (() =>
          csv(
            ['from', 'below', 'views'],
            buckets.map(b => [b.from, b.to, b.views]),
          ))
      }
    >
      <States<unknown>
        of={
          spread.error || nothing || !spread.data
            ? spread
            : { ...counted, data: buckets, loading: counted.loading || spread.loading }
        }
        height="chart"
        px={206}
        empty={() => nothing}
        emptyText="No view with a value in this time range."
      >
        {() =>
          buckets && (
            <Bars
              page={page}
              m={m}
              buckets={buckets}
              marks={[
                ['median', row?.median ?? NaN],
                [lower ? '95th' : '5th', row?.p95 ?? NaN],
              ]}
            />
          )
        }
      </States>
    </Panel>
  );
}
