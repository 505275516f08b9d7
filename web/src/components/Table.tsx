// SPDX-License-Identifier: Apache-2.0
import { change } from '../lib/route';

// A column head that sorts by it: first the useful direction, then the other.
export function Sorter({
  label,
  by,
  order,
  first = 'desc',
}: {
  label: string;
  by: string;
  order: string;
  first?: 'asc' | 'desc';
}) {
  const [current, direction] = order.split('-');
  const next = current === by ? (direction === 'desc' ? 'asc' : 'desc') : first;
  return (
    <button type="button" class="sorter" onClick={() => change({ o: `${by}-${next}`, page: null }, true)}>
      {label}
      {current === by && <span aria-hidden="true"> {direction === 'desc' ? '↓' : '↑'}</span>}
    </button>
  );
}

export const sortState = (by: string, order: string): 'ascending' | 'descending' | undefined =>
  order.startsWith(by + '-') ? (order.endsWith('desc') ? 'descending' : 'ascending') : undefined;

export function Pager({ page, limit, total, noun }: { page: number; limit: number; total: number; noun: string }) {
  const from = total ? (page - 1) * limit + 1 : 0,
    to = Math.min(total, page * limit),
    format = new Intl.NumberFormat();
  return (
    <div class="pager">
      <span>
        {format.format(from)}–{format.format(to)} of {format.format(total)} {noun}
      </span>
      <span>
        <button
          type="button"
          class="button"
          disabled={page <= 1}
          onClick={() => change({ page: page <= 2 ? null : String(page - 1) })}
        >
          Previous
        </button>{' '}
        <button type="button" class="button" disabled={to >= total} onClick={() => change({ page: String(page + 1) })}>
          Next
        </button>
      </span>
    </div>
  );
}
