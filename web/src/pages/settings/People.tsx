// SPDX-License-Identifier: Apache-2.0
// Who may use this server, with which role and where; whom the organization waits for.
import { useState } from 'preact/hooks';
import { Panel, States } from '../../components/Panel';
import { Popover } from '../../components/Popover';
import { person, send, useAsk } from '../../lib/api';
import { askUrl, pathOf } from '../../lib/ask';
import { csv } from '../../lib/csv';
import { useStore } from '../../lib/store';
import { zone } from '../../lib/time';
import {
  Field,
  FormDialog,
  grantable,
  isAdmin,
  may,
  Once,
  RANK,
  RoleSelect,
  Sure,
  useWork,
  when,
  Wrong,
} from './parts';

interface Member {
  id: number;
  email: string;
  name: string;
  role: string;
  role_here: string;
  environment_roles: { environment_id: string; role: string }[];
  totp: boolean;
  created_at: number;
  last_seen_at: number | null;
}
interface Invitation {
  id: number;
  email: string;
  role: string;
  environment_id: string | null;
  expires_at: number;
  url?: string;
  mailed?: boolean;
}
const pathOfPerson = (id: number, ...more: string[]) => pathOf('system', 'v1', 'people', String(id), ...more);
const environmentName = (id: string) => person.get()?.environments.find(e => e.id === id)?.name ?? id;
const MEANING: Record<string, string> = {
  none: 'none: sees nothing',
  viewer: 'viewer: reads',
  editor: 'editor: also writes notes and error categories',
  admin: 'admin: also people, environments, tokens',
  owner: 'owner: also other owners',
};

// Admins of the organization change all of it; those of an environment, the role there.
function Roles({ of, close }: { of: Member; close: () => void }) {
  const work = useWork(),
    who = useStore(person)!;
  const inOrganization = [...new Set(['none', ...grantable(), of.role])].sort((a, b) => RANK[a] - RANK[b]);
  const [role, choose] = useState(of.role);
  const everywhere = RANK[role] >= RANK.admin,
    mine = who.environments.filter(e => e.permissions.includes('system:write'));
  const submit = async (fields: FormData) => {
    const name = String(fields.get('name') ?? of.name).trim();
    const changes = { ...(name !== of.name ? { name } : {}), ...(role !== of.role ? { role } : {}) };
    if (Object.keys(changes).length) await send('PATCH', pathOfPerson(of.id), changes);
    for (const e of everywhere ? [] : mine) {
      const before = of.environment_roles.find(r => r.environment_id === e.id)?.role ?? '',
        after = String(fields.get(`in ${e.id}`) ?? '');
      const path = pathOf('system', 'v1', 'environments', e.id, 'people', String(of.id));
      if (after === before) continue;
      if (after) await send('PATCH', path, { role: after });
      else await send('DELETE', path);
    }
  };
  return (
    <FormDialog title={of.email} yes="Save" work={work} close={close} submit={submit}>
      {isAdmin() && (
        <>
          <Field label="Name">
            <input name="name" required maxLength={128} defaultValue={of.name} dir="auto" />
          </Field>
          <Field label="Role in the organization">
            <select name="role" value={role} onChange={e => choose(e.currentTarget.value)}>
              {inOrganization.map(r => (
                <option value={r}>{MEANING[r]}</option>
              ))}
            </select>
          </Field>
        </>
      )}
      <fieldset class="form">
        <legend>Role in each environment</legend>
        {everywhere ? (
          <p class="note">Admins and owners have their role everywhere.</p>
        ) : (
          <div class="form-two">
            {mine.map(e => (
              <Field label={e.name}>
                <RoleSelect
                  name={`in ${e.id}`}
                  value={of.environment_roles.find(r => r.environment_id === e.id)?.role ?? ''}
                  roles={[
                    ['', 'as in the organization'],
                    ['none', 'none: hidden'],
                    ['viewer', 'viewer'],
                    ['editor', 'editor'],
                    ['admin', 'admin'],
                  ]}
                />
              </Field>
            ))}
          </div>
        )}
      </fieldset>
    </FormDialog>
  );
}

type Act = 'roles' | 'remove' | 'sign-out' | 'codes' | 'reset';

