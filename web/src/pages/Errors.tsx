// SPDX-License-Identifier: Apache-2.0
// What goes wrong, how often, and since when.
import { useEffect, useState } from 'preact/hooks';
import { Dialog } from '../components/Dialog';
import { ErrorTrend, Spark, trendAsk, trends } from '../components/ErrorTrend';
import { Link } from '../components/Link';
import { MetricChart } from '../components/MetricChart';
import { Panel, States } from '../components/Panel';
import { environmentId, forget, person, Problem, send, useAsk } from '../lib/api';
import { errors, type Envelope, type ErrorRow } from '../lib/asks';
import { metric } from '../lib/catalog';
import { csv } from '../lib/csv';
import { filterOn } from '../lib/filter';
import { count, NONE, percent } from '../lib/format';
import { hrefHere, hrefTo } from '../lib/route';
import type { QueryAnswer } from '../lib/query';
import { usePage } from '../lib/scope';
import { momentSeconds } from '../lib/time';

interface Category {
  severity?: string | null;
  business_exception?: boolean | null;
}
interface Rewrite {
  status: 'waiting' | 'running' | 'done' | 'failed';
  views: number;
  parts_total: number;
  parts_left: number;
}

// How far past views follow a category that has just been changed; when they do, everything is asked again.
function Rewriting({ id }: { id: number }) {
  const [state, set] = useState<Rewrite | null>(null);
  useEffect(() => {
    let timer = 0;
    const look = async () => {
      const answer = await send<{ data: { rewrite?: Rewrite } }>('GET', `/data/v1/errors/${id}`).catch(() => null);
      const now = answer?.data.rewrite ?? null;
      set(now);
      if (now?.status === 'waiting' || now?.status === 'running') timer = window.setTimeout(() => void look(), 1000);
      else forget();
    };
    void look();
    return () => clearTimeout(timer);
  }, [id]);
  if (!state) return null;
  const said = {
    waiting: 'Past views will follow in a moment.',
    running: `Past views are rewritten: ${state.parts_total - state.parts_left} of ${state.parts_total} parts are done.`,
    done: `Past views follow the new meaning; ${count(state.views)} were rewritten.`,
    failed: 'Past views could not be rewritten; the server tries again.',
  };
  return (
    <p class="hello" role="status">
      {said[state.status]}
    </p>
  );
}

