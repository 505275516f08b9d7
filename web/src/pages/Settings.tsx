// SPDX-License-Identifier: Apache-2.0
// The settings: a page a subject, named in the address. What the reader may not see is not offered.
import { Link } from '../components/Link';
import { environmentId } from '../lib/api';
import { hrefHere, usePlace } from '../lib/route';
import { useStore } from '../lib/store';
import { Account } from './settings/Account';
import { Annotations } from './settings/Annotations';
import { Audit } from './settings/Audit';
import { Environments } from './settings/Environments';
import { Exports } from './settings/Exports';
import { may } from './settings/parts';
import { People } from './settings/People';
import { SigningKeys } from './settings/SigningKeys';
import { Tokens } from './settings/Tokens';

const TABS = [
  ['account', 'Account', '', Account],
  ['environments', 'Environments', 'system:read', Environments],
  ['people', 'People', 'system:read', People],
  ['tokens', 'Access tokens', 'system:read', Tokens],
  ['keys', 'Signing keys', 'system:read', SigningKeys],
  ['annotations', 'Annotations', 'data:read', Annotations],
  ['exports', 'Exports', 'data:read', Exports],
  ['audit', 'Audit log', 'system:read', Audit],
] as const;
const OWN = ['page', 'act', 'scope', 'since', 'until']; // of one tab, not of the next

export function Settings() {
  const { query } = usePlace(),
    here = useStore(environmentId),
    [key, , , Page] = TABS.find(([k]) => k === query.get('tab')) ?? TABS[0];
  const leave = Object.fromEntries(OWN.map(name => [name, null]));
  return (
    <>
      <nav class="choices" aria-label="Settings">
        {TABS.filter(([k, , needed]) => k === key || !needed || may(needed)).map(([k, name]) => (
          <Link href={hrefHere({ ...leave, tab: k })} class="choice" current={k === key}>
            {name}
          </Link>
        ))}
      </nav>
      <Page key={`${key} ${here}`} />
    </>
  );
}
