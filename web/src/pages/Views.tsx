// SPDX-License-Identifier: Apache-2.0
// The list of views, newest first, searched by viewer and by error.
import { useState } from 'preact/hooks';
import { Values } from '../components/Filters';
import { Icon } from '../components/Icon';
import { Link } from '../components/Link';
import { Panel, States } from '../components/Panel';
import { Popover } from '../components/Popover';
import { Pager } from '../components/Table';
import { useAsk } from '../lib/api';
import { errors, viewList, type Envelope, type ErrorRow, type ViewRow } from '../lib/asks';
import { csv } from '../lib/csv';
import { duration, NONE, score } from '../lib/format';
import { change, hrefTo } from '../lib/route';
import { addFilter, usePage } from '../lib/scope';
import { fullMoment, momentSeconds } from '../lib/time';

const LIMIT = 50;

export function Views() {
  const page = usePage(),
    viewer = page.get('viewer') ?? '',
    error = page.get('error') ?? '';
  const at = Math.max(1, parseInt(page.get('page') ?? '1', 10) || 1);
  const ask = viewList(page, at, LIMIT, viewer, /^(any|-?\d+)$/.test(error) ? error : undefined);
  const answer = useAsk<Envelope<ViewRow[]>>(ask);
  const known = useAsk<Envelope<ErrorRow[]>>(errors(page));
  const [text, type] = useState(viewer);
  const rows = answer.data?.data;
  const search = (e: Event) => {
    e.preventDefault();
    change({ viewer: text.trim() || null, page: null });
  };
  return (
    <Panel
      title="Views that ended in this time range"
      requests={[{ label: 'Views', ask }]}
      csv={
        rows &&
        (() =>
          csv(
            [
              'id',
              'view_start',
              'view_end',
              'video_title',
              'browser',
              'operating_system',
              'country',
              'score',
              'watch_time_ms',
              'failed',
              'error_code',
              'error_message',
            ],
            rows.map(r => [
              r.id,
              r.view_start,
              r.view_end,
              r.video_title,
              r.viewer_application_name,
              r.viewer_os_family,
              r.country_code,
              r.viewer_experience_score,
              r.watch_time,
              r.playback_failure,
              r.player_error_code,
              r.player_error_message,
            ]),
          ))
      }
    >
      <form class="search" onSubmit={search} role="search">
        <input
          type="search"
          aria-label="Viewer id"
          placeholder="Viewer id"
          value={text}
          maxLength={500}
          onInput={e => {
            type(e.currentTarget.value);
            if (!e.currentTarget.value && viewer) change({ viewer: null, page: null });
          }}
        />
        <button type="submit" class="button">
          Find
        </button>
        <Popover
          label="Find by video"
          button={
            <>
              <Icon name="views" />
              <span>Video…</span>
            </>
          }
        >
          {close => (
            <Values
              page={page}
              dimension="video_title"
              pick={f => {
                addFilter(page, f);
                close();
              }}
            />
          )}
        </Popover>
        <select
          aria-label="Error"
          value={error}
          onChange={e => change({ error: e.currentTarget.value || null, page: null })}
        >
          <option value="">With and without errors</option>
          <option value="any">With any error</option>
          {error && error !== 'any' && !known.data?.data.some(x => String(x.id) === error) && (
            <option value={error}>Error {error}</option>
          )}
          {known.data?.data.slice(0, 100).map(x => (
            <option value={String(x.id)}>{`${x.player_error_code ?? '?'}: ${(x.message ?? '').slice(0, 80)}`}</option>
          ))}
        </select>
      </form>
      <States
        of={answer}
        empty={a => a.data.length === 0}
        emptyText={viewer ? 'No view of this viewer in this time range.' : 'No view ended in this time range.'}
      >
        {a => (
          <>
            <div class="table-wrap">
              <table class="table views">
                <thead>
                  <tr>
                    <th scope="col">Ended</th>
                    <th scope="col">Video</th>
                    <th scope="col">Player</th>
                    <th scope="col">Country</th>
                    <th scope="col" class="num">
                      Watched
                    </th>
                    <th scope="col" class="num">
                      Score
                    </th>
                    <th scope="col">Error</th>
                  </tr>
                </thead>
                <tbody>
                  {a.data.map(r => (
                    <tr key={r.id}>
                      <td class="when">
                        <Link
                          href={hrefTo(`/views/${encodeURIComponent(r.id)}`)}
                          title={fullMoment(Date.parse(r.view_end))}
                        >
                          {momentSeconds(Date.parse(r.view_end))}
                        </Link>
                      </td>
                      <td class="text">
                        <bdi>{r.video_title ?? NONE}</bdi>
                      </td>
                      <td class="text">
                        <bdi>{[r.viewer_application_name, r.viewer_os_family].filter(Boolean).join(' · ') || NONE}</bdi>
                      </td>
                      <td>
                        <bdi>{r.country_code ?? NONE}</bdi>
                      </td>
                      <td class="num">{r.watch_time === null ? NONE : duration(r.watch_time)}</td>
                      <td class="num">
                        {r.viewer_experience_score === null ? NONE : score(r.viewer_experience_score)}
                      </td>
                      <td class="text">
                        {r.error_type_id !== null && (
                          <span class={r.playback_failure ? 'tag bad' : 'tag'}>
                            {r.playback_failure ? 'failed' : 'error'}
                          </span>
                        )}{' '}
                        <bdi title={r.player_error_message?.slice(0, 500)}>{r.player_error_code ?? ''}</bdi>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <Pager page={at} limit={LIMIT} total={a.total_row_count ?? 0} noun="views" />
          </>
        )}
      </States>
    </Panel>
  );
}
