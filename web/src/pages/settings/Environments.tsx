// SPDX-License-Identifier: Apache-2.0
// The organization's name and its environments: what each keeps, from whom, for how long.
import { useState } from 'preact/hooks';
import { CopyButton, Dialog } from '../../components/Dialog';
import { Panel, States } from '../../components/Panel';
import { environmentId, loadPerson, person, send, useAsk } from '../../lib/api';
import { pathOf } from '../../lib/ask';
import { csv } from '../../lib/csv';
import { count } from '../../lib/format';
import { hrefHere, go } from '../../lib/route';
import { useStore } from '../../lib/store';
import { Check, Field, FormDialog, isAdmin, useWork, Wrong } from './parts';

interface Environment {
  id: string;
  name: string;
  type: string;
  env_key: string;
  retention_days: number;
  allow_backfill: boolean;
  strip_query: boolean;
  honour_dnt: boolean;
  addresses: string;
  views_per_minute_max: number;
  events_per_second_max: number;
  disabled: boolean;
  cors_origins: string[];
}
interface Contents {
  views: number | null;
  tokens: number;
  signing_keys: number;
  annotations: number;
  error_categories: number;
  roles: number;
}
const TYPES = ['production', 'staging', 'development', 'test'];
const DAY_CHOICES = [0, 7, 30, 90, 180, 365, 730];
const days = (n: number) => (n === 0 ? 'for ever' : n === 1 ? '1 day' : `${n} days`);

function Organization() {
  const ask = { path: '/system/v1/organization', params: [] },
    answer = useAsk<{ data: { id: string; name: string } }>(ask),
    work = useWork();
  const [saved, say] = useState(false);
  const rename = (event: SubmitEvent) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get('name')).trim();
    say(false);
    void work.run(() => send('PATCH', '/system/v1/organization', { name })).then(say);
  };
  return (
    <Panel title="Organization" requests={[{ label: 'Organization', ask }]}>
      <States of={answer} height="line">
        {a =>
          isAdmin() ? (
            <form class="form-row" onSubmit={rename}>
              <label class="field grow">
                Name
                <input name="name" required maxLength={128} defaultValue={a.data.name} dir="auto" />
              </label>
              <button type="submit" class="button" disabled={work.busy}>
                Save
              </button>
              <span class="note" aria-live="polite">
                {saved && 'Saved.'}
              </span>
            </form>
          ) : (
            <p dir="auto">{a.data.name}</p>
          )
        }
      </States>
      <Wrong text={work.wrong} />
    </Panel>
  );
}

function read(fields: FormData): Record<string, unknown> {
  const text = (name: string) => String(fields.get(name) ?? '').trim(),
    whole = (name: string) => Number(text(name) || '0');
  return {
    name: text('name'),
    type: text('type'),
    ...(text('env_key') ? { env_key: text('env_key') } : {}),
    retention_days: whole('retention_days'),
    allow_backfill: fields.has('allow_backfill'),
    strip_query: fields.has('strip_query'),
    honour_dnt: fields.has('honour_dnt'),
    disabled: fields.has('disabled'),
    addresses: text('addresses'),
    views_per_minute_max: whole('views_per_minute_max'),
    events_per_second_max: whole('events_per_second_max'),
    cors_origins: text('cors_origins')
      .split(/[\s,]+/)
      .filter(Boolean),
  };
}

