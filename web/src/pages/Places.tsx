// SPDX-License-Identifier: Apache-2.0
// The places of pages that come with monitoring: they say what is there already.
import { Link } from '../components/Link';
import { hrefTo } from '../lib/route';

export function Live() {
  return (
    <section class="panel place">
      <h2>Who is watching now</h2>
      <p>
        This page will show viewers by the second. Until monitoring is part of the server, the{' '}
        <Link href={hrefTo('/', { t: '60:minutes' })}>last hour</Link> by minutes and the{' '}
        <Link href={hrefTo('/start')}>beacons as they arrive</Link> come closest.
      </p>
    </section>
  );
}

export function Alerts() {
  return (
    <section class="panel place">
      <h2>When something goes wrong</h2>
      <p>
        Rules and incidents will be here when monitoring is part of the server. Until then,{' '}
        <Link href={hrefTo('/errors')}>errors</Link> shows what fails and since when.
      </p>
    </section>
  );
}
