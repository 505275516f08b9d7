// SPDX-License-Identifier: Apache-2.0
// Access tokens of the environment: what each may, what it sees, when it was used last.
import { useState } from 'preact/hooks';
import { Panel, States } from '../../components/Panel';
import { environmentId, person, send, useAsk } from '../../lib/api';
import { pathOf } from '../../lib/ask';
import { DIMENSIONS, nameOf } from '../../lib/catalog';
import { csv } from '../../lib/csv';
import { curl } from '../../lib/snippets';
import { useStore } from '../../lib/store';
import { toInput, fromInput, zone } from '../../lib/time';
import { PERMISSIONS } from '../../generated/access';
import { Check, Field, FormDialog, may, Once, Sure, useWork, when } from './parts';

interface Token {
  id: string;
  secret?: string;
  name: string;
  permissions: string[];
  filter: string | null;
  created_by: number | null;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  revoked_at: number | null;
}
const pathOfToken = (id: string) => pathOf('system', 'v1', 'access-tokens', id);
const ended = (t: Token) => t.revoked_at !== null || (t.expires_at !== null && t.expires_at * 1000 <= Date.now());
const LIVES: [string, string][] = [
  ['', 'never'],
  ['7', 'in 7 days'],
  ['30', 'in 30 days'],
  ['90', 'in 90 days'],
  ['365', 'in a year'],
  ['at', 'at a time of your choice'],
];

function New({ close, made }: { close: () => void; made: (t: Token) => void }) {
  const work = useWork(),
    own = person.get()?.environments.find(e => e.id === environmentId.get())?.permissions ?? [];
  const [life, live] = useState(''),
    [dimension, choose] = useState('');
  const submit = async (fields: FormData) => {
    const permissions = PERMISSIONS.map(p => p.id).filter(p => fields.has(p));
    if (permissions.length === 0) throw new Error('Choose at least one permission.');
    const expires =
      life === ''
        ? undefined
        : life === 'at'
          ? fromInput(String(fields.get('at')))
          : Math.floor(Date.now() / 1000) + Number(life) * 86400;
    const body = {
      name: String(fields.get('name')).trim(),
      permissions,
      ...(dimension ? { filter: `${dimension}:${String(fields.get('value'))}` } : {}),
      ...(expires ? { expires_at: expires } : {}),
    };
    made((await send<{ data: Token }>('POST', '/system/v1/access-tokens', body)).data);
  };
  return (
    <FormDialog title="New access token" yes="Make the token" work={work} close={close} submit={submit}>
      <Field label="What it is for">
        <input name="name" required maxLength={128} placeholder="Grafana" dir="auto" autofocus />
      </Field>
      <fieldset class="form">
        <legend>It may</legend>
        {PERMISSIONS.map(p => (
          <Check
            name={p.id}
            label={p.id}
            hint={p.meaning}
            checked={p.id === 'data:read'}
            disabled={!own.includes(p.id) || (dimension !== '' && p.id.startsWith('system:'))}
          />
        ))}
      </fieldset>
      <div class="form-two">
        <Field label="It ends">
          <select value={life} onChange={e => live(e.currentTarget.value)}>
            {LIVES.map(([v, text]) => (
              <option value={v}>{text}</option>
            ))}
          </select>
        </Field>
        {life === 'at' ? (
          <Field label="When">
            <input name="at" type="datetime-local" required defaultValue={toInput(Date.now() / 1000 + 86400)} />
          </Field>
        ) : (
          <span />
        )}
        <Field
          label="It sees"
          hint={
            dimension ? 'Only such views, whatever it asks for: no exports, no recent beacons, no system.' : undefined
          }
        >
          <select value={dimension} onChange={e => choose(e.currentTarget.value)}>
            <option value="">all views of the environment</option>
            {(['BASIC', 'ADVANCED'] as const).map(list => (
              <optgroup label={list === 'BASIC' ? 'only views with one…' : 'or one…'}>
                {DIMENSIONS.filter(d => d.list === list).map(d => (
                  <option value={d.id}>{nameOf(d.id)}</option>
                ))}
              </optgroup>
            ))}
          </select>
        </Field>
        {dimension && (
          <Field label={nameOf(dimension)}>
            <input name="value" required maxLength={200} placeholder="acme" dir="auto" />
          </Field>
        )}
      </div>
    </FormDialog>
  );
}

function Rename({ of, close }: { of: Token; close: () => void }) {
  const work = useWork();
  return (
    <FormDialog
      title="Rename the token"
      yes="Save"
      work={work}
      close={close}
      submit={fields => send('PATCH', pathOfToken(of.id), { name: String(fields.get('name')).trim() })}
    >
      <Field label="What it is for">
        <input name="name" required maxLength={128} defaultValue={of.name} dir="auto" autofocus />
      </Field>
    </FormDialog>
  );
}

