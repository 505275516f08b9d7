// SPDX-License-Identifier: Apache-2.0
// One view: its course as a drawing, its events, and every field.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Legend } from '../components/Chart';
import { CopyButton } from '../components/Dialog';
import { Icon } from '../components/Icon';
import { Link } from '../components/Link';
import { Panel, States } from '../components/Panel';
import { RequestButton } from '../components/Request';
import { person, useAsk } from '../lib/api';
import type { Ask } from '../lib/ask';
import { viewDetail, type Envelope, type ViewDetail as Detail, type ViewEvent } from '../lib/asks';
import { FIELD_UNITS, findDimension } from '../lib/catalog';
import { csv } from '../lib/csv';
import { filterOn } from '../lib/filter';
import { bitrate, duration, exact, NONE, number, percent, score, value as show, words } from '../lib/format';
import { hrefTo, usePlace } from '../lib/route';
import { useStore } from '../lib/store';
import { STATE_NAMES, timeline } from '../lib/timeline';
import { fullMoment, zone } from '../lib/time';

const num = (v: unknown): number | null =>
  v === null || v === undefined || v === '' || !Number.isFinite(Number(v)) ? null : Number(v);
const str = (v: unknown): string =>
  v === null || v === undefined ? '' : typeof v === 'object' ? JSON.stringify(v) : String(v);

function useWidth() {
  const box = useRef<HTMLDivElement>(null),
    [width, set] = useState(800);
  useEffect(() => {
    const sized = new ResizeObserver(() => box.current?.clientWidth && set(box.current.clientWidth));
    sized.observe(box.current!);
    return () => sized.disconnect();
  }, []);
  return { box, width };
}

const tick = (ms: number) => {
  const s = Math.round(ms / 1000);
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
};
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400].map(s => s * 1000);

function Course({ events }: { events: ViewEvent[] }) {
  const line = useMemo(() => timeline(events), [events]),
    { box, width } = useWidth(),
    [zoom, set] = useState(1);
  const left = width < 560 ? 8 : 96,
    wide = Math.max(200, width * zoom - left - 12),
    x = (ms: number) => left + (wide * ms) / line.length;
  const step = STEPS.find(s => (wide * s) / line.length > 64) ?? line.length;
  const ticks = Array.from({ length: Math.floor(line.length / step) + 1 }, (_, i) => i * step);
  const present = [...new Set(line.states.map(s => s.what))];
  const said = present
    .map(
      s =>
        `${STATE_NAMES[s]} ${duration(line.states.filter(x => x.what === s).reduce((n, x) => n + x.to - x.from, 0))}`,
    )
    .join(', ');
  const label = (y: number, name: string) =>
    left > 50 ? (
      <text x="0" y={y} class="lane-name">
        {name}
      </text>
    ) : null;
  return (
    <>
      <div class="course" ref={box} tabIndex={zoom > 1 ? 0 : undefined} role="group" aria-label="Course of the view">
        <svg
          width={left + wide + 12}
          height="150"
          role="img"
          aria-label={`Course of the view over ${duration(line.length)}. ${said}`}
        >
          {ticks.map(t => (
            <g>
              <line x1={x(t)} x2={x(t)} y1="8" y2="124" class="lane-grid" />
              <text x={x(t)} y="142" class="lane-tick">
                {tick(t)}
              </text>
            </g>
          ))}
          {label(31, 'State')}
          {label(63, 'Rendition')}
          {label(93, line.requests.length ? 'Requests' : 'No requests')}
          {label(117, 'Events')}
          {line.states.map(s => (
            <rect
              x={x(s.from)}
              y="12"
              width={Math.max(1.5, x(s.to) - x(s.from))}
              height="28"
              rx="2"
              class={`state-${s.what}`}
            >
              <title>{`${STATE_NAMES[s.what]} ${duration(s.to - s.from)}, from ${tick(s.from)}`}</title>
            </rect>
          ))}
          {line.renditions.map((r, i) => (
            <g>
              <rect
                x={x(r.from)}
                y="48"
                width={Math.max(1.5, x(r.to) - x(r.from))}
                height="22"
                rx="2"
                class={i % 2 ? 'rendition odd' : 'rendition'}
              >
                <title>{`${r.what}, ${duration(r.to - r.from)}`}</title>
              </rect>
              {x(r.to) - x(r.from) > r.what.length * 6.4 + 10 && (
                <text x={x(r.from) + 6} y="63" class="lane-text">
                  {r.what}
                </text>
              )}
            </g>
          ))}
          {line.requests.slice(0, 3000).map(r => {
            const from = Math.max(0, r.at - (r.took ?? 0));
            return (
              <rect
                x={x(from)}
                y={r.kind === 'failed' ? 80 : 84}
                width={Math.max(1.5, x(r.at) - x(from))}
                height={r.kind === 'failed' ? 18 : 10}
                class={r.kind === 'failed' ? 'point-bad' : 'point'}
              >
                <title>{[r.name, r.text, tick(r.at)].filter(Boolean).join(', ')}</title>
              </rect>
            );
          })}
          {line.points.map(p => (
            <g>
              <title>{[p.name, p.text, tick(p.at)].filter(Boolean).join(', ')}</title>
              {p.kind === 'error' ? (
                <path d={`M${x(p.at)} 105l6 11h-12z`} class="point-bad" />
              ) : (
                <circle cx={x(p.at)} cy="112" r="3" class="point" />
              )}
            </g>
          ))}
        </svg>
      </div>
      <div class="course-foot">
        <Legend lines={present.map(s => ({ label: STATE_NAMES[s], colour: `--state-${s}`, block: true }))} />
        <span>
          <button
            type="button"
            class="button quiet"
            disabled={zoom <= 1}
            onClick={() => set(zoom / 2)}
            aria-label="Zoom out"
          >
            −
          </button>
          <button
            type="button"
            class="button quiet"
            disabled={zoom >= 64}
            onClick={() => set(zoom * 2)}
            aria-label="Zoom in"
          >
            +
          </button>
        </span>
      </div>
    </>
  );
}

