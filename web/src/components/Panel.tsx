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
  csv?: (() => string) | undefined; // named but undefined: not yet
  class?: string;
  level?: 2 | 3;
  children: ComponentChildren;
}

export function Panel(props: PanelProps) {
  const { title, note, tools, requests = [], csv, class: extra = '', level = 2, children } = props;
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
          {'csv' in props && (
            <button
              type="button"
              disabled={!csv}
              class="button quiet"
              title="Download as CSV"
              aria-label={`Download as CSV: ${title}`}
              onClick={() => csv && download(`${title.toLowerCase()}.csv`, csv())}
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
  px?: number; // what the content will need, where it is known: nothing jumps when it comes
  empty?: (data: T) => boolean;
  emptyText?: ComponentChildren;
  children: (data: T) => ComponentChildren;
}

// Each state is an element of its own (the keys), so that none seems to move.
// Skeleton, failure, nothing, or the content (dimmed while a newer answer is on its way).
export function States<T>({
  of,
  height = 'rows',
  px,
  empty,
  emptyText = 'Nothing in this time range.',
  children,
}: StatesProps<T>) {
  const style = px ? { minHeight: `${px}px` } : undefined;
  if (of.error)
    return (
      <div key="failed" class={`state ${height}`} style={style} role="alert">
        <p>
          <strong>This could not be loaded.</strong> {of.error.message}
        </p>
        <button type="button" class="button" onClick={forget}>
          Try again
        </button>
      </div>
    );
  if (of.data === undefined)
    return <div key="skeleton" class={`skeleton ${height}`} style={style} role="status" aria-label="Loading" />;
  if (empty?.(of.data))
    return (
      <div key="empty" class={`state ${height}`} style={style}>
        <p>{emptyText}</p>
      </div>
    );
  return (
    <div key="content" class={of.loading ? 'content stale' : 'content'} aria-busy={of.loading}>
      {children(of.data)}
    </div>
  );
}
