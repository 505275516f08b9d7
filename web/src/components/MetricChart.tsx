// SPDX-License-Identifier: Apache-2.0
// One metric over time, with the period before, annotations and the views behind each point where asked for.
import { useAsk } from '../lib/api';
import { annotations, timeseries, type Envelope, type SeriesRow } from '../lib/asks';
import { nameOf, type Measure, type MetricRow } from '../lib/catalog';
import { csv } from '../lib/csv';
import { value as show } from '../lib/format';
import { change } from '../lib/route';
import type { Page } from '../lib/scope';
import { beside, stepOf, timesOf, valuesOf, volumesOf } from '../lib/series';
import { fixedRange, moment, previous } from '../lib/time';
import { Chart, Legend, type Line } from './Chart';
import { Panel, States } from './Panel';

const CHART_PX = 220,
  LEGEND_PX = 23; // with its margin
const NOTES = 5; // listed; all of them stand in the chart

interface Annotation {
  id: string;
  note: string;
  date: string;
}

export interface MetricChartProps {
  page: Page;
  metric: MetricRow;
  measure?: Measure;
  title?: string;
  note?: string;
  height?: number;
  before?: boolean;
  volume?: boolean;
  marks?: boolean;
  groupBy?: string;
}

export function MetricChart({
  page,
  metric,
  measure,
  title = nameOf(metric.id),
  note,
  height,
  before,
  volume,
  marks,
  groupBy,
}: MetricChartProps) {
  const ask = timeseries(metric.id, page, measure, groupBy),
    earlier = previous(page.span);
  const askBefore = timeseries(metric.id, { ...page, range: earlier }, measure, groupBy);
  const answer = useAsk<Envelope<SeriesRow[]>>(ask),
    then = useAsk<Envelope<SeriesRow[]>>(before ? askBefore : null);
  const askMarks = annotations(fixedRange(page.span.start, page.span.end));
  const noted = useAsk<Envelope<Annotation[]>>(marks ? askMarks : null);
  const format = (v: number | null) => show(v, metric.unit);
  const requests = [
    { label: 'This period', ask },
    ...(before ? [{ label: 'The period before', ask: askBefore }] : []),
    ...(marks ? [{ label: 'Annotations', ask: askMarks }] : []),
  ];
  const rows = answer.data?.data;
  return (
    <Panel title={title} note={note} requests={requests} csv={rows && (() => csv(['time', metric.id, 'views'], rows))}>
      <States
        of={answer}
        height="chart"
        px={(height ?? CHART_PX) + (before ? LEGEND_PX : 0)}
        empty={a => a.data.every(r => r[1] === null || (r[1] === 0 && !r[2]))}
        emptyText="No views in this time range."
      >
        {a => {
          const times = timesOf(a.data),
            lines: Line[] = [];
          lines.push({ label: nameOf(metric.id), values: valuesOf(a.data), colour: '--series-1', fill: true, format });
          // Its place in the legend is there before its values are: nothing jumps.
          if (before)
            lines.push({
              label: 'Period before',
              values: beside(then.data?.data ?? [], times.length),
              colour: '--before',
              dash: true,
              format,
            });
          const step = stepOf(times, page.span.step);
          return (
            <>
              <Chart
                label={`${title} over time, ${page.range.label}`}
                times={times}
                step={step}
                lines={lines}
                height={height}
                sync={page.range.text}
                volume={volume ? volumesOf(a.data) : undefined}
                zeroBased={metric.unit !== 'SCORE'}
                running={page.span.end * 1000 > Date.now()}
                marks={noted.data?.data.map(n => ({ at: Date.parse(n.date) / 1000, text: n.note }))}
                zoom={(start, end) =>
                  change({ t: fixedRange(Math.floor(start / 60) * 60, Math.ceil(end / 60) * 60).text, page: null })
                }
              />
              {lines.length > 1 && <Legend lines={lines} />}
              {noted.data && noted.data.data.length > 0 && (
                <ul class="notes" aria-label="Annotations">
                  {noted.data.data.slice(0, NOTES).map(n => (
                    <li>
                      <span class="hint">{moment(Date.parse(n.date) / 1000)}</span> <bdi>{n.note.slice(0, 300)}</bdi>
                    </li>
                  ))}
                  {noted.data.data.length > NOTES && <li class="hint">and {noted.data.data.length - NOTES} more</li>}
                </ul>
              )}
            </>
          );
        }}
      </States>
    </Panel>
  );
}
