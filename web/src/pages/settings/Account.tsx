// SPDX-License-Identifier: Apache-2.0
// Oneself: name, password, one-time codes, sessions, and how this browser shows things.
import { useState } from 'preact/hooks';
import { Code } from '../../components/Dialog';
import { Panel, States } from '../../components/Panel';
import { environmentId, loadPerson, person, send, signOut, useAsk } from '../../lib/api';
import { useStore } from '../../lib/store';
import { theme, type Theme } from '../../lib/theme';
import { fullMoment, zone, type Zone } from '../../lib/time';
import { Field, FormDialog, useWork, when, Wrong } from './parts';
import { Qr } from './Qr';

function Person() {
  const who = useStore(person)!,
    work = useWork();
  const [saved, say] = useState(false);
  const rename = (event: SubmitEvent) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget as HTMLFormElement).get('name')).trim();
    say(false);
    void work
      .run(async () => {
        await send('PATCH', '/api/account', { name });
        await loadPerson();
      })
      .then(say);
  };
  return (
    <Panel title="Account" requests={[{ label: 'Session', ask: { path: '/api/sessions/current', params: [] } }]}>
      <dl class="facts">
        <dt>E-mail</dt>
        <dd>
          <bdi>{who.email}</bdi>
        </dd>
        <dt>Role in the organization</dt>
        <dd>{who.organization_role}</dd>
        <dt>Signed in until</dt>
        <dd>{fullMoment(who.expires_at * 1000)}</dd>
        <dt>Server</dt>
        <dd>
          <bdi>{who.public_url}</bdi>
        </dd>
      </dl>
      <form class="form-row" onSubmit={rename}>
        <label class="field grow">
          Name
          <input name="name" required maxLength={128} defaultValue={who.name} autocomplete="name" dir="auto" />
        </label>
        <button type="submit" class="button" disabled={work.busy}>
          Save
        </button>
        <button type="button" class="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </form>
      <p class="note" aria-live="polite">
        {saved && 'Saved.'}
      </p>
      <Wrong text={work.wrong} />
    </Panel>
  );
}

function Environment() {
  const who = useStore(person)!,
    now = useStore(environmentId),
    environment = who.environments.find(e => e.id === now);
  return (
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
  );
}

function Password() {
  const work = useWork(),
    [done, say] = useState(false);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement,
      fields = new FormData(form),
      text = (name: string) => String(fields.get(name));
    say(false);
    if (text('password') !== text('again')) {
      work.say('The two new passwords differ.');
      return;
    }
    void work
      .run(() =>
        send('POST', '/api/password', { current_password: text('current_password'), password: text('password') }),
      )
      .then(ok => {
        say(ok);
        if (ok) form.reset();
      });
  };
  return (
    <Panel title="Password" note="a new one ends your other sessions">
      <form class="form" onSubmit={submit}>
        <input type="text" name="username" autocomplete="username" value={person.get()?.email} hidden readOnly />
        <Field label="Present password">
          <input type="password" name="current_password" autocomplete="current-password" required />
        </Field>
        <Field label="New password" hint="At least 8 characters.">
          <input type="password" name="password" autocomplete="new-password" required minLength={8} />
        </Field>
        <Field label="New password, again">
          <input type="password" name="again" autocomplete="new-password" required minLength={8} />
        </Field>
        <Wrong text={work.wrong} />
        <div class="form-foot">
          <span class="note" aria-live="polite">
            {done && 'The new password holds from now on.'}
          </span>
          <button type="submit" class="button" disabled={work.busy}>
            Change the password
          </button>
        </div>
      </form>
    </Panel>
  );
}

interface Fresh {
  secret: string;
  uri: string;
}
function Enroll({ fresh, close }: { fresh: Fresh; close: () => void }) {
  const work = useWork();
  const submit = async (fields: FormData) => {
    await send('POST', '/api/totp/enable', {
      password: String(fields.get('password')),
      secret: fresh.secret,
      code: String(fields.get('code')).replace(/\s/g, ''),
    });
    await loadPerson();
  };
  return (
    <FormDialog title="Set up one-time codes" yes="Switch on" work={work} close={close} submit={submit}>
      <p>
        Scan this with an authenticator app, or <a href={fresh.uri}>open it in the app of this device</a>, or type the
        secret. Keep the secret where you keep your passwords: it is shown this once.
      </p>
      <div class="enroll">
        <Qr text={fresh.uri} label="The secret as a QR code" />
        <div class="secret">
          <span class="hint">Secret</span>
          <Code label="Secret" text={fresh.secret} />
        </div>
      </div>
      <Field label="The code that the app shows now">
        <input name="code" inputMode="numeric" autocomplete="one-time-code" required maxLength={12} autofocus />
      </Field>
      <Field label="Your password">
        <input type="password" name="password" autocomplete="current-password" required />
      </Field>
    </FormDialog>
  );
}

