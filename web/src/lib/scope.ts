// SPDX-License-Identifier: Apache-2.0
// What the address says about time and filters, as every page's questions need it.
import { useMemo } from 'preact/hooks';
import { environmentId, refresh } from './api';
import type { Scope } from './asks';
import { readMetricFilter } from './filter';
import { change, usePlace } from './route';
import { useStore } from './store';
import { readRange, resolve, zone, type Span } from './time';

export interface Page extends Scope {
  span: Span; // the window that the server will make of the range
  get(name: string): string | null;
}

const started = new Map<number, number>(); // the moment of each refresh, so that all panels mean the same "now"

export function usePage(): Page {
  const place = usePlace(),
    turn = useStore(refresh);
  useStore(environmentId);
  useStore(zone);
  if (!started.has(turn)) started.set(turn, Date.now());
  const query = place.query.toString();
  return useMemo(() => {
    const range = readRange(place.query.get('t'));
    return {
      range,
      filters: place.query.getAll('f'),
      metricFilters: place.query.getAll('mf').filter(readMetricFilter),
      span: resolve(range, started.get(turn)!),
      get: n => place.query.get(n),
    };
  }, [query, turn, zone.get()]);
}

export function addFilter(page: Scope, filter: string): void {
  if (!page.filters.includes(filter)) change({ f: [...page.filters, filter], page: null });
}
