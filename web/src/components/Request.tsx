// SPDX-License-Identifier: Apache-2.0
// "Anything you see there can be done via the API directly": the request behind a chart, a table or a number.
import { useState } from 'preact/hooks';
import { person } from '../lib/api';
import type { Ask } from '../lib/ask';
import { credentialsOf, curl, javascript, terminal, type Pick } from '../lib/snippets';
import { Code, Dialog } from './Dialog';
import { Icon } from './Icon';

export interface Shown {
  label: string;
  ask: Ask;
  pick?: Pick;
}

function One({ shown }: { shown: Shown }) {
  const base = person.get()?.public_url || location.origin;
  const last = terminal(base, shown.ask, shown.pick);
  const forms = [
    { label: 'curl', text: curl(base, shown.ask) },
    { label: 'JavaScript', text: javascript(base, shown.ask) },
    { label: last.label, text: last.text },
  ];
  const [form, set] = useState(0);
  return (
    <section class="request">
      <div class="tabs" role="tablist" aria-label="Form">
        {forms.map((f, i) => (
          <button
            type="button"
            role="tab"
            aria-selected={i === form}
            tabIndex={i === form ? 0 : -1}
            class="tab"
            onClick={() => set(i)}
            onKeyDown={e => {
              const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
              if (!by) return;
              e.preventDefault();
              const next = (i + by + forms.length) % forms.length;
              set(next);
              (e.currentTarget.parentElement!.children[next] as HTMLElement).focus();
            }}
          >
            {f.label}
          </button>
        ))}
      </div>
      <Code text={forms[form].text} label={forms[form].label} />
    </section>
  );
}

function Credentials({ need }: { need: ReturnType<typeof credentialsOf> }) {
  const session = <code>FIRSTFRAME_SESSION</code>;
  if (need === 'session')
    return (
      <p class="note">
        This belongs to a person: put the token that <code>POST /api/sessions</code> answers into {session}.
      </p>
    );
  return (
    <p class="note">
      Put an access token into <code>FIRSTFRAME_TOKEN_ID</code> and <code>FIRSTFRAME_TOKEN_SECRET</code>; the settings
      and <code>firstframe token add</code> make one. A token belongs to one environment
      {need === 'either' ? <> and sees no further; with {session} of a person the answer is the whole.</> : '.'}
    </p>
  );
}

export function RequestButton({ requests, of }: { requests: Shown[]; of: string }) {
  const [open, set] = useState(false);
  const [chosen, choose] = useState(0);
  if (requests.length === 0) return null;
  return (
    <>
      <button
        type="button"
        class="button quiet request-button"
        title="Show the request"
        aria-label={`Show the request: ${of}`}
        onClick={() => {
          choose(0);
          set(true);
        }}
      >
        <Icon name="code" />
      </button>
      {open && (
        <Dialog title={`The request behind “${of}”`} close={() => set(false)}>
          {requests.length > 1 && (
            <div class="choices" role="group" aria-label="Request">
              {requests.map((r, i) => (
                <button type="button" class="choice" aria-pressed={i === chosen} onClick={() => choose(i)}>
                  {r.label}
                </button>
              ))}
            </div>
          )}
          <One key={chosen} shown={requests[Math.min(chosen, requests.length - 1)]} />
          <Credentials need={credentialsOf(requests[Math.min(chosen, requests.length - 1)].ask)} />
        </Dialog>
      )}
    </>
  );
}
