// SPDX-License-Identifier: Apache-2.0
// A small panel below a button: closes on Escape, on a click elsewhere, and gives the focus back.
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface PopoverProps {
  label: string;
  button: ComponentChildren;
  class?: string;
  align?: 'left' | 'right';
  children: (close: () => void) => ComponentChildren;
}

export function Popover({ label, button, class: extra = 'button', align = 'left', children }: PopoverProps) {
  const [open, set] = useState(false);
  const root = useRef<HTMLDivElement>(null),
    opener = useRef<HTMLButtonElement>(null);
  const close = () => {
    set(false);
    opener.current?.focus();
  };
  // Before the next key arrives: whoever types at once after Enter types into the field.
  useLayoutEffect(() => {
    if (!open) return;
    const outside = (e: Event) => {
      if (!root.current?.contains(e.target as Node)) set(false);
    };
    document.addEventListener('pointerdown', outside);
    document.addEventListener('focusin', outside);
    root.current?.querySelector<HTMLElement>('.popover input, .popover button, .popover select')?.focus();
    return () => {
      document.removeEventListener('pointerdown', outside);
      document.removeEventListener('focusin', outside);
    };
  }, [open]);
  return (
    <div
      class="popover-root"
      ref={root}
      onKeyDown={e => {
        if (e.key === 'Escape' && open) {
          e.stopPropagation();
          close();
        }
      }}
    >
      <button
        ref={opener}
        type="button"
        class={extra}
        aria-expanded={open}
        aria-haspopup="dialog"
        aria-label={label}
        title={label}
        onClick={() => set(!open)}
      >
        {button}
      </button>
      {open && (
        <div class={`popover ${align}`} role="dialog" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
