// SPDX-License-Identifier: Apache-2.0
// How is it going: the headline numbers with their change, the score and its parts, time charts, worst offenders.
import { useEffect, useState } from 'preact/hooks';
import { Delta } from '../components/Delta';
import { Link } from '../components/Link';
import { MetricChart } from '../components/MetricChart';
import { Panel, States } from '../components/Panel';
import { RequestButton } from '../components/Request';
import { environmentId, person, refresh, send, useAsk } from '../lib/api';
import { askUrl } from '../lib/ask';
import {
  comparison,
  insights,
  overall,
  type ComparisonRow,
  type Envelope,
  type InsightRow,
  type Overall,
  type Scope,
} from '../lib/asks';
import { metric, nameOf, type Measure, type MetricId } from '../lib/catalog';
import { csv } from '../lib/csv';
import { filterOn } from '../lib/filter';
import { count, duration, exact, score, value as show } from '../lib/format';
import { hrefHere, hrefTo } from '../lib/route';
import { usePage, type Page } from '../lib/scope';
import { useStore } from '../lib/store';
import { previous, readRange } from '../lib/time';

interface Headline {
  id: MetricId;
  shown?: string;
  measure?: Measure;
  label?: string;
}
const HEADLINES: Headline[] = [
  { id: 'views' },
  { id: 'unique_viewers' },
  { id: 'playing_time' },
  { id: 'video_startup_time', measure: 'median', label: 'Startup time, median' },
  { id: 'rebuffer_percentage', label: 'Rebuffering' },
  { id: 'playback_failure_percentage' },
  { id: 'exits_before_video_start' },
  { id: 'weighted_average_bitrate', measure: 'median', label: 'Bitrate, median' },
];
const SCORES: Headline[] = [
  { id: 'viewer_experience_score' },
  { id: 'playback_success_score', shown: 'playback_failure_score' },
  { id: 'startup_time_score' },
  { id: 'rebuffer_score' },
  { id: 'video_quality_score' },
];

const flat = (rows: ComparisonRow[]): ComparisonRow[] => rows.flatMap(r => [r, ...(r.items ?? [])]);
function find(rows: ComparisonRow[] | undefined, h: Headline): number | null | undefined {
  return (
    rows &&
    flat(rows).find(
      r => r.metric === (h.shown ?? h.id) && (!h.measure || !r.measurement || r.measurement === h.measure),
    )?.value
  );
}
function pickOf(h: Headline) {
  const only = h.measure ? ` and .measurement == "${h.measure}"` : '';
  return {
    label: 'Only this number',
    jq: `[.data[] | ., .items[]?] | map(select(.metric == "${h.shown ?? h.id}"${only})) | .[0].value`,
  };
}

function Tile({
  h,
  page,
  now,
  before,
  scored,
}: {
  h: Headline;
  page: Page;
  now?: ComparisonRow[];
  before?: ComparisonRow[];
  scored?: boolean;
}) {
  const m = metric(h.id),
    current = find(now, h),
    name = h.label ?? nameOf(h.id);
  const pick = pickOf(h);
  return (
    <div class={scored ? 'tile score' : 'tile'} data-metric={h.id}>
      <div class="tile-head">
        <Link href={hrefTo('/explore', { id: h.id })} class="tile-name">
          {name}
        </Link>
        <RequestButton
          of={name}
          requests={[
            { label: 'This period', ask: comparison(page), pick },
            { label: 'The period before', ask: comparison({ ...page, range: previous(page.span) }), pick },
          ]}
        />
      </div>
      <div class="tile-value" title={exact(current)}>
        {now ? show(current, m.unit) : <span class="skeleton word" />}
      </div>
      {scored && (
        <svg class="gauge" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 4">
          <rect class="gauge-back" width="100" height="4" />
          <rect class="gauge-fill" width={Math.max(0, (current ?? 0) * 100)} height="4" />
        </svg>
      )}
      <div class="tile-foot">
        {now && before ? (
          <Delta now={current} before={find(before, h)} metric={m} />
        ) : (
          <span class="delta none">&nbsp;</span>
        )}
      </div>
    </div>
  );
}

