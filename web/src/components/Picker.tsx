// SPDX-License-Identifier: Apache-2.0
// A text field over a list: typing narrows it, the arrow keys move, Enter picks.
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Option {
  value: string;
  label: string;
  hint?: string;
}
export interface PickerProps {
  label: string;
  options: Option[];
  loading?: boolean;
  free?: (text: string) => Option | null; // an option made of what was typed
  pick: (value: string) => void;
}

const SHOWN = 200;

export function Picker({ label, options, loading, free, pick }: PickerProps) {
  const [text, type] = useState(''),
    [at, move] = useState(0);
  const id = useId(),
    list = useRef<HTMLUListElement>(null),
    field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []); // before the next key arrives
  const wanted = text.trim().toLowerCase();
  const found = options
    .filter(o => o.label.toLowerCase().includes(wanted) || o.value.toLowerCase().includes(wanted))
    .slice(0, SHOWN);
  const own = text && !options.some(o => o.value === text) ? free?.(text) : null;
  const shown = own ? [...found, own] : found;
  const active = Math.min(at, Math.max(0, shown.length - 1));
  useLayoutEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' });
  }, [active]);
  const keys = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown') move(Math.min(shown.length - 1, active + 1));
    else if (e.key === 'ArrowUp') move(Math.max(0, active - 1));
    else if (e.key === 'Enter' && shown[active]) pick(shown[active].value);
    else return;
    e.preventDefault();
  };
  return (
    <div class="picker">
      <input
        ref={field}
        type="text"
        role="combobox"
        aria-label={label}
        placeholder={label}
        aria-expanded="true"
        aria-controls={id}
        autocomplete="off"
        spellcheck={false}
        aria-activedescendant={shown.length ? `${id}-${active}` : undefined}
        value={text}
        dir="auto"
        onInput={e => {
          type(e.currentTarget.value);
          move(0);
        }}
        onKeyDown={keys}
      />
      <ul role="listbox" id={id} ref={list} aria-label={label}>
        {shown.map((o, i) => (
          <li
            role="option"
            id={`${id}-${i}`}
            aria-selected={i === active}
            onPointerMove={() => move(i)}
            onClick={() => pick(o.value)}
          >
            <span class="option" dir="auto">
              {o.label}
            </span>
            {o.hint && <span class="hint">{o.hint}</span>}
          </li>
        ))}
        {shown.length === 0 && (
          <li role="option" aria-disabled="true" aria-selected={false} class="none">
            {loading ? 'Loading…' : 'Nothing found'}
          </li>
        )}
      </ul>
    </div>
  );
}