function Edit({ of, close }: { of: Environment | null; close: () => void }) {
  const work = useWork(),
    kept = of?.retention_days ?? 0;
  const submit = async (fields: FormData) => {
    const body = read(fields);
    if (of) await send('PATCH', pathOf('system', 'v1', 'environments', of.id), body);
    else await send('POST', '/system/v1/environments', body);
    await loadPerson();
  };
  return (
    <FormDialog
      title={of ? 'Change the environment' : 'Add an environment'}
      yes={of ? 'Save' : 'Add'}
      work={work}
      close={close}
      submit={submit}
    >
      <div class="form-two">
        <Field label="Name">
          <input name="name" required maxLength={128} defaultValue={of?.name} dir="auto" autofocus />
        </Field>
        <Field label="Type">
          <select name="type">
            {TYPES.map(t => (
              <option value={t} selected={t === (of?.type ?? (of ? '' : 'development'))}>
                {t}
              </option>
            ))}
          </select>
        </Field>
        <Field
          label="Env key"
          hint={
            of
              ? 'Players send it. With another one, the old stops working at once.'
              : 'Players send it. Left empty, a random one is made.'
          }
        >
          <input
            name="env_key"
            defaultValue={of?.env_key}
            maxLength={64}
            pattern="[A-Za-z0-9_\-]{4,64}"
            required={of !== null}
            title="4 to 64 letters, digits, - or _"
          />
        </Field>
        <Field label="Views are kept" hint="Older ones are deleted by whole days (UTC).">
          <select name="retention_days">
            {[...new Set([...DAY_CHOICES, kept])]
              .sort((a, b) => a - b)
              .map(n => (
                <option value={n} selected={n === kept}>
                  {days(n)}
                </option>
              ))}
          </select>
        </Field>
      </div>
      <Field
        label="Web origins that may read the API (CORS)"
        hint="One a line, such as https://status.example.com. With none, only this server's own pages may."
      >
        <textarea
          name="cors_origins"
          rows={2}
          spellcheck={false}
          maxLength={1023}
          defaultValue={of?.cors_origins.join('\n')}
        />
      </Field>
      <Check
        name="allow_backfill"
        label="Take views of the past"
        hint="Beacons with X-Firstframe-Backfill: 1 keep their own times."
        checked={of?.allow_backfill}
      />
      <details
        class="more"
        open={
          of !== null &&
          (of.disabled ||
            of.honour_dnt ||
            of.strip_query ||
            of.addresses === 'none' ||
            of.views_per_minute_max + of.events_per_second_max > 0)
        }
      >
        <summary>Privacy and limits</summary>
        <Check
          name="honour_dnt"
          label="Heed “do not track”"
          hint="Beacons of viewers that send DNT or GPC are dropped."
          checked={of?.honour_dnt}
        />
        <Check name="strip_query" label="Store URLs without their query" checked={of?.strip_query} />
        <div class="form-two">
          <Field label="Client addresses">
            <select name="addresses">
              <option value="truncated" selected={of?.addresses !== 'none'}>
                truncated to /24 and /48
              </option>
              <option value="none" selected={of?.addresses === 'none'}>
                not kept
              </option>
            </select>
          </Field>
          <span />
          <Field label="New views a minute, at most" hint="0: no limit">
            <input
              name="views_per_minute_max"
              type="number"
              min={0}
              max={4294967295}
              defaultValue={of?.views_per_minute_max ?? 0}
            />
          </Field>
          <Field label="Events a second, at most" hint="0: no limit">
            <input
              name="events_per_second_max"
              type="number"
              min={0}
              max={4294967295}
              defaultValue={of?.events_per_second_max ?? 0}
            />
          </Field>
        </div>
        <Check
          name="disabled"
          label="Take no beacons"
          hint="They are answered, dropped and counted."
          checked={of?.disabled}
        />
      </details>
    </FormDialog>
  );
}

const GOES: [keyof Contents, string, string][] = [
  ['views', 'view', 'views'],
  ['tokens', 'access token', 'access tokens'],
  ['signing_keys', 'signing key', 'signing keys'],
  ['annotations', 'annotation', 'annotations'],
  ['error_categories', 'error category', 'error categories'],
  ['roles', 'role of a person', 'roles of people'],
];

