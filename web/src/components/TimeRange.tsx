// SPDX-License-Identifier: Apache-2.0
import { useState } from 'preact/hooks';
import { forget } from '../lib/api';
import { change } from '../lib/route';
import type { Page } from '../lib/scope';
import { useStore } from '../lib/store';
import { fixedRange, fromInput, PRESETS, toInput, zone } from '../lib/time';
import { Icon } from './Icon';
import { Popover } from './Popover';

function Custom({ page, close }: { page: Page; close: () => void }) {
  const [from, setFrom] = useState(toInput(page.span.start)), [to, setTo] = useState(toInput(page.span.end));
  const [wrong, say] = useState('');
  const submit = (e: Event) => {
    e.preventDefault();
    const start = fromInput(from), end = fromInput(to);
    if (!(start < end)) return say('The end has to come after the start.');
    change({ t: fixedRange(start, end).text, page: null });
    close();
  };
  return (
    <form class="custom-range" onSubmit={submit}>
      <label>From<input type="datetime-local" value={from} required onInput={e => setFrom(e.currentTarget.value)} /></label>
      <label>To<input type="datetime-local" value={to} required onInput={e => setTo(e.currentTarget.value)} /></label>
      {wrong && <p class="wrong" role="alert">{wrong}</p>}
      <button type="submit" class="button primary">Show</button>
    </form>
  );
}

export function TimeRange({ page }: { page: Page }) {
  const inZone = useStore(zone);
  return (
    <div class="time-range">
      <Popover label="Time range" align="right" button={<><Icon name="clock" /><span>{page.range.label}</span></>}>
        {close => (
          <div class="ranges">
            <div class="presets">
              {PRESETS.map(([text, label]) => (
                <button type="button" class="preset" aria-pressed={page.range.text === text} onClick={() => { change({ t: text, page: null }); close(); }}>{label}</button>
              ))}
            </div>
            <Custom page={page} close={close} />
          </div>
        )}
      </Popover>
      <button type="button" class="button" aria-label={`Times are shown in ${inZone === 'utc' ? 'UTC' : 'your time zone'}: change`} title="Time zone"
        onClick={() => zone.set(inZone === 'utc' ? 'local' : 'utc')}>{inZone === 'utc' ? 'UTC' : 'Local'}</button>
      <button type="button" class="button" aria-label="Load again" title="Load again" onClick={forget}><Icon name="refresh" /></button>
    </div>
  );
}
