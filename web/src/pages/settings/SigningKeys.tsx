// SPDX-License-Identifier: Apache-2.0
// Keys that sign the tokens of /counts.
import { useState } from 'preact/hooks';
import { Panel, States } from '../../components/Panel';
import { send, useAsk } from '../../lib/api';
import { pathOf } from '../../lib/ask';
import { useStore } from '../../lib/store';
import { zone } from '../../lib/time';
import { may, Once, Sure, useWork, when, Wrong } from './parts';

interface Key {
  id: string;
  created_at: string;
  private_key?: string;
}

export function SigningKeys() {
  const ask = { path: '/system/v1/signing-keys', params: [['limit', '100']] as [string, string][] };
  const answer = useAsk<{ data: Key[] }>(ask),
    work = useWork(),
    write = may('system:write');
  const [made, show] = useState<Key | null>(null),
    [gone, remove] = useState<string | null>(null);
  useStore(zone);
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
            disabled={work.busy}
            onClick={() =>
              void work.run(async () => show((await send<{ data: Key }>('POST', '/system/v1/signing-keys')).data))
            }
          >
            New key
          </button>
        )
      }
    >
      <Wrong text={gone ? '' : work.wrong} />
      <States of={answer} empty={a => a.data.length === 0} emptyText="No signing key yet.">
        {a => (
          <div class="table-wrap" tabIndex={0} role="region" aria-label="The keys">
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
                    <td class="when" data-label="Made">
                      {when(Number(k.created_at))}
                    </td>
                    <td class="acts">
                      {write && (
                        <button
                          type="button"
                          class="button quiet"
                          aria-label={`Remove ${k.id}`}
                          onClick={() => remove(k.id)}
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
      {made && (
        <Once
          title="The new key"
          rows={[
            ['Key id', made.id],
            ['Private key, base64 of the PEM', made.private_key ?? ''],
          ]}
          close={() => show(null)}
        >
          <p>This is the private half. It is shown this once and not kept; put it where your server signs tokens.</p>
        </Once>
      )}
      {gone && (
        <Sure
          title="Remove this key?"
          yes="Remove"
          work={work}
          close={() => remove(null)}
          act={() => send('DELETE', pathOf('system', 'v1', 'signing-keys', gone))}
        >
          <p>
            Tokens signed with <code>{gone}</code> are refused from then on.
          </p>
        </Sure>
      )}
    </Panel>
  );
}