function Offenders({ page }: { page: Page }) {
  const ask = insights('viewer_experience_score', page),
    answer = useAsk<Envelope<InsightRow[]>>(ask);
  const harmful = (rows: InsightRow[]) => rows.filter(r => r.negative_impact_score < 0).slice(0, 8);
  const rows = answer.data && harmful(answer.data.data);
  return (
    <Panel
      title="What pulls the score down"
      note="values whose views score worse than the rest, by how much they weigh"
      requests={[{ label: 'Insights', ask }]}
      csv={
        rows &&
        (() =>
          csv(
            ['dimension', 'value', 'score', 'views', 'impact'],
            rows.map(r => [r.filter_column, r.filter_value, r.metric, r.total_views, r.negative_impact_score]),
          ))
      }
    >
      <States of={answer} empty={a => harmful(a.data).length === 0} emptyText="Nothing stands out.">
        {a => {
          const list = harmful(a.data),
            worst = Math.abs(list[0].negative_impact_score);
          return (
            <div class="table-wrap">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">Where</th>
                    <th scope="col" class="num">
                      Score
                    </th>
                    <th scope="col" class="num">
                      Views
                    </th>
                    <th scope="col" class="wide">
                      Weight
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map(r => (
                    <tr>
                      <td>
                        <Link
                          class="row-link"
                          href={hrefHere({ f: [...page.filters, filterOn(r.filter_column, r.filter_value)] })}
                        >
                          <span class="hint">{nameOf(r.filter_column)}</span> <bdi>{r.filter_value || '(none)'}</bdi>
                        </Link>
                      </td>
                      <td class="num">{r.metric === null ? '–' : score(r.metric)}</td>
                      <td class="num">{count(r.total_views)}</td>
                      <td class="wide">
                        <svg class="bar bad" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8">
                          <rect width={(100 * Math.abs(r.negative_impact_score)) / worst} height="8" />
                        </svg>
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
  );
}

const NOW_MS = 30_000,
  NOW: Scope = { range: readRange('30:minutes'), filters: [] };

// Who came in the last half hour, looked at again twice a minute while the page can be seen.
function Now() {
  const environment = useStore(environmentId),
    turn = useStore(refresh),
    ask = overall('unique_viewers', NOW);
  const [viewers, set] = useState<number | null | undefined>(undefined);
  useEffect(() => {
    let over = false;
    const look = async () => {
      if (document.hidden) return;
      const answer = await send<Envelope<Overall>>('GET', askUrl(ask)).catch(() => null);
      if (!over) set(answer ? (answer.data.value ?? 0) : null);
    };
    void look();
    const timer = setInterval(() => void look(), NOW_MS);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }, [environment, turn]);
  return (
    <p class="now">
      <span class={viewers ? 'now-dot on' : 'now-dot'} aria-hidden="true" />
      <strong data-value={viewers}>{typeof viewers === 'number' ? count(viewers) : '–'}</strong>
      <span>
        {viewers === 1 ? 'viewer' : 'viewers'} began to watch in the last 30 minutes
        {viewers === null ? '; the server does not answer' : ''} ·{' '}
        <Link href={hrefTo('/', { t: '60:minutes' })}>the last hour by minutes</Link>
      </span>
      <RequestButton of="Viewers in the last 30 minutes" requests={[{ label: 'Viewers', ask }]} />
    </p>
  );
}

export function Overview() {
  const page = usePage(),
    ask = comparison(page),
    askBefore = comparison({ ...page, range: previous(page.span) });
  const now = useAsk<Envelope<ComparisonRow[]>>(ask, true),
    before = useAsk<Envelope<ComparisonRow[]>>(askBefore, true);
  const totals = now.data?.data.find(r => r.name === 'totals');
  const tiles = (list: Headline[], scored?: boolean) =>
    list.map(h => <Tile h={h} page={page} now={now.data?.data} before={before.data?.data} scored={scored} />);
  return (
    <>
      {now.error ? (
        <div class="panel">
          <States of={now}>{() => null}</States>
        </div>
      ) : (
        <>
          <Now />
          <section class={now.loading ? 'tiles stale' : 'tiles'} aria-label="Headline numbers" aria-busy={now.loading}>
            {tiles(HEADLINES)}
          </section>
          <section class={now.loading ? 'tiles scores stale' : 'tiles scores'} aria-label="Scores">
            {tiles(SCORES, true)}
          </section>
        </>
      )}
      {totals?.view_count === 0 && !page.filters.length && (
        <p class="hello">
          No view has ended in this time range. <Link href={hrefTo('/start')}>Add a player</Link> to see the first ones
          arrive.
        </p>
      )}
      <div class="grid two">
        <MetricChart page={page} metric={metric('views')} before title="Views" />
        <MetricChart page={page} metric={metric('unique_viewers')} before title="Viewers" />
        <MetricChart
          page={page}
          metric={metric('video_startup_time')}
          measure="median"
          before
          title="Time to first frame"
          note="median"
        />
        <MetricChart page={page} metric={metric('viewer_experience_score')} before title="Overall score" />
        <MetricChart
          page={page}
          metric={metric('playback_failure_percentage')}
          before
          title="Playback failures"
          note="share of views"
        />
        <MetricChart
          page={page}
          metric={metric('rebuffer_percentage')}
          before
          title="Rebuffering"
          note="share of watch time"
        />
      </div>
      <Offenders page={page} />
      {totals && (
        <p class="footnote">
          {count(totals.ended_views ?? 0)} views ended and {count(totals.started_views ?? 0)} started in this time
          range; {duration(totals.watch_time ?? 0)} of watching. Changes are against the period of the same length just
          before; the shaded part of a chart is still running. Players send here with the env key{' '}
          <code>{person.get()?.environments.find(e => e.id === environmentId.get())?.env_key}</code>:{' '}
          <Link href={hrefTo('/start')}>add a player</Link>.
        </p>
      )}
    </>
  );
}