function SwitchOff({ close }: { close: () => void }) {
  const work = useWork();
  const submit = async (fields: FormData) => {
    await send('DELETE', '/api/totp', { password: String(fields.get('password')) });
    await loadPerson();
  };
  return (
    <FormDialog title="Switch one-time codes off?" yes="Switch off" danger work={work} close={close} submit={submit}>
      <p>From then on your password alone opens your account.</p>
      <Field label="Your password">
        <input type="password" name="password" autocomplete="current-password" required autofocus />
      </Field>
    </FormDialog>
  );
}

function Codes() {
  const who = useStore(person)!,
    work = useWork();
  const [fresh, show] = useState<Fresh | null>(null),
    [off, ask] = useState(false);
  return (
    <Panel title="One-time codes" note="a second proof when you sign in">
      {who.totp ? (
        <>
          <p>
            <span class="tag good">on</span> Signing in takes your password and a code of your authenticator app.
          </p>
          <div class="form-foot">
            <button type="button" class="button" onClick={() => ask(true)}>
              Switch off
            </button>
          </div>
        </>
      ) : (
        <>
          <p>
            <span class="tag">off</span> Your password alone opens your account. With codes of an authenticator app, a
            stolen password is not enough.
          </p>
          <Wrong text={work.wrong} />
          <div class="form-foot">
            <button
              type="button"
              class="button"
              disabled={work.busy}
              onClick={() => void work.run(async () => show((await send<{ data: Fresh }>('POST', '/api/totp')).data))}
            >
              Set up
            </button>
          </div>
        </>
      )}
      {fresh && <Enroll fresh={fresh} close={() => show(null)} />}
      {off && <SwitchOff close={() => ask(false)} />}
    </Panel>
  );
}

interface Session {
  id: number;
  kind: string;
  current: boolean;
  created_at: number;
  expires_at: number;
  last_used_at: number | null;
  address: string | null;
  agent: string | null;
}
function Sessions() {
  const ask = { path: '/api/sessions', params: [] },
    answer = useAsk<{ data: Session[] }>(ask),
    work = useWork();
  useStore(zone);
  return (
    <Panel
      title="Sessions"
      note="where you are signed in"
      requests={[{ label: 'Sessions', ask }]}
      tools={
        (answer.data?.data.length ?? 0) > 1 && (
          <button
            type="button"
            class="button"
            disabled={work.busy}
            onClick={() => void work.run(() => send('DELETE', '/api/sessions'))}
          >
            End all others
          </button>
        )
      }
    >
      <Wrong text={work.wrong} />
      <States of={answer}>
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The sessions">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">For</th>
                  <th scope="col">Program</th>
                  <th scope="col">From</th>
                  <th scope="col">Begun</th>
                  <th scope="col">Last used</th>
                  <th scope="col">Until</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(s => (
                  <tr key={s.id}>
                    <td>
                      {s.kind === 'token' ? 'beta-auth-token' : s.kind}{' '}
                      {s.current && <span class="tag good">this one</span>}
                    </td>
                    <td class="text agent" data-label="Program" title={s.agent ?? ''}>
                      <bdi>{s.agent ?? '–'}</bdi>
                    </td>
                    <td data-label="From">{s.address ?? '–'}</td>
                    <td class="when" data-label="Begun">
                      {when(s.created_at)}
                    </td>
                    <td class="when" data-label="Last used">
                      {when(s.last_used_at)}
                    </td>
                    <td class="when" data-label="Until">
                      {when(s.expires_at)}
                    </td>
                    <td class="acts">
                      {!s.current && (
                        <button
                          type="button"
                          class="button quiet"
                          disabled={work.busy}
                          onClick={() => void work.run(() => send('DELETE', `/api/sessions/${s.id}`))}
                        >
                          End
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

function Browser() {
  const inZone = useStore(zone),
    colours = useStore(theme);
  return (
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
  );
}

export function Account() {
  return (
    <>
      <div class="grid two">
        <Person />
        <Environment />
        <Password />
        <div class="stack">
          <Codes />
          <Browser />
        </div>
      </div>
      <Sessions />
    </>
  );
}
