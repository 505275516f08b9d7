// SPDX-License-Identifier: Apache-2.0
// The frame around everything that is asked for: title, request, CSV, and what shows while there is nothing to show.
import type { ComponentChildren } from 'preact';
import { download } from '../lib/csv';
import { forget, type Answer } from '../lib/api';
import { Icon } from './Icon';
import { RequestButton, type Shown } from './Request';

export interface PanelProps {
  title: string;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  requests?: Shown[];
  csv?: () => string;
  class?: string;
  level?: 2 | 3;
  children: ComponentChildren;
}

export function Panel({ title, note, tools, requests = [], csv, class: extra = '', level = 2, children }: PanelProps) {
  const Title = level === 2 ? 'h2' : 'h3';
  return (
    <section class={`panel ${extra}`} aria-label={title}>
      <header class="panel-head">
        <div class="panel-title">
          <Title dir="auto">{title}</Title>
          {note && <span class="panel-note">{note}</span>}
        </div>
        <div class="panel-tools">
          {tools}
          {csv && (
            <button
              type="button"
              class="button quiet"
              title="Download as CSV"
              aria-label={`Download as CSV: ${title}`}
              onClick={() => download(`${title.toLowerCase()}.csv`, csv())}
            >
              <Icon name="csv" />
            </button>
          )}
          <RequestButton requests={requests} of={title} />
        </div>
      </header>
      {children}
    </section>
  );
}

export interface StatesProps<T> {
  of: Answer<T>;
  height?: 'chart' | 'rows' | 'line';
  empty?: (data: T) => boolean;
  emptyText?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

// Skeleton, failure, nothing, or the content (dimmed while a newer answer is on its way).
export function States<T>({
  of,
  height = 'rows',
  empty,
  emptyText = 'Nothing in this time range.',
  children,
}: StatesProps<T>) {
  if (of.error)
    return (
      <div class={`state ${height}`} role="alert">
        <p>
          <strong>This could not be loaded.</strong> {of.error.message}
        </p>
        <button type="button" class="button" onClick={forget}>
          Try again
        </button>
      </div>
    );
  if (of.data === undefined) return <div class={`skeleton ${height}`} role="status" aria-label="Loading" />;
  if (empty?.(of.data))
    return (
      <div class={`state ${height}`}>
        <p>{emptyText}</p>
      </div>
    );
  return (
    <div class={of.loading ? 'content stale' : 'content'} aria-busy={of.loading}>
      {children(of.data)}
    </div>
  );
}
