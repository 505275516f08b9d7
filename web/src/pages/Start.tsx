// SPDX-License-Identifier: Apache-2.0
// Adding a player: a snippet with everything filled in, and below it the beacons as they arrive.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Code } from '../components/Dialog';
import { Link } from '../components/Link';
import { Panel } from '../components/Panel';
import { environmentId, person, Problem, send } from '../lib/api';
import { recentBeacons, viewList, type Envelope, type ViewRow } from '../lib/asks';
import { askUrl } from '../lib/ask';
import { duration } from '../lib/format';
import { PLAYERS } from '../lib/players';
import { change, hrefTo, usePlace } from '../lib/route';
import { useStore } from '../lib/store';
import { momentSeconds, readRange } from '../lib/time';

interface RecentEvent {
  event: string | null;
  view_id: string | null;
  viewer_time: number | null;
  refused: string | null;
  help: string | null;
  fields: Record<string, unknown>;
  ignored: { key: string; why: string }[];
}
interface Recent {
  received_at: string;
  format: string;
  bytes: number;
  browser: string | null;
  operating_system: string | null;
  country: string | null;
  problem: { reason: string; help: string; detail: string | null } | null;
  events: RecentEvent[];
}

const POLL_MS = 2000,
  FRESH_MS = 15 * 60_000, // what came longer before this page was opened is of another try
  SHOWN = 40;