function Revoke({ of, close }: { of: Token; close: () => void }) {
  const work = useWork();
  return (
    <Sure
      title="Revoke this token?"
      yes="Revoke"
      work={work}
      close={close}
      act={() => send('DELETE', pathOfToken(of.id))}
    >
      <p>
        <bdi>{of.name}</bdi> is refused at once, and for ever.
      </p>
    </Sure>
  );
}

function Row({ of, rename, revoke }: { of: Token; rename: () => void; revoke: () => void }) {
  return (
    <tr>
      <td>
        <bdi>{of.name}</bdi>{' '}
        {of.revoked_at ? <span class="tag bad">revoked</span> : ended(of) && <span class="tag bad">expired</span>}
        <div class="hint">
          <code>{of.id}</code>
        </div>
      </td>
      <td data-label="May">{of.permissions.join(', ')}</td>
      <td data-label="Sees">{of.filter === null ? 'all views' : <bdi>{of.filter}</bdi>}</td>
      <td class="when" data-label="Made">
        {when(of.created_at)}
      </td>
      <td class="when" data-label="Last used">
        {when(of.last_used_at, 'never')}
      </td>
      <td class="when" data-label="Ends">
        {when(of.revoked_at ?? of.expires_at, 'never')}
      </td>
      <td class="acts">
        {may('system:write') && !ended(of) && (
          <>
            <button type="button" class="button quiet" aria-label={`Rename ${of.name}`} onClick={rename}>
              Rename
            </button>
            <button type="button" class="button quiet" aria-label={`Revoke ${of.name}`} onClick={revoke}>
              Revoke
            </button>
          </>
        )}
      </td>
    </tr>
  );
}

export function Tokens() {
  const ask = { path: '/system/v1/access-tokens', params: [] },
    answer = useAsk<{ data: Token[] }>(ask);
  const [making, make] = useState(false),
    [made, show] = useState<Token | null>(null),
    [renamed, rename] = useState<Token | null>(null),
    [revoked, revoke] = useState<Token | null>(null),
    [all, showAll] = useState(false);
  useStore(zone);
  const past = answer.data?.data.filter(ended).length ?? 0;
  return (
    <Panel
      title="Access tokens"
      note="for programs; each belongs to this environment"
      requests={[{ label: 'Access tokens', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['id', 'name', 'permissions', 'filter', 'created_at', 'expires_at', 'last_used_at', 'revoked_at'],
            answer.data!.data.map(t => [
              t.id,
              t.name,
              t.permissions.join(' '),
              t.filter,
              t.created_at,
              t.expires_at,
              t.last_used_at,
              t.revoked_at,
            ]),
          ))
      }
      tools={
        <>
          {past > 0 && (
            <label class="switch">
              <input type="checkbox" checked={all} onChange={e => showAll(e.currentTarget.checked)} /> show {past} ended
            </label>
          )}
          {may('system:write') && (
            <button type="button" class="button" onClick={() => make(true)}>
              New token
            </button>
          )}
        </>
      }
    >
      <States of={answer} empty={a => a.data.every(t => ended(t) && !all)} emptyText="No token yet.">
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The tokens">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Token</th>
                  <th scope="col">May</th>
                  <th scope="col">Sees</th>
                  <th scope="col">Made</th>
                  <th scope="col">Last used</th>
                  <th scope="col">Ends</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data
                  .filter(t => all || !ended(t))
                  .map(t => (
                    <Row key={t.id} of={t} rename={() => rename(t)} revoke={() => revoke(t)} />
                  ))}
              </tbody>
            </table>
          </div>
        )}
      </States>
      {making && <New close={() => make(false)} made={show} />}
      {made && (
        <Once
          title="The new token"
          rows={[
            ['Token id', made.id],
            ['Token secret', made.secret ?? ''],
            [
              'Try it in a shell',
              `export FIRSTFRAME_TOKEN_ID='${made.id}' FIRSTFRAME_TOKEN_SECRET='${made.secret ?? ''}'\n` +
                curl(person.get()?.public_url || location.origin, { path: '/system/v1/whoami', params: [] }),
            ],
          ]}
          close={() => show(null)}
        >
          <p>The secret is shown this once and kept only as a hash. Put it where your program reads it.</p>
        </Once>
      )}
      {renamed && <Rename of={renamed} close={() => rename(null)} />}
      {revoked && <Revoke of={revoked} close={() => revoke(null)} />}
    </Panel>
  );
}
