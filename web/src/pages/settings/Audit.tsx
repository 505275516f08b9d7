// SPDX-License-Identifier: Apache-2.0
// Who did what, when, from where.
import { Panel, States } from '../../components/Panel';
import { Pager } from '../../components/Table';
import { environmentId, person, useAsk } from '../../lib/api';
import type { Ask } from '../../lib/ask';
import { csv } from '../../lib/csv';
import { change, usePlace } from '../../lib/route';
import { useStore } from '../../lib/store';
import { fromInput, momentSeconds, toInput, zone } from '../../lib/time';
import { ACTS } from '../../generated/access';
import { isAdmin } from './parts';

interface Row {
  id: number;
  at: number;
  actor_kind: string;
  actor: string;
  act: string;
  target: string;
  environment_id: string | null;
  address: string | null;
  details: Record<string, string | number | null>;
}
const LIMIT = 50;
const KINDS = [...new Set(ACTS.map(a => a.split('.')[0]))].sort();
const wordsOf = (text: string) => text.replace(/[._]/g, ' ');

function Details({ of }: { of: Row['details'] }) {
  const shown = Object.entries(of).filter(([, v]) => v !== null && v !== '');
  return (
    <span class="pairs">
      {shown.map(([name, value]) => (
        <span>
          <span class="hint">{wordsOf(name)}</span> <bdi>{String(value)}</bdi>
        </span>
      ))}
    </span>
  );
}

export function Audit() {
  const { query } = usePlace(),
    who = useStore(person)!,
    here = useStore(environmentId);
  useStore(zone);
  const page = Math.max(1, Math.floor(Number(query.get('page'))) || 1),
    act = query.get('act') ?? '',
    since = query.get('since') ?? '',
    until = query.get('until') ?? '',
    whole = isAdmin() && query.get('scope') !== 'environment';
  const params: Ask['params'] = [['limit', String(LIMIT)]];
  if (!whole) params.push(['scope', 'environment']);
  if (act) params.push(['act', act]);
  if (since) params.push(['since', since]);
  if (until) params.push(['until', until]);
  if (page > 1) params.push(['page', String(page)]);
  const ask: Ask = { path: '/system/v1/audit', params, person: whole },
    answer = useAsk<{ data: Row[]; total_row_count: number }>(ask);
  const nameOf = (id: string) => who.environments.find(e => e.id === id)?.name ?? id;
  const set = (name: string, value: string) => change({ [name]: value || null, page: null }, true);
  return (
    <Panel
      title="Audit log"
      note="addresses are cut to their network"
      requests={[{ label: 'Audit log', ask }]}
      csv={
        answer.data &&
        (() =>
          csv(
            ['at', 'actor_kind', 'actor', 'act', 'target', 'environment_id', 'address', 'details'],
            answer.data!.data.map(r => [
              new Date(r.at * 1000).toISOString(),
              r.actor_kind,
              r.actor,
              r.act,
              r.target,
              r.environment_id,
              r.address,
              JSON.stringify(r.details),
            ]),
          ))
      }
    >
      <div class="form-row narrow">
        <label class="field">
          Of what
          <select value={act} onChange={e => set('act', e.currentTarget.value)}>
            <option value="">everything</option>
            {KINDS.map(k => (
              <optgroup label={wordsOf(k)}>
                <option value={`${k}.`}>{wordsOf(k)}: all</option>
                {ACTS.filter(a => a.startsWith(`${k}.`)).map(a => (
                  <option value={a}>{wordsOf(a)}</option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
        {isAdmin() && (
          <label class="field">
            Where
            <select value={whole ? '' : 'environment'} onChange={e => set('scope', e.currentTarget.value)}>
              <option value="">the whole organization</option>
              <option value="environment">{nameOf(here)}</option>
            </select>
          </label>
        )}
        <label class="field">
          From
          <input
            type="datetime-local"
            value={since ? toInput(Number(since)) : ''}
            onChange={e => set('since', e.currentTarget.value && String(fromInput(e.currentTarget.value)))}
          />
        </label>
        <label class="field">
          Until
          <input
            type="datetime-local"
            value={until ? toInput(Number(until)) : ''}
            onChange={e => set('until', e.currentTarget.value && String(fromInput(e.currentTarget.value)))}
          />
        </label>
      </div>
      <States of={answer} empty={a => a.data.length === 0} emptyText="Nothing of this kind was done.">
        {a => (
          <>
            <div class="table-wrap" tabIndex={0} role="region" aria-label="The log">
              <table class="table audit">
                <thead>
                  <tr>
                    <th scope="col">When</th>
                    <th scope="col">Who</th>
                    <th scope="col">Did</th>
                    <th scope="col">To</th>
                    <th scope="col">Environment</th>
                    <th scope="col">From</th>
                    <th scope="col">Details</th>
                  </tr>
                </thead>
                <tbody>
                  {a.data.map(r => (
                    <tr key={r.id}>
                      <td class="when">{momentSeconds(r.at * 1000)}</td>
                      <td>
                        <bdi>{r.actor}</bdi>
                        {r.actor_kind === 'token' && <span class="hint"> token</span>}
                      </td>
                      <td class="act">{wordsOf(r.act)}</td>
                      <td>
                        <bdi>{r.target}</bdi>
                      </td>
                      <td>{r.environment_id && <bdi>{nameOf(r.environment_id)}</bdi>}</td>
                      <td>{r.address ?? ''}</td>
                      <td>
                        <Details of={r.details} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <Pager page={page} limit={LIMIT} total={a.total_row_count} noun="acts" />
          </>
        )}
      </States>
    </Panel>
  );
}
