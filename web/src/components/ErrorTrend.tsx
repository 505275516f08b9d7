// SPDX-License-Identifier: Apache-2.0
// Views with an error over time by the error's code: the commonest codes as lines, and a small bar row for every code.
import { useAsk } from '../lib/api';
import { csv } from '../lib/csv';
import { count } from '../lib/format';
import { query, type QueryAnswer } from '../lib/query';
import { change } from '../lib/route';
import type { Page } from '../lib/scope';
import { fixedRange } from '../lib/time';
import { Chart, Legend, type Line } from './Chart';
import { Panel, States } from './Panel';

const COLOURS = ['--series-2', '--series-1', '--series-4', '--series-3'];
const GRAIN = { 60: 'minute', 600: 'ten_minutes', 3600: 'hour', 86400: 'day' } as const;

export interface Trends {
  times: number[];
  of: Map<string, number[]>; // views in each bucket, by code
}

export function trendAsk(page: Page) {
  return query(
    { ...page, filters: [...page.filters, '!player_error_code:'] },
    {
      metrics: [{ metric: 'playback_failure_percentage', measurement: 'count', name: 'views' }],
      dimensions: ['player_error_code'],
      time_bucket: GRAIN[page.span.step as keyof typeof GRAIN] ?? 'day',
      order: [{ by: 'time', direction: 'asc' }],
      limit: 10000,
    },
  );
}

export function trends(page: Page, answer: QueryAnswer): Trends {
  const { start, end, step } = page.span,
    times = Array.from({ length: Math.max(1, Math.round((end - start) / step)) }, (_, i) => start + i * step);
  const of = new Map<string, number[]>();
  for (const row of answer.data) {
    const at = Math.round((Date.parse(String(row.time)) / 1000 - start) / step),
      code = String(row.player_error_code);
    if (!of.has(code))
      of.set(
        code,
        times.map(() => 0),
      );
    if (at >= 0 && at < times.length) of.get(code)![at] += Number(row.views);
  }
  return { times, of };
}

const sum = (values: number[]) => values.reduce((n, v) => n + v, 0);

// As many bars as are told apart: neighbouring buckets are taken together.
export function Spark({ values }: { values: number[] | undefined }) {
  if (!values) return null;
  const each = Math.max(1, Math.ceil(values.length / 32)),
    bars = Array.from({ length: Math.ceil(values.length / each) }, (_, i) =>
      sum(values.slice(i * each, (i + 1) * each)),
    ),
    most = Math.max(...bars, 1);
  return (
    <svg
      class="spark"
      role="img"
      aria-label={`Views over time, from ${count(Math.min(...bars))} to ${count(Math.max(...bars))} a step`}
      viewBox={`0 0 ${bars.length * 3} 16`}
      preserveAspectRatio="none"
    >
      {bars.map((v, i) => (
        <rect x={i * 3} y={16 - (15 * v) / most - 1} width="2" height={(15 * v) / most + 1} />
      ))}
    </svg>
  );
}

export function ErrorTrend({ page }: { page: Page }) {
  const ask = trendAsk(page),
    answer = useAsk<QueryAnswer>(ask);
  return (
    <Panel
      title="Errors over time"
      note="views with an error, the commonest codes"
      requests={[{ label: 'Errors by code and time', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['time', 'player_error_code', 'views'],
            answer.data!.data.map(r => [String(r.time), r.player_error_code as string, r.views as number]),
          ))
      }
    >
      <States
        of={answer}
        height="chart"
        px={243}
        empty={a => a.data.length === 0}
        emptyText="No view with an error in this time range."
      >
        {a => {
          const { times, of } = trends(page, a),
            top = [...of].sort((x, y) => sum(y[1]) - sum(x[1])).slice(0, COLOURS.length);
          const lines = top.map(([code, values], i): Line => ({
            label: code.slice(0, 40),
            values,
            colour: COLOURS[i],
            format: v => (v === null ? '–' : count(v)),
          }));
          return (
            <>
              <Chart
                label={`Errors by code over time, ${page.range.label}`}
                times={times}
                step={page.span.step}
                lines={lines}
                sync={page.range.text}
                running={page.span.end * 1000 > Date.now()}
                zoom={(start, end) =>
                  change({ t: fixedRange(Math.floor(start / 60) * 60, Math.ceil(end / 60) * 60).text, page: null })
                }
              />
              <Legend lines={lines} />
            </>
          );
        }}
      </States>
    </Panel>
  );
}