const FIRST = 100;
function Events({ events }: { events: ViewEvent[] }) {
  const [beats, showBeats] = useState(false),
    [requests, showRequests] = useState(false),
    [shown, more] = useState(FIRST);
  const zero = timeline(events).zero;
  const list = events.filter(e => (beats || e.name !== 'hb') && (requests || !e.name.startsWith('requestc')));
  return (
    <>
      <div class="course-foot">
        <label class="switch">
          <input type="checkbox" checked={requests} onChange={e => showRequests(e.currentTarget.checked)} /> requests
        </label>
        <label class="switch">
          <input type="checkbox" checked={beats} onChange={e => showBeats(e.currentTarget.checked)} /> heartbeats
        </label>
        <span class="note">
          {list.length} of {events.length} events
        </span>
      </div>
      <div class="table-wrap">
        <table class="table">
          <thead>
            <tr>
              <th scope="col" class="num">
                After
              </th>
              <th scope="col">Event</th>
              <th scope="col" class="num">
                Playhead
              </th>
              <th scope="col">Details</th>
            </tr>
          </thead>
          <tbody>
            {list.slice(0, shown).map((e, i) => {
              const details = Object.entries(e.details);
              return (
                <tr key={i}>
                  <td class="num" title={fullMoment(e.event_time)}>
                    {((e.viewer_time - zero) / 1000).toFixed(2)} s
                  </td>
                  <td class="when">
                    <bdi class={e.name.includes('error') || e.name.endsWith('failed') ? 'bad-text' : undefined}>
                      {e.name}
                    </bdi>
                  </td>
                  <td class="num">{(e.playback_time / 1000).toFixed(2)} s</td>
                  <td>
                    {details.length > 0 && (
                      <details class="details">
                        <summary>
                          <bdi>
                            {details
                              .slice(0, 3)
                              .map(([k, v]) => `${k}: ${str(v).slice(0, 60)}`)
                              .join(' · ')}
                          </bdi>
                        </summary>
                        <dl>
                          {details.map(([k, v]) => (
                            <>
                              <dt>{k}</dt>
                              <dd dir="auto">{str(v)}</dd>
                            </>
                          ))}
                        </dl>
                      </details>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {list.length > shown && (
        <div class="pager">
          <span>{shown} shown</span>
          <button type="button" class="button" onClick={() => more(shown + 500)}>
            Show more
          </button>
        </div>
      )}
    </>
  );
}

const PARTS: [name: string, pattern: RegExp][] = [
  ['Video', /^(video_|asset_id|playback_id|live_stream_id|cdn|source_)/],
  ['Viewer', /^(viewer_|mux_viewer|client_application|platform)/],
  ['Place', /^(country|region|city|continent|latitude|longitude|asn|isp|metro)/],
  ['Player', /^(player_|page_|mux_|used_|time_shift)/],
  ['Advertisements', /^(ad_|preroll|requests_for)/],
  ['Own dimensions', /^(custom_|experiment|sub_property)/],
  ['View', /./],
];
const DIMENSION_OF: Record<string, string> = {
  country_code: 'country',
  viewer_application_name: 'browser',
  viewer_os_family: 'operating_system',
  viewer_application_version: 'browser_version',
  viewer_os_version: 'operating_system_version',
  player_source_host_name: 'source_hostname',
  video_stream_type: 'stream_type',
  player_source_type: 'source_type',
};

// A field that is measured in a known unit; null of every other, and of the -1 that stands for "not known".
function measured(field: string, of: unknown): string | null {
  const unit = FIELD_UNITS[field],
    v = num(of);
  return unit && v !== null && v >= 0 ? show(v, unit) : null;
}

function Fields({ view }: { view: Detail }) {
  const [text, type] = useState(''),
    [all, showAll] = useState(false),
    wanted = text.trim().toLowerCase();
  const left = Object.keys(view)
    .filter(k => k !== 'events')
    .sort();
  const parts = PARTS.map(([name, pattern]) => {
    const keys = left.filter(k => pattern.test(k));
    for (const k of keys) left.splice(left.indexOf(k), 1);
    return {
      name,
      keys: keys.filter(
        k =>
          (all || str(view[k]) !== '') &&
          (!wanted || k.includes(wanted) || str(view[k]).toLowerCase().includes(wanted)),
      ),
    };
  });
  return (
    <>
      <div class="search">
        <input
          type="search"
          aria-label="Find a field"
          placeholder="Find a field or value"
          value={text}
          onInput={e => type(e.currentTarget.value)}
        />
        <label class="switch">
          <input type="checkbox" checked={all} onChange={e => showAll(e.currentTarget.checked)} /> empty ones too
        </label>
      </div>
      <div class="fields">
        {parts
          .filter(p => p.keys.length)
          .map(p => (
            <section>
              <h3>{p.name}</h3>
              <dl>
                {p.keys.map(k => {
                  const value = str(view[k]),
                    withUnit = measured(k, view[k]),
                    dimension = findDimension(DIMENSION_OF[k] ?? k);
                  return (
                    <>
                      <dt title={k}>{words(k)}</dt>
                      <dd dir="auto" title={withUnit === null ? undefined : value}>
                        {value === '' ? (
                          NONE
                        ) : dimension && typeof view[k] !== 'object' ? (
                          <Link
                            href={hrefTo('/views', { f: [filterOn(dimension.id, value)] })}
                            title="Views with this value"
                          >
                            {withUnit ?? value}
                          </Link>
                        ) : (
                          (withUnit ?? value)
                        )}
                      </dd>
                    </>
                  );
                })}
              </dl>
            </section>
          ))}
      </div>
    </>
  );
}

const FACTS: [name: string, field: string, shown: (v: number) => string][] = [
  ['Overall score', 'viewer_experience_score', score],
  ['Startup time', 'time_to_first_frame', duration],
  ['Watched', 'watch_time', duration],
  ['Rebuffering', 'rebuffer_percentage', percent],
  ['Stalls', 'buffering_count', number],
  ['Bitrate', 'weighted_average_bitrate', bitrate],
];

function Facts({ view, ask }: { view: Detail; ask: Ask }) {
  return (
    <section class="tiles six" aria-label="In short">
      {FACTS.map(([name, field, shown]) => {
        const value = num(view[field]);
        return (
          <div class="tile" data-field={field}>
            <div class="tile-head">
              <span class="tile-name">{name}</span>
              <RequestButton
                of={name}
                requests={[{ label: 'View', ask, pick: { label: 'Only this number', jq: `.data.${field}` } }]}
              />
            </div>
            <div class="tile-value" title={exact(value)}>
              {value === null ? NONE : shown(value)}
            </div>
          </div>
        );
      })}
    </section>
  );
}

// An address that somebody cut in the middle of an escape is an unknown view, no broken page.
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function ViewDetail() {
  const id = decoded(usePlace().path.slice('/views/'.length));
  useStore(zone);
  const ask = viewDetail(id),
    answer = useAsk<Envelope<Detail>>(ask),
    view = answer.data?.data;
  const environment = usePlace().query.get('e') ?? str(view?.environment_id);
  const base = person.get()?.public_url || location.origin;
  const link = `${base}/views/${encodeURIComponent(id)}?e=${encodeURIComponent(environment)}`;
  if (!view)
    return (
      <Panel title="View">
        <States of={answer}>{() => null}</States>
      </Panel>
    );
  const failed = view.playback_failure === true;
  return (
    <>
      <div class="view-head">
        <Link href={hrefTo('/views')} class="button">
          <Icon name="left" /> All views
        </Link>
        <div class="view-title">
          <strong>
            <bdi>{str(view.video_title) || str(view.video_id) || 'Untitled'}</bdi>
          </strong>
          <span class="note">
            {fullMoment(Date.parse(str(view.view_start)))} ·{' '}
            <bdi>
              {[view.viewer_application_name, view.viewer_os_family, view.country_code]
                .map(str)
                .filter(Boolean)
                .join(' · ')}
            </bdi>
          </span>
        </div>
        {failed && <span class="tag bad">failed</span>}
        {view.exit_before_video_start === true && <span class="tag">left before the start</span>}
        <CopyButton text={link} label="Copy the link" />
      </div>
      <Facts view={view} ask={ask} />
      {str(view.player_error_message) !== '' && (
        <p class="error-line">
          <strong>
            <bdi>{str(view.player_error_code)}</bdi>
          </strong>{' '}
          <bdi>{str(view.player_error_message)}</bdi>
        </p>
      )}
      <Panel
        title="Course"
        requests={[{ label: 'View', ask, pick: { label: 'Events', jq: '.data.events[] | [.viewer_time, .name]' } }]}
      >
        {view.events.length ? (
          <Course events={view.events} />
        ) : (
          <div class="state line">
            <p>No events are stored with this view.</p>
          </div>
        )}
      </Panel>
      <div class="grid wide-narrow">
        <Panel
          title="Events"
          requests={[{ label: 'View', ask, pick: { label: 'Events', jq: '.data.events' } }]}
          csv={() =>
            csv(
              ['viewer_time', 'event_time', 'playback_time', 'name', 'details'],
              view.events.map(e => [e.viewer_time, e.event_time, e.playback_time, e.name, JSON.stringify(e.details)]),
            )
          }
        >
          <Events events={view.events} />
        </Panel>
        <Panel
          title="Fields"
          requests={[{ label: 'View', ask }]}
          csv={() =>
            csv(
              ['field', 'value'],
              Object.keys(view)
                .filter(k => k !== 'events')
                .sort()
                .map(k => [k, str(view[k])]),
            )
          }
        >
          <Fields view={view} />
        </Panel>
      </div>
    </>
  );
}