function usePolled() {
  const environment = useStore(environmentId);
  const [state, set] = useState<{ posts?: Recent[]; views?: ViewRow[]; problem?: string }>({});
  useEffect(() => {
    let timer = 0,
      over = false;
    const poll = async () => {
      if (!document.hidden) {
        try {
          const [posts, views] = await Promise.all([
            send<{ data: Recent[] }>('GET', askUrl(recentBeacons())),
            send<Envelope<ViewRow[]>>('GET', askUrl(viewList({ range: readRange('60:minutes'), filters: [] }, 1, 5))),
          ]);
          if (!over) set({ posts: posts.data, views: views.data });
        } catch (error) {
          if (!over) set(s => ({ ...s, problem: error instanceof Problem ? error.message : String(error) }));
        }
      }
      if (!over) timer = window.setTimeout(() => void poll(), POLL_MS);
    };
    void poll();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [environment]);
  return state;
}

const text = (v: unknown) =>
  v === null || v === undefined ? '' : typeof v === 'object' ? JSON.stringify(v) : String(v);

function Step({ done, children }: { done: boolean; children: ComponentChildren }) {
  return (
    <li class={done ? 'step done' : 'step'}>
      <span aria-hidden="true">{done ? '✓' : '○'}</span>
      <span>
        {children}
        <span class="sr">{done ? ': done' : ': not yet'}</span>
      </span>
    </li>
  );
}

function Arriving() {
  const { posts, views, problem } = usePolled(),
    [frozen, freeze] = useState<Recent[] | null>(null);
  const since = useRef(Date.now());
  const shown = frozen ?? posts ?? [],
    events = shown.flatMap(p => p.events.map(e => ({ p, e }))).slice(0, SHOWN);
  const fresh = (posts ?? []).filter(p => Date.parse(p.received_at) >= since.current - FRESH_MS);
  const started = fresh.some(p => p.events.some(e => e.event === 'playing' || e.event === 'adplaying'));
  const last = views?.find(v => Date.parse(v.view_end) >= since.current - FRESH_MS);
  return (
    <Panel
      title="Beacons as they arrive"
      note={problem ? `waiting: ${problem}` : 'looked at every two seconds'}
      requests={[{ label: 'Recent beacons', ask: recentBeacons() }]}
      tools={
        <button
          type="button"
          class="button"
          aria-pressed={frozen !== null}
          onClick={() => freeze(frozen ? null : (posts ?? []))}
        >
          {frozen ? 'Go on' : 'Hold'}
        </button>
      }
    >
      <ol class="steps">
        <Step done={fresh.length > 0}>The first beacon has arrived</Step>
        <Step done={started}>A video has started to play</Step>
        <Step done={Boolean(last)}>
          A view is complete
          {last && (
            <>
              :{' '}
              <Link href={hrefTo(`/views/${encodeURIComponent(last.id)}`)}>
                <bdi>{last.video_title || 'untitled'}</bdi>
              </Link>
              , {last.watch_time === null ? '' : `${duration(last.watch_time)} watched`}
            </>
          )}
        </Step>
      </ol>
      {posts === undefined ? (
        <div key="skeleton" class="skeleton rows" role="status" aria-label="Loading" />
      ) : events.length === 0 && !shown.some(p => p.problem) ? (
        <div key="empty" class="state rows">
          <p>Nothing yet. Open the page with the player and press play; beacons come within ten seconds.</p>
        </div>
      ) : (
        <div class="table-wrap">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Received</th>
                <th scope="col">Event</th>
                <th scope="col">From</th>
                <th scope="col">View</th>
                <th scope="col">Fields</th>
              </tr>
            </thead>
            <tbody>
              {shown
                .filter(p => p.problem)
                .slice(0, 5)
                .map(p => (
                  <tr>
                    <td class="when">{momentSeconds(Date.parse(p.received_at))}</td>
                    <td>
                      <span class="tag bad">refused</span>
                    </td>
                    <td colSpan={3}>
                      <bdi>
                        {p.problem!.help} {p.problem!.detail}
                      </bdi>
                    </td>
                  </tr>
                ))}
              {events.map(({ p, e }) => (
                <tr>
                  <td class="when">{momentSeconds(Date.parse(p.received_at))}</td>
                  <td>
                    <bdi>{e.event ?? '?'}</bdi>
                    {e.refused && (
                      <span class="tag bad" title={e.help ?? ''}>
                        {e.refused}
                      </span>
                    )}
                  </td>
                  <td class="text">
                    <bdi>{[p.browser, p.operating_system, p.country].filter(Boolean).join(' · ')}</bdi>
                  </td>
                  <td>
                    <bdi>{(e.view_id ?? '').slice(0, 8)}</bdi>
                  </td>
                  <td>
                    <details class="details">
                      <summary>
                        <bdi>
                          {Object.keys(e.fields).length} fields{e.ignored.length ? `, ${e.ignored.length} ignored` : ''}
                          {e.fields.video_title ? ` · ${text(e.fields.video_title).slice(0, 60)}` : ''}
                        </bdi>
                      </summary>
                      <dl>
                        {Object.entries(e.fields).map(([k, v]) => (
                          <>
                            <dt>{k}</dt>
                            <dd dir="auto">{text(v)}</dd>
                          </>
                        ))}
                        {e.ignored.map(i => (
                          <>
                            <dt class="bad-text">
                              <bdi>{i.key}</bdi>
                            </dt>
                            <dd>{i.why}</dd>
                          </>
                        ))}
                      </dl>
                    </details>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

export function Start() {
  const { query } = usePlace(),
    who = useStore(person)!,
    environment = useStore(environmentId);
  const player = PLAYERS.find(p => p.key === query.get('player')) ?? PLAYERS[0];
  const base = who.public_url || location.origin,
    key = who.environments.find(e => e.id === environment)?.env_key ?? '';
  let host = location.host,
    secure = true;
  try {
    const url = new URL(base);
    host = url.host;
    secure = url.protocol === 'https:' || /^(localhost|127\.|\[::1\])/.test(url.hostname);
  } catch {
    /* what the operator set is no address: the browser's own will do */
  }
  return (
    <>
      <Panel
        title="Snippet"
        note={
          <>
            env key <code>{key}</code>
          </>
        }
      >
        <div class="choices" role="group" aria-label="Player">
          {PLAYERS.map(p => (
            <button
              type="button"
              class="choice"
              aria-pressed={p === player}
              onClick={() => change({ player: p.key }, true)}
            >
              {p.name}
            </button>
          ))}
        </div>
        <p class="meaning">{player.note}</p>
        {player.snippet({ base, host, key }).map(s => (
          <Code text={s.text} label={`${player.name}, ${s.language}`} />
        ))}
        {!secure && (
          <p class="error-line">
            Players send to https:// addresses only, localhost excepted, but this server calls itself <bdi>{base}</bdi>.
            Put it behind https and start it with <code>--public-url</code>.
          </p>
        )}
      </Panel>
      <Arriving />
    </>
  );
}
