// SPDX-License-Identifier: Apache-2.0
// A change against another period or set. Good and bad are said by colour, arrow and words; a neutral one is neither.
import type { MetricRow } from '../lib/catalog';
import { percent, value as show } from '../lib/format';

const QUIET = 0.005; // changes below half a percent are no news

export function Delta({
  now,
  before,
  metric,
  than = 'the period before',
  neutral,
}: {
  now: number | null | undefined;
  before: number | null | undefined;
  metric: MetricRow;
  than?: string;
  neutral?: boolean;
}) {
  if (now === null || now === undefined || before === null || before === undefined)
    return <span class="delta none">no comparison</span>;
  const difference = now - before,
    relative = before === 0 ? (difference === 0 ? 0 : Infinity) : difference / Math.abs(before);
  if (Math.abs(relative) < QUIET)
    return (
      <span class="delta" title={`${show(before, metric.unit)} in ${than}`}>
        no change
      </span>
    );
  const up = difference > 0,
    better = up === (metric.better === 'HIGHER');
  const size =
    metric.unit === 'SCORE'
      ? `${(Math.abs(difference) * 100).toFixed(1)} pts`
      : relative === Infinity
        ? 'new'
        : Math.abs(relative) > 9.99
          ? `${(Math.abs(relative) + 1).toFixed(0)}×`
          : percent(Math.abs(relative));
  return (
    <span
      class={neutral ? 'delta' : better ? 'delta good' : 'delta bad'}
      title={`${show(before, metric.unit)} in ${than}`}
    >
      <span aria-hidden="true">{up ? '▲' : '▼'}</span> <span class="sr">{up ? 'up' : 'down'} </span>
      {size}
      {!neutral && <span class="sr">, {better ? 'better' : 'worse'}</span>}
    </span>
  );
}
