// SPDX-License-Identifier: Apache-2.0
// The places of pages that come with monitoring: they say what is not there yet, and where to look meanwhile.
import { Link } from '../components/Link';
import { hrefTo } from '../lib/route';

export function Live() {
  return (
    <section class="panel place">
      <h2>Who is watching now</h2>
      <p>
        This server does not count viewers by the second yet, so there is nothing on this page. What it has: the{' '}
        <Link href={hrefTo('/')}>overview</Link> counts the viewers of the last half hour and looks again every 30
        seconds, its <Link href={hrefTo('/', { t: '60:minutes' })}>last hour</Link> goes by minutes, and{' '}
        <Link href={hrefTo('/start')}>Add a player</Link> shows the beacons as they arrive.
      </p>
    </section>
  );
}

export function Alerts() {
  return (
    <section class="panel place">
      <h2>When something goes wrong</h2>
      <p>
        This server has no alert rules and no incidents yet, so there is nothing on this page, and nobody is notified.
        What it has: <Link href={hrefTo('/errors')}>errors</Link> shows what fails and since when, and{' '}
        <Link href={hrefTo('/settings', { tab: 'annotations' })}>annotations</Link> keep on the charts what you found.
      </p>
    </section>
  );
}
