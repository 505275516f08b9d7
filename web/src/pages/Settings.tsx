// SPDX-License-Identifier: Apache-2.0
// The account, the environment, notes on the time axis, signing keys, daily files.
import { useState } from 'preact/hooks';
import { Code, Dialog } from '../components/Dialog';
import { Panel, States } from '../components/Panel';
import { environmentId, forget, person, Problem, send, signOut, useAsk } from '../lib/api';
import type { Envelope } from '../lib/asks';
import { change, usePlace } from '../lib/route';
import { useStore } from '../lib/store';
import { theme, type Theme } from '../lib/theme';
import { fromInput, fullMoment, toInput, zone, type Zone } from '../lib/time';

const wrongOf = (error: unknown) => (error instanceof Problem ? error.message : String(error));
const may = (permission: string) =>
  person
    .get()
    ?.environments.find(e => e.id === environmentId.get())
    ?.permissions.includes(permission) ?? false;

function Account() {
  const who = useStore(person)!,
    now = useStore(environmentId),
    environment = who.environments.find(e => e.id === now),
    inZone = useStore(zone),
    colours = useStore(theme);
  return (
    <>
      <div class="grid two">
        <Panel title="Account" requests={[{ label: 'Session', ask: { path: '/api/sessions/current', params: [] } }]}>
          <dl class="facts">
            <dt>E-mail</dt>
            <dd>
              <bdi>{who.email}</bdi>
            </dd>
            <dt>Role in the organisation</dt>
            <dd>{who.organization_role}</dd>
            <dt>Signed in until</dt>
            <dd>{fullMoment(who.expires_at * 1000)}</dd>
            <dt>Server</dt>
            <dd>
              <bdi>{who.public_url}</bdi>
            </dd>
          </dl>
          <p class="note">
            Passwords, people, tokens and environments are kept with the commands <code>firstframe user</code>,{' '}
            <code>token</code> and <code>environment</code>.
          </p>
          <button type="button" class="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </Panel>
        <Panel title="Environment" requests={[{ label: 'Who am I', ask: { path: '/system/v1/whoami', params: [] } }]}>
          {environment && (
            <dl class="facts">
              <dt>Name</dt>
              <dd>
                <bdi>{environment.name}</bdi>
              </dd>
              <dt>Id</dt>
              <dd>
                <code>{environment.id}</code>
              </dd>
              <dt>Type</dt>
              <dd>{environment.type}</dd>
              <dt>Env key</dt>
              <dd>
                <code>{environment.env_key}</code>
              </dd>
              <dt>Your role</dt>
              <dd>{environment.role}</dd>
              <dt>You may</dt>
              <dd>{environment.permissions.join(', ')}</dd>
            </dl>
          )}
        </Panel>
      </div>
      <Panel title="In this browser">
        <div class="form-row">
          <label class="field">
            Colours
            <select value={colours} onChange={e => theme.set(e.currentTarget.value as Theme)}>
              <option value="system">As the system has it</option>
              <option value="light">Light</option>
              <option value="dark">Dark</option>
            </select>
          </label>
          <label class="field">
            Times
            <select value={inZone} onChange={e => zone.set(e.currentTarget.value as Zone)}>
              <option value="local">In your time zone</option>
              <option value="utc">In UTC</option>
            </select>
          </label>
        </div>
      </Panel>
    </>
  );
}

