// SPDX-License-Identifier: Apache-2.0
// The filter bar: every dimension, values suggested from the views of the time range, sets that can be kept.
import { useState } from 'preact/hooks';
import { environmentId, useAsk } from '../lib/api';
import { dimensionValues, type Envelope, type ValueRow } from '../lib/asks';
import { DIMENSIONS, findDimension, metric, nameOf } from '../lib/catalog';
import { EMPTY, readFilter, readMetricFilter, writeFilter, type Filter } from '../lib/filter';
import { count, value as show } from '../lib/format';
import { change } from '../lib/route';
import type { Page } from '../lib/scope';
import { Icon } from './Icon';
import { Picker, type Option } from './Picker';
import { Popover } from './Popover';

const isTrace = (id: string) => findDimension(id)?.type === 'TRACE';
const dimensionOptions: Option[] = DIMENSIONS.filter(d => d.id !== 'environment_id')
  .map(d => ({ value: d.id, label: nameOf(d.id) }))
  .sort((a, b) => a.label.localeCompare(b.label));

export function describe(f: Filter): { is: string; value: string } {
  const value = f.value === '' || f.value === EMPTY || f.value === '[]' ? '(none)' : f.value;
  return { is: f.op === '!' ? 'is not' : f.op === '+' ? 'has' : f.op === '-' ? 'has not' : 'is', value };
}

export function Values({
  page,
  dimension,
  pick,
  negate = false,
}: {
  page: Page;
  dimension: string;
  pick: (filter: string) => void;
  negate?: boolean;
}) {
  const others = page.filters.filter(f => readFilter(f).dimension !== dimension);
  const ask = dimensionValues(dimension, { ...page, filters: others }, 200);
  if (isTrace(dimension)) ask.path += '/elements';
  const answer = useAsk<Envelope<ValueRow[]>>(ask);
  const options = (answer.data?.data ?? []).map((v): Option => ({
    value: v.value === null || v.value === '' ? EMPTY : v.value,
    label: v.value === null || v.value === '' ? '(none)' : v.value,
    hint: count(v.total_count),
  }));
  const made = (value: string) =>
    writeFilter({ op: isTrace(dimension) ? (negate ? '-' : '+') : negate ? '!' : '', dimension, value });
  return (
    <Picker
      label={`${nameOf(dimension)} value`}
      options={options}
      loading={answer.loading}
      pick={value => pick(made(value))}
      free={text => ({ value: text, label: text, hint: 'as typed' })}
    />
  );
}

interface Editing {
  page: Page;
  filters: string[];
  set: (filters: string[]) => void;
}

function Add({ page, filters, set: keep, close }: Editing & { close: () => void }) {
  const [dimension, set] = useState(''),
    [not, negate] = useState(false);
  if (!dimension) return <Picker label="Dimension" options={dimensionOptions} pick={set} />;
  return (
    <>
      <div class="popover-head">
        <button type="button" class="button quiet" aria-label="Back to the dimensions" onClick={() => set('')}>
          <Icon name="left" />
        </button>
        <strong>{nameOf(dimension)}</strong>
        <label class="switch">
          <input type="checkbox" checked={not} onChange={e => negate(e.currentTarget.checked)} /> is not
        </label>
      </div>
      <Values
        page={{ ...page, filters }}
        dimension={dimension}
        negate={not}
        pick={filter => {
          if (!filters.includes(filter)) keep([...filters, filter]);
          close();
        }}
      />
    </>
  );
}

type Sets = Record<string, string[]>;
const storeKey = () => `firstframe.filters.${environmentId.get()}`;
function readSets(): Sets {
  try {
    const read: unknown = JSON.parse(localStorage.getItem(storeKey()) ?? '{}');
    return Object.fromEntries(
      Object.entries(read as object).filter(([, v]) => Array.isArray(v) && v.every(x => typeof x === 'string')),
    );
  } catch {
    return {};
  }
}