// Says what goes, and wants the name typed.
function Remove({ of, close }: { of: Environment; close: () => void }) {
  const path = pathOf('system', 'v1', 'environments', of.id),
    answer = useAsk<{ data: Environment & { contents: Contents } }>({ path, params: [] }),
    work = useWork();
  const [typed, type] = useState('');
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    void work
      .run(async () => {
        const confirm = new URLSearchParams({ confirm: typed });
        await send('DELETE', `${path}?${confirm}`);
        const next = person.get()!.environments.find(e => e.id !== of.id);
        if (environmentId.get() === of.id && next) {
          environmentId.set(next.id); // at once: nothing may be asked about what is gone
          go(hrefHere({ e: next.id, f: null }), true);
        }
        await loadPerson();
      })
      .then(done => done && close());
  };
  return (
    <Dialog title={`Remove ${of.name}?`} close={close}>
      <States of={answer}>
        {a => (
          <form class="form" onSubmit={submit}>
            <p>This deletes for ever:</p>
            <ul class="goes">
              {GOES.map(([key, one, many]) => {
                const n = a.data.contents[key];
                return (
                  <li>
                    <strong>{n === null ? 'all' : count(n)}</strong> {n === 1 ? one : many}
                    {n === null && ' (the store is away and cannot say how many)'}
                  </li>
                );
              })}
            </ul>
            <p>
              Players that send the env key <code>{of.env_key}</code> are no longer heard.
            </p>
            <Field label={`To confirm, type the name: ${of.name}`}>
              <input
                name="confirm"
                autocomplete="off"
                spellcheck={false}
                value={typed}
                onInput={e => type(e.currentTarget.value)}
                dir="auto"
              />
            </Field>
            <Wrong text={work.wrong} />
            <div class="form-foot">
              <button type="button" class="button" onClick={close}>
                Keep it
              </button>
              <button type="submit" class="button danger" disabled={work.busy || typed !== of.name}>
                Remove for ever
              </button>
            </div>
          </form>
        )}
      </States>
    </Dialog>
  );
}

export function Environments() {
  const ask = { path: '/system/v1/environments', params: [], person: true },
    answer = useAsk<{ data: Environment[] }>(ask),
    who = useStore(person)!;
  const [edited, edit] = useState<Environment | 'new' | null>(null),
    [removed, remove] = useState<Environment | null>(null);
  const mayChange = (e: Environment) =>
    who.environments.find(x => x.id === e.id)?.permissions.includes('system:write') ?? false;
  return (
    <>
      <Panel
        title="Environments"
        note="each has an env key, views and tokens of its own"
        requests={[{ label: 'Environments', ask }]}
        csv={
          answer.data &&
          (() =>
            csv(
              ['id', 'name', 'type', 'env_key', 'retention_days', 'allow_backfill', 'cors_origins'],
              answer.data!.data.map(e => [
                e.id,
                e.name,
                e.type,
                e.env_key,
                e.retention_days,
                e.allow_backfill,
                e.cors_origins.join(' '),
              ]),
            ))
        }
        tools={
          isAdmin() && (
            <button type="button" class="button" onClick={() => edit('new')}>
              Add an environment
            </button>
          )
        }
      >
        <States of={answer} empty={a => a.data.length === 0} emptyText="There is no environment that you administer.">
          {a => (
            <div class="table-wrap" tabIndex={0} role="region" aria-label="The environments">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Name</th>
                    <th scope="col">Type</th>
                    <th scope="col">Env key</th>
                    <th scope="col">Views are kept</th>
                    <th scope="col">Takes the past</th>
                    <th scope="col">CORS</th>
                    <th scope="col">
                      <span class="sr">Actions</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {a.data.map(e => (
                    <tr key={e.id}>
                      <td>
                        <bdi>{e.name}</bdi> <span class="hint">{e.id}</span>{' '}
                        {e.disabled && <span class="tag bad">takes no beacons</span>}
                      </td>
                      <td data-label="Type">{e.type}</td>
                      <td class="keys" data-label="Env key">
                        <code>{e.env_key}</code> <CopyButton text={e.env_key} />
                      </td>
                      <td data-label="Views are kept">{days(e.retention_days)}</td>
                      <td data-label="Takes the past">{e.allow_backfill ? 'yes' : 'no'}</td>
                      <td data-label="CORS">
                        {e.cors_origins.length === 0 ? 'off' : e.cors_origins.map(o => <div>{o}</div>)}
                      </td>
                      <td class="acts">
                        {mayChange(e) && (
                          <button
                            type="button"
                            class="button quiet"
                            aria-label={`Change ${e.name}`}
                            onClick={() => edit(e)}
                          >
                            Change
                          </button>
                        )}
                        {isAdmin() && (
                          <button
                            type="button"
                            class="button quiet"
                            aria-label={`Remove ${e.name}`}
                            onClick={() => remove(e)}
                          >
                            Remove
                          </button>
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </States>
      </Panel>
      <Organization />
      {edited && <Edit of={edited === 'new' ? null : edited} close={() => edit(null)} />}
      {removed && <Remove of={removed} close={() => remove(null)} />}
    </>
  );
}
