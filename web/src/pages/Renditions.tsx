// SPDX-License-Identifier: Apache-2.0
// Playing time by rendition, in sum and over time.
import { Panel, States } from '../components/Panel';
import { useAsk } from '../lib/api';
import type { Ask, Param } from '../lib/ask';
import type { Envelope } from '../lib/asks';
import { words } from '../lib/format';
import { csv } from '../lib/csv';
import { duration, exact, percent } from '../lib/format';
import { change } from '../lib/route';
import { usePage } from '../lib/scope';
import { dayMonth, moment } from '../lib/time';

interface Slice {
  breakdown_value: string;
  metric_value: number;
}
interface Bucket {
  date: string;
  status: string;
  values: Slice[];
}
const COLOURS = ['--series-1', '--series-2', '--series-3', '--series-4', '--state-startup', '--muted'],
  SHOWN = 6;
const GROUPINGS = [
  'video_source_height',
  'video_source_bitrate',
  'video_source_codec',
  'video_source_rendition_name',
  'video_source_fps',
];

// The API writes a height as "720h", which beside playing times reads as hours.
const shown = (value: string) => value.replace(/^(\d+)h$/, '$1p');

// Columns of shares: every hour or day fills the height.
function Stack({ buckets, names, daily }: { buckets: Bucket[]; names: string[]; daily: boolean }) {
  const wide = 1000,
    high = 200,
    each = wide / Math.max(1, buckets.length),
    gap = Math.min(1, each * 0.15);
  const label = (s: string) => (daily ? dayMonth : moment)(Date.parse(s) / 1000);
  const marks =
    buckets.length <= 10 ? buckets : [0, 0.25, 0.5, 0.75, 1].map(m => buckets[Math.round(m * (buckets.length - 1))]);
  return (
    <figure class="curve">
      <div class="curve-plot">
        <ul class="curve-y" aria-hidden="true">
          {[100, 50, 0].map(p => (
            <li>{p} %</li>
          ))}
        </ul>
        <svg
          viewBox={`0 0 ${wide} ${high}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Share of playing time by rendition in ${buckets.length} steps`}
        >
          {buckets.map((b, i) => {
            const total = b.values.reduce((n, v) => n + v.metric_value, 0);
            let y = high;
            return names.map((name, k) => {
              const value = b.values
                .filter(v =>
                  k === SHOWN - 1 && names.length === SHOWN && name === 'other'
                    ? !names.slice(0, -1).includes(v.breakdown_value)
                    : v.breakdown_value === name,
                )
                .reduce((n, v) => n + v.metric_value, 0);
              const h = total ? (value / total) * high : 0;
              y -= h;
              return (
                h > 0 && (
                  <rect x={i * each} y={y} width={each - gap} height={h} style={{ fill: `var(${COLOURS[k]})` }}>
                    <title>{`${label(b.date)}: ${shown(name)}, ${duration(value)} (${percent(value / total)})`}</title>
                  </rect>
                )
              );
            });
          })}
        </svg>
      </div>
      <figcaption class={buckets.length <= 10 ? 'curve-marks even' : 'curve-marks'}>
        {marks.map(b => (
          <span>{label(b.date)}</span>
        ))}
      </figcaption>
    </figure>
  );
}

export function Renditions() {
  const page = usePage(),
    grouping = GROUPINGS.find(g => g === page.get('g')) ?? 'video_source_height';
  const daily = page.span.end - page.span.start > 4 * 86400;
  const params: Param[] = [
    ...page.range.values.map((v): Param => ['timeframe[]', v]),
    ...page.filters.map((f): Param => ['filters[]', f]),
    ['group_by[]', grouping],
  ];
  const ask: Ask = {
    path: '/data/v1/subview-metrics/playing_time/rendition/breakdown',
    params: [...params, ['limit', '50']],
  };
  const series: Ask = {
    path: '/data/v1/subview-metrics/playing_time/rendition/breakdown-timeseries',
    params: [...params, ['breakdown_value_limit', String(SHOWN - 1)], ['time_granularity', daily ? 'day' : 'hour']],
  };
  const answer = useAsk<Envelope<Slice[]>>(ask),
    over = useAsk<Envelope<Bucket[]>>(series);
  const rows = answer.data?.data,
    total = rows?.reduce((n, r) => n + r.metric_value, 0) ?? 0;
  const top = (rows ?? []).slice(0, SHOWN - 1).map(r => r.breakdown_value),
    names = (rows?.length ?? 0) > SHOWN - 1 ? [...top, 'other'] : top;
  return (
    <>
      <div class="choices" role="group" aria-label="By">
        {GROUPINGS.map(g => (
          <button type="button" class="choice" aria-pressed={g === grouping} onClick={() => change({ g }, true)}>
            {words(g.replace('video_source_', ''))}
          </button>
        ))}
      </div>
      <Panel
        title="Playing time over time"
        note={daily ? 'share by day, complete days' : 'share by hour, complete hours'}
        requests={[{ label: 'Over time', ask: series }]}
        csv={
          over.data &&
          (() =>
            csv(
              ['time', 'rendition', 'playing_time_ms'],
              over.data!.data.flatMap(b => b.values.map(v => [b.date, v.breakdown_value, v.metric_value])),
            ))
        }
      >
        <States
          of={over}
          height="chart"
          px={252}
          empty={a => a.data.every(b => b.values.length === 0)}
          emptyText="No complete step with rendition data in this time range."
        >
          {a => <Stack buckets={a.data} names={names} daily={daily} />}
        </States>
      </Panel>
      <Panel
        title="Playing time by rendition"
        requests={[{ label: 'Breakdown', ask }]}
        csv={
          rows &&
          (() =>
            csv(
              [grouping, 'playing_time_ms'],
              rows.map(r => [r.breakdown_value, r.metric_value]),
            ))
        }
      >
        <States
          of={answer}
          empty={a => a.data.length === 0}
          emptyText="No view with rendition data in this time range."
        >
          {a => (
            <div class="table-wrap">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">{words(grouping.replace('video_source_', ''))}</th>
                    <th scope="col" class="num">
                      Playing time
                    </th>
                    <th scope="col" class="num">
                      Share
                    </th>
                    <th scope="col" class="wide">
                      <span class="sr">Bar</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {a.data.map((r, i) => (
                    <tr>
                      <td>
                        <span class="key block" style={{ '--key': `var(${COLOURS[Math.min(i, SHOWN - 1)]})` }} />{' '}
                        <bdi>{shown(r.breakdown_value) || '(none)'}</bdi>
                      </td>
                      <td class="num" title={exact(r.metric_value)}>
                        {duration(r.metric_value)}
                      </td>
                      <td class="num">{percent(r.metric_value / total)}</td>
                      <td class="wide">
                        <svg class="bar" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8">
                          <rect
                            width={(100 * r.metric_value) / total}
                            height="8"
                            style={{ fill: `var(${COLOURS[Math.min(i, SHOWN - 1)]})` }}
                          />
                        </svg>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </States>
      </Panel>
    </>
  );
}