function Saved({ filters: current, set: use, close }: Editing & { close: () => void }) {
  const [sets, set] = useState(readSets()),
    [name, type] = useState('');
  const keep = (next: Sets) => {
    localStorage.setItem(storeKey(), JSON.stringify(next));
    set(next);
  };
  return (
    <div class="saved">
      <ul>
        {Object.entries(sets).map(([key, filters]) => (
          <li>
            <button
              type="button"
              class="saved-name"
              dir="auto"
              onClick={() => {
                use(filters);
                close();
              }}
            >
              {key}
              <span class="hint">{filters.length}</span>
            </button>
            <button
              type="button"
              class="button quiet"
              aria-label={`Remove ${key}`}
              onClick={() => keep(Object.fromEntries(Object.entries(sets).filter(([k]) => k !== key)))}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {Object.keys(sets).length === 0 && <p class="note">No filter set is kept in this browser.</p>}
      {current.length > 0 && (
        <form
          onSubmit={e => {
            e.preventDefault();
            if (name.trim()) {
              keep({ ...sets, [name.trim()]: current });
              type('');
            }
          }}
        >
          <input
            type="text"
            aria-label="Name for these filters"
            placeholder="Name for these filters"
            maxLength={60}
            value={name}
            onInput={e => type(e.currentTarget.value)}
          />
          <button type="submit" class="button">
            Keep
          </button>
        </form>
      )}
    </div>
  );
}

export function Chips({ filters, set }: { filters: string[]; set: (filters: string[]) => void }) {
  const flip = (i: number) =>
    set(
      filters.map((text, k) => {
        if (k !== i) return text;
        const f = readFilter(text),
          flipped = { '': '!', '!': '', '+': '-', '-': '+' } as const;
        return writeFilter({ ...f, op: flipped[f.op] });
      }),
    );
  return (
    <>
      {filters.map((text, i) => {
        const f = readFilter(text),
          { is, value } = describe(f);
        return (
          <span key={text} class={f.op === '!' || f.op === '-' ? 'chip not' : 'chip'}>
            <span class="chip-name">{nameOf(f.dimension)}</span>
            <button
              type="button"
              class="chip-is"
              title="Turn around"
              aria-label={`${nameOf(f.dimension)} ${is}: turn around`}
              onClick={() => flip(i)}
            >
              {is}
            </button>
            <bdi class="chip-value" title={value.slice(0, 500)}>
              {value}
            </bdi>
            <button
              type="button"
              class="chip-x"
              aria-label={`Remove the filter ${nameOf(f.dimension)}`}
              onClick={() => set(filters.filter((_, k) => k !== i))}
            >
              <Icon name="close" />
            </button>
          </span>
        );
      })}
    </>
  );
}

const SIGNS = { '>=': 'from', '<': 'below', '>': 'above', '<=': 'up to', '=': 'is', '!=': 'is not' } as const;

// Filters on a view's own value, as a click on a distribution sets them.
function MetricChips({ filters, set }: { filters: string[]; set: (filters: string[]) => void }) {
  return (
    <>
      {filters.map((text, i) => {
        const f = readMetricFilter(text);
        return (
          f && (
            <span key={text} class="chip">
              <span class="chip-name">
                {nameOf(f.metric)} {SIGNS[f.operator]}&nbsp;
              </span>
              <bdi class="chip-value">{show(f.value, metric(f.metric).unit)}</bdi>
              <button
                type="button"
                class="chip-x"
                aria-label={`Remove the filter ${nameOf(f.metric)} ${SIGNS[f.operator]}`}
                onClick={() => set(filters.filter((_, k) => k !== i))}
              >
                <Icon name="close" />
              </button>
            </span>
          )
        );
      })}
    </>
  );
}

export function AddFilter(props: Editing) {
  return (
    <Popover
      label="Add a filter"
      class="button quiet"
      button={
        <>
          <Icon name="plus" />
          <span>Filter</span>
        </>
      }
    >
      {close => <Add {...props} close={close} />}
    </Popover>
  );
}

export function FilterBar({ page }: { page: Page }) {
  const limits = page.metricFilters ?? [];
  const editing: Editing = { page, filters: page.filters, set: filters => change({ f: filters, page: null }) };
  return (
    <div class="filters" role="group" aria-label="Filters">
      <Chips filters={page.filters} set={editing.set} />
      <MetricChips filters={limits} set={mf => change({ mf, page: null })} />
      <AddFilter {...editing} />
      <Popover
        label="Saved filter sets"
        class="button quiet"
        button={
          <>
            <Icon name="filter" />
            <span>Saved</span>
          </>
        }
      >
        {close => <Saved {...editing} close={close} />}
      </Popover>
      {page.filters.length + limits.length > 1 && (
        <button type="button" class="button quiet" onClick={() => change({ f: null, mf: null, page: null })}>
          Clear all
        </button>
      )}
    </div>
  );
}