// What an error's code means, decided here; the server rewrites past views in the background.
function Categorise({ row, close, saved }: { row: ErrorRow & Category; close: () => void; saved: () => void }) {
  const [wrong, say] = useState(''),
    [busy, work] = useState(false);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement),
      text = (name: string) => String(form.get(name) ?? '').trim() || null;
    const business = text('business');
    work(true);
    try {
      await send('PATCH', `/data/v1/errors/${encodeURIComponent(String(row.id))}`, {
        severity: text('severity'),
        business_exception: business === null ? null : business === 'true',
        description: text('description'),
        notes: text('notes'),
      });
      saved();
      close();
      forget();
    } catch (error) {
      say(error instanceof Problem ? error.message : String(error));
      work(false);
    }
  };
  return (
    <Dialog title="What this error means" close={close}>
      <p>
        <strong>
          <bdi>{row.player_error_code}</bdi>
        </strong>{' '}
        <bdi>{(row.message ?? '').slice(0, 300)}</bdi>
      </p>
      <form class="categorise" onSubmit={e => void save(e)}>
        <label class="field">
          Severity
          <select name="severity" defaultValue={row.severity ?? ''}>
            <option value="">as the player sent it</option>
            <option value="fatal">fatal: playback failed</option>
            <option value="warning">warning: playback went on</option>
          </select>
        </label>
        <label class="field">
          Business exception, such as a missing subscription
          <select
            name="business"
            defaultValue={
              row.business_exception === null || row.business_exception === undefined
                ? ''
                : String(row.business_exception)
            }
          >
            <option value="">as the player sent it</option>
            <option value="true">yes: counts as no failure</option>
            <option value="false">no</option>
          </select>
        </label>
        <label class="field">
          Description
          <input name="description" maxLength={1000} defaultValue={row.description ?? ''} />
        </label>
        <label class="field">
          Notes
          <textarea name="notes" rows={3} maxLength={1000} defaultValue={row.notes ?? ''} />
        </label>
        <p class="note">This holds for every error with this code. Past views are rewritten in the background.</p>
        <p class="wrong" role="alert">
          {wrong}
        </p>
        <div class="form-row">
          <button type="submit" class="button primary" disabled={busy}>
            Save
          </button>
          <button type="button" class="button" onClick={close}>
            Leave as it is
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function Errors() {
  const [chosen, choose] = useState<(ErrorRow & Category) | null>(null),
    [changed, rewrite] = useState<{ id: number; turn: number } | null>(null);
  const write =
    person
      .get()
      ?.environments.find(e => e.id === environmentId.get())
      ?.permissions.includes('data:write') ?? false;
  const page = usePage(),
    ask = errors(page),
    answer = useAsk<Envelope<(ErrorRow & Category)[]>>(ask),
    rows = answer.data?.data;
  const askTrend = trendAsk(page),
    trend = useAsk<QueryAnswer>(askTrend),
    over = trend.data && trends(page, trend.data);
  return (
    <>
      <div class="grid two">
        <MetricChart
          page={page}
          metric={metric('playback_failure_percentage')}
          title="Playback failures"
          note="share of views"
          before
        />
        <MetricChart
          page={page}
          metric={metric('video_startup_failure_percentage')}
          title="Failures before the first frame"
          note="share of views"
          before
        />
      </div>
      {changed && <Rewriting key={changed.turn} id={changed.id} />}
      <ErrorTrend page={page} />
      <Panel
        title="Errors by code and message"
        note={rows && `${count(rows.length)} kinds`}
        requests={[
          { label: 'Errors', ask },
          { label: 'Trend by code', ask: askTrend },
        ]}
        csv={
          rows &&
          (() =>
            csv(
              ['id', 'code', 'message', 'description', 'notes', 'views', 'percent_of_views', 'last_seen'],
              rows.map(r => [
                r.id,
                r.player_error_code,
                r.message,
                r.description,
                r.notes,
                r.count,
                r.percentage,
                r.last_seen,
              ]),
            ))
        }
      >
        <States of={answer} empty={a => a.data.length === 0} emptyText="No view with an error in this time range.">
          {a => {
            const most = Math.max(...a.data.map(r => r.percentage), 0);
            return (
              <div class="table-wrap">
                <table class="table errors">
                  <thead>
                    <tr>
                      <th scope="col">Code</th>
                      <th scope="col">Message</th>
                      <th scope="col" class="num">
                        Views
                      </th>
                      <th scope="col" class="num">
                        Share
                      </th>
                      <th scope="col" class="wide">
                        <span class="sr">Bar</span>
                      </th>
                      <th scope="col">Trend of the code</th>
                      <th scope="col">Last seen</th>
                      <th scope="col">
                        <span class="sr">Views with it</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {a.data.map(r => (
                      <tr key={r.id}>
                        <td>
                          <Link
                            class="row-link"
                            title="Filter by this code"
                            href={hrefHere({
                              f: [...new Set([...page.filters, filterOn('player_error_code', r.player_error_code)])],
                            })}
                          >
                            <bdi title={r.player_error_code?.slice(0, 500)}>{r.player_error_code ?? '(none)'}</bdi>
                          </Link>
                        </td>
                        <td class="message">
                          <bdi title={r.message?.slice(0, 1000)}>{r.message ?? NONE}</bdi>
                          {r.severity && <span class="tag">{r.severity}</span>}
                          {r.business_exception === true && <span class="tag">business exception</span>}
                          {r.description && (
                            <p class="note">
                              <bdi>{r.description}</bdi>
                            </p>
                          )}
                          {r.notes && (
                            <p class="note">
                              <bdi>{r.notes}</bdi>
                            </p>
                          )}
                        </td>
                        <td class="num">{count(r.count)}</td>
                        <td class="num">{percent(r.percentage / 100)}</td>
                        <td class="wide">
                          <svg class="bar bad" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8">
                            <rect width={most ? (100 * r.percentage) / most : 0} height="8" />
                          </svg>
                        </td>
                        <td>
                          <Spark values={over?.of.get(r.player_error_code ?? '')} />
                        </td>
                        <td class="when">{momentSeconds(Date.parse(r.last_seen))}</td>
                        <td class="when">
                          <Link href={hrefTo('/views', { error: String(r.id) })}>views</Link>
                          {write && r.player_error_code !== null && (
                            <button type="button" class="button quiet" onClick={() => choose(r)}>
                              Categorise
                            </button>
                          )}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            );
          }}
        </States>
      </Panel>
      {chosen && (
        <Categorise
          row={chosen}
          close={() => choose(null)}
          saved={() => rewrite({ id: chosen.id, turn: (changed?.turn ?? 0) + 1 })}
        />
      )}
    </>
  );
}
