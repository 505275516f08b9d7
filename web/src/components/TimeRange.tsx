// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { forget } from '../lib/api';
import { change } from '../lib/route';
import type { Page } from '../lib/scope';
import { useStore } from '../lib/store';
import { fixedRange, fromInput, PRESETS, toInput, zone } from '../lib/time';
import { Icon } from './Icon';
import { Popover } from './Popover';

function Custom({ page, set: choose, close }: { page: Page; set: (text: string) => void; close: () => void }) {
  const [from, setFrom] = useState(toInput(page.span.start)),
    [to, setTo] = useState(toInput(page.span.end));
  const [wrong, say] = useState('');
  const submit = (e: Event) => {
    e.preventDefault();
    const start = fromInput(from),
      end = fromInput(to);
    if (!(start < end)) return say('The end has to come after the start.');
    choose(fixedRange(start, end).text);
    close();
  };
  return (
    <form class="custom-range" onSubmit={submit}>
      <label>
        From
        <input type="datetime-local" value={from} required onInput={e => setFrom(e.currentTarget.value)} />
      </label>
      <label>
        To
        <input type="datetime-local" value={to} required onInput={e => setTo(e.currentTarget.value)} />
      </label>
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <button type="submit" class="button primary">
        Show
      </button>
    </form>
  );
}

export function Ranges({ page, set, close }: { page: Page; set: (text: string) => void; close: () => void }) {
  return (
    <div class="ranges">
      <div class="presets">
        {PRESETS.map(([text, label]) => (
          <button
            type="button"
            class="preset"
            aria-pressed={page.range.text === text}
            onClick={() => {
              set(text);
              close();
            }}
          >
            {label}
          </button>
        ))}
      </div>
      <Custom page={page} set={set} close={close} />
    </div>
  );
}

export function TimeRange({ page }: { page: Page }) {
  const inZone = useStore(zone);
  return (
    <div class="time-range">
      <Popover
        label={`Time range: ${page.range.label}`}
        align="right"
        button={
          <>
            <Icon name="clock" />
            <span>{page.range.label}</span>
          </>
        }
      >
        {close => <Ranges page={page} set={t => change({ t, page: null })} close={close} />}
      </Popover>
      <button
        type="button"
        class="button"
        title="Time zone"
        onClick={() => zone.set(inZone === 'utc' ? 'local' : 'utc')}
      >
        <span class="sr">Times in </span>
        {inZone === 'utc' ? 'UTC' : 'Local'}
        <span class="sr"> time: change</span>
      </button>
      <button type="button" class="button" aria-label="Load again" title="Load again" onClick={forget}>
        <Icon name="refresh" />
      </button>
    </div>
  );
}
