// SPDX-License-Identifier: Apache-2.0
// What the panels of the settings share: doing something and saying what went wrong, asking once more, one field.
import { cloneElement, type ComponentChildren, type VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Code, Dialog } from '../../components/Dialog';
import { environmentId, forget, person, Problem } from '../../lib/api';
import { dateMinute } from '../../lib/time';

export const wrongOf = (error: unknown) => (error instanceof Problem ? error.message : String(error));

export const may = (permission: string): boolean =>
  person
    .get()
    ?.environments.find(e => e.id === environmentId.get())
    ?.permissions.includes(permission) ?? false;

// In the whole organization, not only in one environment.
export const isAdmin = (): boolean => ['admin', 'owner'].includes(person.get()?.organization_role ?? '');

export const RANK: Record<string, number> = { none: 0, viewer: 1, editor: 2, admin: 3, owner: 4 };
// Nobody grants more than they have.
export const grantable = (): string[] =>
  ['viewer', 'editor', 'admin', 'owner'].filter(r => RANK[r] <= RANK[person.get()?.organization_role ?? 'none']);

export const when = (s: number | null | undefined, never = '–') => (s ? dateMinute(s) : never);

export interface Work {
  busy: boolean;
  wrong: string;
  // Runs, asks everything again, and answers whether it worked.
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  say: (text: string) => void;
}
export function useWork(): Work {
  const [busy, set] = useState(false),
    [wrong, say] = useState('');
  const run = async (work: () => Promise<unknown>) => {
    set(true);
    say('');
    try {
      await work();
      forget();
      return true;
    } catch (error) {
      say(wrongOf(error));
      return false;
    } finally {
      set(false);
    }
  };
  return { busy, wrong, run, say };
}

export function Wrong({ text }: { text: string }) {
  return text ? (
    <p class="wrong" role="alert">
      {text}
    </p>
  ) : null;
}

export function Sure({
  title,
  yes,
  work,
  close,
  act,
  children,
}: {
  title: string;
  yes: string;
  work: Work;
  close: () => void;
  act: () => Promise<unknown>;
  children: ComponentChildren;
}) {
  return (
    <Dialog title={title} close={close}>
      {children}
      <Wrong text={work.wrong} />
      <div class="form-foot">
        <button type="button" class="button" onClick={close}>
          Cancel
        </button>
        <button
          type="button"
          class="button danger"
          disabled={work.busy}
          onClick={() => void work.run(act).then(done => done && close())}
        >
          {yes}
        </button>
      </div>
    </Dialog>
  );
}

// A form in a dialog: Enter sends it, what is wrong stands above the buttons.
export function FormDialog({
  title,
  yes,
  danger,
  work,
  close,
  submit,
  children,
}: {
  title: string;
  yes: string;
  danger?: boolean;
  work: Work;
  close: () => void;
  submit: (fields: FormData) => Promise<unknown>;
  children: ComponentChildren;
}) {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    void work.run(() => submit(fields)).then(done => done && close());
  };
  return (
    <Dialog title={title} close={close} firm>
      <form class="form" onSubmit={send}>
        {children}
        <Wrong text={work.wrong} />
        <div class="form-foot">
          <button type="button" class="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class={danger ? 'button danger' : 'button primary'} disabled={work.busy}>
            {yes}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

// One control with its name, and what helps to fill it in.
export function Field({ label, hint, children }: { label: string; hint?: ComponentChildren; children: VNode }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {cloneElement(children, { id, 'aria-describedby': hint ? `${id}-hint` : undefined })}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  );
}

export function Check({
  name,
  label,
  hint,
  checked,
  disabled,
}: {
  name: string;
  label: string;
  hint?: string;
  checked?: boolean;
  disabled?: boolean;
}) {
  return (
    <label class="check">
      <input type="checkbox" name={name} value="1" defaultChecked={checked} disabled={disabled} />
      <span>
        {label}
        {hint && <span class="hint">{hint}</span>}
      </span>
    </label>
  );
}

export function RoleSelect({
  roles,
  value,
  ...more
}: {
  name: string;
  roles: [value: string, label: string][];
  value: string;
}) {
  return (
    <select {...more} defaultValue={value}>
      {roles.map(([v, label]) => (
        <option value={v} selected={v === value}>
          {label}
        </option>
      ))}
    </select>
  );
}

// Something that is shown once.
export function Once({
  title,
  rows,
  close,
  children,
}: {
  title: string;
  rows: [label: string, text: string][];
  close: () => void;
  children: ComponentChildren;
}) {
  return (
    <Dialog title={title} close={close} firm>
      {children}
      {rows.map(([label, text]) => (
        <div class="secret">
          <span class="hint">{label}</span>
          <Code label={label} text={text} />
        </div>
      ))}
      <div class="form-foot">
        <button type="button" class="button primary" onClick={close}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
