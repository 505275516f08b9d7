// SPDX-License-Identifier: Apache-2.0
// What goes wrong, how often, and since when.
import { Link } from '../components/Link';
import { MetricChart } from '../components/MetricChart';
import { Panel, States } from '../components/Panel';
import { useAsk } from '../lib/api';
import { errors, type Envelope, type ErrorRow } from '../lib/asks';
import { metric } from '../lib/catalog';
import { csv } from '../lib/csv';
import { count, NONE, percent } from '../lib/format';
import { hrefHere, hrefTo } from '../lib/route';
import { filterOn, usePage } from '../lib/scope';
import { momentSeconds } from '../lib/time';

export function Errors() {
  const page = usePage(), ask = errors(page), answer = useAsk<Envelope<ErrorRow[]>>(ask), rows = answer.data?.data;
  return (
    <>
      <div class="grid two">
        <MetricChart page={page} metric={metric('playback_failure_percentage')} title="Playback failures" note="share of views" before />
        <MetricChart page={page} metric={metric('video_startup_failure_percentage')} title="Failures before the first frame" note="share of views" before />
      </div>
      <Panel title="Errors by code and message" requests={[{ label: 'Errors', ask }]}
        csv={rows && (() => csv(['id', 'code', 'message', 'description', 'notes', 'views', 'percent_of_views', 'last_seen'],
          rows.map(r => [r.id, r.player_error_code, r.message, r.description, r.notes, r.count, r.percentage, r.last_seen])))}>
        <States of={answer} empty={a => a.data.length === 0} emptyText="No view with an error in this time range.">
          {a => {
            const most = Math.max(...a.data.map(r => r.percentage), 0);
            return (
              <div class="table-wrap"><table class="table">
                <thead><tr><th scope="col">Code</th><th scope="col">Message</th><th scope="col" class="num">Views</th><th scope="col" class="num">Share</th><th scope="col" class="wide"><span class="sr">Bar</span></th><th scope="col">Last seen</th><th scope="col"><span class="sr">Views with it</span></th></tr></thead>
                <tbody>
                  {a.data.map(r => (
                    <tr key={r.id}>
                      <td><Link class="row-link" title="Filter by this code" href={hrefHere({ f: [...new Set([...page.filters, filterOn('player_error_code', r.player_error_code)])] })}><bdi>{r.player_error_code ?? '(none)'}</bdi></Link></td>
                      <td class="message"><bdi title={r.message?.slice(0, 1000)}>{r.message ?? NONE}</bdi>{r.description && <p class="note"><bdi>{r.description}</bdi></p>}{r.notes && <p class="note"><bdi>{r.notes}</bdi></p>}</td>
                      <td class="num">{count(r.count)}</td><td class="num">{percent(r.percentage / 100)}</td>
                      <td class="wide"><svg class="bar bad" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8"><rect width={most ? (100 * r.percentage) / most : 0} height="8" /></svg></td>
                      <td class="when">{momentSeconds(Date.parse(r.last_seen))}</td>
                      <td><Link href={hrefTo('/views', { error: String(r.id) })}>views</Link></td>
                    </tr>
                  ))}
                </tbody>
              </table></div>
            );
          }}
        </States>
      </Panel>
    </>
  );
}