interface Annotation {
  id: string;
  note: string;
  date: string;
  sub_property_id: string | null;
}
function Annotations() {
  const ask = {
    path: '/data/v1/annotations',
    params: [
      ['limit', '1000'],
      ['order_direction', 'desc'],
    ] as [string, string][],
  };
  const answer = useAsk<Envelope<Annotation[]>>(ask),
    [wrong, say] = useState(''),
    write = may('data:write');
  useStore(zone);
  const run = async (work: () => Promise<unknown>) => {
    say('');
    try {
      await work();
      forget();
    } catch (error) {
      say(wrongOf(error));
    }
  };
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement,
      fields = new FormData(form);
    void run(async () => {
      await send('POST', '/data/v1/annotations', {
        note: String(fields.get('note')),
        date: fromInput(String(fields.get('date'))),
      });
      form.reset();
    });
  };
  return (
    <Panel
      title="Annotations"
      note="notes that stand on the charts of the Metrics page"
      requests={[{ label: 'Annotations', ask }]}
    >
      {write && (
        <form class="form-row" onSubmit={add}>
          <label class="field grow">
            Note
            <input name="note" required maxLength={2000} placeholder="deploy 42" />
          </label>
          <label class="field">
            When
            <input name="date" type="datetime-local" required defaultValue={toInput(Date.now() / 1000)} />
          </label>
          <button type="submit" class="button primary">
            Add
          </button>
        </form>
      )}
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <States of={answer} empty={a => a.data.length === 0} emptyText="No annotation yet.">
        {a => (
          <div class="table-wrap">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">When</th>
                  <th scope="col">Note</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(n => (
                  <tr key={n.id}>
                    <td class="when">{fullMoment(Date.parse(n.date))}</td>
                    <td dir="auto">{n.note}</td>
                    <td class="num">
                      {write && (
                        <button
                          type="button"
                          class="button quiet"
                          onClick={() =>
                            void run(() => send('DELETE', `/data/v1/annotations/${encodeURIComponent(n.id)}`))
                          }
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
  );
}

interface Key {
  id: string;
  created_at: string;
  private_key?: string;
}
function SigningKeys() {
  const ask = { path: '/system/v1/signing-keys', params: [['limit', '100']] as [string, string][] };
  const answer = useAsk<{ data: Key[] }>(ask),
    [made, show] = useState<Key | null>(null),
    [wrong, say] = useState(''),
    write = may('system:write');
  const [sure, ask2] = useState<string | null>(null);
  const run = async (work: () => Promise<void>) => {
    say('');
    try {
      await work();
      forget();
    } catch (error) {
      say(wrongOf(error));
    }
  };
  return (
    <Panel
      title="Signing keys"
      note="they sign the tokens with which a page may show how many are watching"
      requests={[{ label: 'Signing keys', ask }]}
      tools={
        write && (
          <button
            type="button"
            class="button"
            onClick={() =>
              void run(async () => show((await send<{ data: Key }>('POST', '/system/v1/signing-keys')).data))
            }
          >
            New key
          </button>
        )
      }
    >
      {wrong && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <States of={answer} empty={a => a.data.length === 0} emptyText="No signing key yet.">
        {a => (
          <div class="table-wrap">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Id</th>
                  <th scope="col">Made</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(k => (
                  <tr key={k.id}>
                    <td>
                      <code>{k.id}</code>
                    </td>
                    <td class="when">{fullMoment(Number(k.created_at) * 1000)}</td>
                    <td class="num">
                      {write && (
                        <button type="button" class="button quiet" onClick={() => ask2(k.id)}>
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
      {made && (
        <Dialog title="The new key" close={() => show(null)}>
          <p>This is the private half. It is shown this once and not kept; put it where your server signs tokens.</p>
          <Code label="Key id" text={made.id} />
          <Code label="Private key, base64 of the PEM" text={made.private_key ?? ''} />
        </Dialog>
      )}
      {sure && (
        <Dialog title="Remove this key?" close={() => ask2(null)}>
          <p>
            Tokens signed with <code>{sure}</code> are refused from then on.
          </p>
          <div class="form-row">
            <button
              type="button"
              class="button primary"
              onClick={() => {
                const id = sure;
                ask2(null);
                void run(() => send('DELETE', `/system/v1/signing-keys/${encodeURIComponent(id)}`));
              }}
            >
              Remove
            </button>
            <button type="button" class="button" onClick={() => ask2(null)}>
              Keep
            </button>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}

interface ExportDay {
  export_date: string;
  files: { version: number; type: string; path: string; bytes?: number; rows?: number }[];
}
function Exports() {
  const ask = { path: '/data/v1/exports/views', params: [] },
    answer = useAsk<Envelope<ExportDay[]>>(ask);
  const format = new Intl.NumberFormat();
  return (
    <Panel title="Daily files" note="every view of a day" requests={[{ label: 'Exports', ask }]}>
      <States
        of={answer}
        empty={a => a.data.length === 0}
        emptyText="No day is complete yet; the first file comes after midnight UTC."
      >
        {a => (
          <div class="table-wrap">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Day</th>
                  <th scope="col">File</th>
                  <th scope="col" class="num">
                    Views
                  </th>
                  <th scope="col" class="num">
                    Size
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.flatMap(d =>
                  d.files.map(f => (
                    <tr>
                      <td class="when">{d.export_date}</td>
                      <td>
                        {/^(https?:\/\/|\/)/.test(f.path) ? (
                          <a href={f.path} download>
                            {f.type}
                          </a>
                        ) : (
                          f.type
                        )}
                      </td>
                      <td class="num">{f.rows === undefined ? '' : format.format(f.rows)}</td>
                      <td class="num">
                        {f.bytes === undefined ? '' : `${format.format(Math.ceil(f.bytes / 1024))} kB`}
                      </td>
                    </tr>
                  )),
                )}
              </tbody>
            </table>
          </div>
        )}
      </States>
    </Panel>
  );
}

const TABS = [
  ['account', 'Account', Account],
  ['annotations', 'Annotations', Annotations],
  ['keys', 'Signing keys', SigningKeys],
  ['exports', 'Exports', Exports],
] as const;

export function Settings() {
  const { query } = usePlace(),
    [key, , Page] = TABS.find(([k]) => k === query.get('tab')) ?? TABS[0];
  return (
    <>
      <div class="choices" role="group" aria-label="Settings">
        {TABS.map(([k, name]) => (
          <button type="button" class="choice" aria-pressed={k === key} onClick={() => change({ tab: k })}>
            {name}
          </button>
        ))}
      </div>
      <Page />
    </>
  );
}
