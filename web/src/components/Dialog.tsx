// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './Icon';

export interface DialogProps {
  title: string;
  close: () => void;
  firm?: boolean; // a click beside it does not close it: something would be lost
  children: ComponentChildren;
}

export function Dialog({ title, close, firm, children }: DialogProps) {
  const self = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const opener = document.activeElement;
    self.current?.showModal();
    // However it is closed, the keyboard goes on where it was.
    return () => void setTimeout(() => opener instanceof HTMLElement && opener.isConnected && opener.focus());
  }, []);
  return (
    <dialog
      ref={self}
      class="dialog"
      aria-label={title}
      onClose={close}
      onClick={e => {
        if (e.target === self.current && !firm) self.current?.close();
      }}
    >
      <header class="dialog-head">
        <h2>{title}</h2>
        <button type="button" class="button quiet" aria-label="Close" onClick={() => self.current?.close()}>
          <Icon name="close" />
        </button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [done, set] = useState('');
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => set(''), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  // Without https there is no clipboard but for localhost: the old way needs a selection.
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      set('Copied');
    } catch {
      const area = document.createElement('textarea');
      area.value = text;
      (document.querySelector('dialog[open]') ?? document.body).append(area);
      area.select();
      set(document.execCommand('copy') ? 'Copied' : 'Not allowed here');
      area.remove();
    }
  };
  return (
    <button type="button" class="button copy" onClick={() => void copy()}>
      <Icon name="copy" />
      <span aria-live="polite">{done || label}</span>
    </button>
  );
}

export function Code({ text, label }: { text: string; label: string }) {
  return (
    <div class="code">
      <CopyButton text={text} />
      <pre tabIndex={0} role="region" aria-label={label}>
        <code dir="ltr">{text}</code>
      </pre>
    </div>
  );
}