function Chosen({
  of,
  act,
  close,
  link,
}: {
  of: Member;
  act: Act;
  close: () => void;
  link: (url: string, mailed: boolean) => void;
}) {
  const work = useWork(),
    name = <bdi>{of.email}</bdi>;
  switch (act) {
    case 'roles':
      return <Roles of={of} close={close} />;
    case 'remove':
      return (
        <Sure
          title="Remove from the organization?"
          yes="Remove"
          work={work}
          close={close}
          act={() => send('DELETE', pathOfPerson(of.id))}
        >
          <p>
            {name} is signed out everywhere and sees nothing any more. What they wrote stays, and so do the access
            tokens that they made.
          </p>
        </Sure>
      );
    case 'sign-out':
      return (
        <Sure
          title="End all sessions?"
          yes="End them"
          work={work}
          close={close}
          act={() => send('DELETE', pathOfPerson(of.id, 'sessions'))}
        >
          <p>{name} has to sign in again everywhere; tokens of scripts that signed in as them end too.</p>
        </Sure>
      );
    case 'codes':
      return (
        <Sure
          title="Switch one-time codes off?"
          yes="Switch off"
          work={work}
          close={close}
          act={() => send('DELETE', pathOfPerson(of.id, 'totp'))}
        >
          <p>For somebody who lost the device: the password alone opens the account of {name} from then on.</p>
        </Sure>
      );
    case 'reset':
      return (
        <Sure
          title="Make a link to a new password?"
          yes="Make the link"
          work={work}
          close={close}
          act={async () => {
            const made = await send<{ data: { url: string; mailed: boolean } }>(
              'POST',
              pathOfPerson(of.id, 'password-reset'),
            );
            link(made.data.url, made.data.mailed);
          }}
        >
          <p>Whoever opens the link within an hour chooses the password of {name}.</p>
        </Sure>
      );
  }
}

function Members() {
  const ask = { path: '/system/v1/people', params: [], person: true },
    answer = useAsk<{ data: Member[] }>(ask);
  const [chosen, choose] = useState<{ of: Member; act: Act } | null>(null),
    [made, show] = useState<{ url: string; mailed: boolean } | null>(null);
  useStore(zone);
  const menu = (m: Member): [Act, string][] => [
    ['reset', 'Link to a new password'],
    ['sign-out', 'End all sessions'],
    ...(m.totp ? [['codes', 'Switch one-time codes off'] as [Act, string]] : []),
    ['remove', 'Remove from the organization'],
  ];
  return (
    <Panel
      title="People"
      requests={[{ label: 'People', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['email', 'name', 'role', 'role_here', 'totp', 'last_seen_at'],
            answer.data!.data.map(m => [m.email, m.name, m.role, m.role_here, m.totp, m.last_seen_at]),
          ))
      }
    >
      <States of={answer}>
        {a => (
          <div class="table-wrap roomy" tabIndex={0} role="region" aria-label="The people">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">Person</th>
                  <th scope="col">Role in the organization</th>
                  <th scope="col">In one environment</th>
                  <th scope="col">One-time codes</th>
                  <th scope="col">Last seen</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(m => (
                  <tr key={m.id}>
                    <td>
                      <bdi>{m.name}</bdi>
                      <div class="hint">
                        <bdi>{m.email}</bdi>
                      </div>
                    </td>
                    <td data-label="Role">
                      {m.role} {m.id === person.get()?.person_id && <span class="tag">you</span>}
                    </td>
                    <td data-label="In environments">
                      {m.environment_roles.length === 0
                        ? '–'
                        : m.environment_roles.map(r => (
                            <div>
                              {r.role} in <bdi>{environmentName(r.environment_id)}</bdi>
                            </div>
                          ))}
                    </td>
                    <td data-label="One-time codes">{m.totp ? 'on' : 'off'}</td>
                    <td class="when" data-label="Last seen">
                      {when(m.last_seen_at, 'never')}
                    </td>
                    <td class="acts">
                      {may('system:write') && (
                        <button
                          type="button"
                          class="button quiet"
                          aria-label={`Change ${m.email}`}
                          onClick={() => choose({ of: m, act: 'roles' })}
                        >
                          Change
                        </button>
                      )}
                      {isAdmin() && (
                        <>
                          <Popover label={`More for ${m.email}`} class="button quiet" align="right" button="More">
                            {close => (
                              <ul class="menu-list">
                                {menu(m).map(([act, text]) => (
                                  <li>
                                    <button
                                      type="button"
                                      class="saved-name"
                                      onClick={() => {
                                        close();
                                        choose({ of: m, act });
                                      }}
                                    >
                                      {text}
                                    </button>
                                  </li>
                                ))}
                              </ul>
                            )}
                          </Popover>
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </States>
      {chosen && (
        <Chosen
          of={chosen.of}
          act={chosen.act}
          close={() => choose(null)}
          link={(url, mailed) => show({ url, mailed })}
        />
      )}
      {made && (
        <Once title="The link to a new password" rows={[['Link', made.url]]} close={() => show(null)}>
          <p>
            {made.mailed ? 'It was mailed to them. ' : 'Hand it on by a way you trust. '}
            It is valid for an hour, works once, and is shown this once.
          </p>
        </Once>
      )}
    </Panel>
  );
}

function Invitations() {
  const ask = { path: '/system/v1/invitations', params: [], person: true },
    answer = useAsk<{ data: Invitation[] }>(ask),
    work = useWork(),
    who = useStore(person)!;
  const [made, show] = useState<Invitation | null>(null),
    [where, limit] = useState(
      isAdmin() ? '' : (who.environments.find(e => e.permissions.includes('system:write'))?.id ?? ''),
    );
  useStore(zone);
  const roles = (where ? ['viewer', 'editor', 'admin'] : grantable()).map((r): [string, string] => [r, r]);
  const invite = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement,
      fields = new FormData(form);
    void work
      .run(async () => {
        const body = {
          email: String(fields.get('email')).trim(),
          role: String(fields.get('role')),
          ...(where ? { environment_id: where } : {}),
        };
        const path = askUrl({ path: '/system/v1/invitations', params: where ? [['environment_id', where]] : [] });
        show((await send<{ data: Invitation }>('POST', path, body)).data);
      })
      .then(done => done && form.reset());
  };
  return (
    <Panel
      title="Invitations"
      note="links that are valid for a week and work once"
      requests={[{ label: 'Invitations', ask }]}
    >
      {may('system:write') && (
        <form class="form-row narrow" onSubmit={invite}>
          <label class="field grow">
            E-mail
            <input
              name="email"
              type="email"
              required
              maxLength={254}
              placeholder="name+robot@example.com"
              autocomplete="off"
            />
          </label>
          <label class="field">
            Where
            <select value={where} onChange={e => limit(e.currentTarget.value)}>
              {isAdmin() && <option value="">The whole organization</option>}
              {who.environments
                .filter(e => e.permissions.includes('system:write'))
                .map(e => (
                  <option value={e.id}>{e.name}</option>
                ))}
            </select>
          </label>
          <label class="field">
            Role
            <RoleSelect key={where} name="role" roles={roles} value="viewer" />
          </label>
          <button type="submit" class="button primary" disabled={work.busy}>
            Invite
          </button>
        </form>
      )}
      <Wrong text={work.wrong} />
      <States of={answer} height="line" empty={a => a.data.length === 0} emptyText="Nobody is invited at the moment.">
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The invitations">
            <table class="table">
              <thead>
                <tr>
                  <th scope="col">E-mail</th>
                  <th scope="col">Role</th>
                  <th scope="col">Where</th>
                  <th scope="col">Valid until</th>
                  <th scope="col">
                    <span class="sr">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {a.data.map(i => (
                  <tr key={i.id}>
                    <td>
                      <bdi>{i.email}</bdi>
                    </td>
                    <td data-label="Role">{i.role}</td>
                    <td data-label="Where">
                      {i.environment_id ? <bdi>{environmentName(i.environment_id)}</bdi> : 'the whole organization'}
                    </td>
                    <td class="when" data-label="Valid until">
                      {when(i.expires_at)}
                    </td>
                    <td class="acts">
                      {may('system:write') && (
                        <button
                          type="button"
                          class="button quiet"
                          aria-label={`Revoke the invitation of ${i.email}`}
                          disabled={work.busy}
                          onClick={() =>
                            void work.run(() => send('DELETE', pathOf('system', 'v1', 'invitations', String(i.id))))
                          }
                        >
                          Revoke
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
        <Once title={`${made.email} is invited`} rows={[['Link', made.url ?? '']]} close={() => show(null)}>
          <p>
            {made.mailed ? 'It was mailed to them. ' : 'Hand it on: this server sends no mail. '}
            The link is valid until {when(made.expires_at)}, works once, and is shown this once.
          </p>
        </Once>
      )}
    </Panel>
  );
}

export function People() {
  return (
    <>
      <Members />
      <Invitations />
    </>
  );
}
