// SPDX-License-Identifier: Apache-2.0
// Which parts of a video are watched: heatmap and hotspots.
import { Panel, States } from '../components/Panel';
import { Picker } from '../components/Picker';
import { Popover } from '../components/Popover';
import { Icon } from '../components/Icon';
import { useAsk } from '../lib/api';
import { pathOf, type Ask, type Param } from '../lib/ask';
import { dimensionValues, type Envelope, type ValueRow } from '../lib/asks';
import { csv } from '../lib/csv';
import { count, percent } from '../lib/format';
import { change } from '../lib/route';
import { usePage } from '../lib/scope';

interface Heatmap {
  total_views: number;
  value: number[];
}
interface Hotspots {
  total_views: number;
  hotspots: { start_ms: number; end_ms: number; score: number }[];
}

const clock = (ms: number) => {
  const s = Math.round(ms / 1000),
    h = Math.floor(s / 3600),
    m = Math.floor(s / 60) % 60;
  return `${h ? `${h}:${String(m).padStart(2, '0')}` : m}:${String(s % 60).padStart(2, '0')}`;
};

// The curve: how large a share of the views saw each part.
function Curve({ value }: { value: number[] }) {
  const wide = 1000,
    high = 200,
    x = (i: number) => (i * wide) / value.length,
    y = (v: number) => high - v * (high - 6);
  const top = value
    .map((v, i) => `L${x(i).toFixed(1)} ${y(v).toFixed(1)}H${x(i + 1).toFixed(1)}`)
    .join('')
    .replace(/^L/, 'M');
  const seconds = value.length > 10 && value.length < 1000; // then a part is about a second
  const marks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <figure class="curve">
      <div class="curve-plot">
        <ul class="curve-y" aria-hidden="true">
          {[100, 50, 0].map(p => (
            <li>{p} %</li>
          ))}
        </ul>
        <svg
          viewBox={`0 0 ${wide} ${high}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Share of the views that saw each of ${value.length} parts, from ${percent(Math.min(...value))} to ${percent(Math.max(...value))}`}
        >
          <line x1="0" x2={wide} y1={y(1)} y2={y(1)} class="lane-grid" />
          <line x1="0" x2={wide} y1={y(0.5)} y2={y(0.5)} class="lane-grid" />
          <path d={`${top}V${high}H0Z`} class="curve-fill" />
          <path d={top} class="curve-line" />
        </svg>
      </div>
      <figcaption class="curve-marks">
        {marks.map(m => (
          <span>{seconds ? clock(m * value.length * 1000) : percent(m)}</span>
        ))}
      </figcaption>
    </figure>
  );
}

export function Engagement() {
  const page = usePage(),
    list = dimensionValues('video_id', { range: page.range, filters: [] }, 200);
  const videos = useAsk<Envelope<ValueRow[]>>(list),
    known = (videos.data?.data ?? []).filter(v => v.value);
  const id = page.get('video') ?? known[0]?.value ?? null;
  const timeframe = page.range.values.map((v): Param => ['timeframe[]', v]);
  const heat: Ask | null =
    id === null ? null : { path: pathOf('data', 'v1', 'engagement', 'videos', id, 'heatmap'), params: timeframe };
  const spots: Ask | null =
    id === null
      ? null
      : { path: pathOf('data', 'v1', 'engagement', 'videos', id, 'hotspots'), params: [...timeframe, ['limit', '20']] };
  const heatmap = useAsk<Envelope<Heatmap>>(heat),
    hotspots = useAsk<Envelope<Hotspots>>(spots);
  if (id === null)
    return (
      <Panel title="Videos" requests={[{ label: 'Videos', ask: list }]}>
        <States of={videos} empty={() => true} emptyText="No video was watched in this time range.">
          {() => null}
        </States>
      </Panel>
    );
  const rows = hotspots.data?.data.hotspots;
  return (
    <>
      <div class="filters">
        <Popover
          label={`Choose a video: ${id}`}
          class="button"
          button={
            <>
              <Icon name="views" />
              <bdi class="chip-value">{id}</bdi>
              <Icon name="right" />
            </>
          }
        >
          {close => (
            <Picker
              label="Video id"
              loading={videos.loading}
              options={known.map(v => ({ value: v.value!, label: v.value!, hint: count(v.total_count) }))}
              free={text => ({ value: text, label: text, hint: 'as typed' })}
              pick={video => {
                change({ video });
                close();
              }}
            />
          )}
        </Popover>
      </div>
      <Panel
        title="Who saw which part"
        note={heatmap.data && `share of ${count(heatmap.data.data.total_views)} views`}
        requests={heat ? [{ label: 'Heatmap', ask: heat }] : []}
        csv={
          heatmap.data &&
          (() =>
            csv(
              ['part', 'share_of_views'],
              heatmap.data!.data.value.map((v, i) => [i, v]),
            ))
        }
      >
        <States
          of={heatmap}
          height="chart"
          px={248}
          empty={a => a.data.total_views === 0}
          emptyText="No view of this video told which parts were played; mux-embed does since 5.15."
        >
          {a => <Curve value={a.data.value} />}
        </States>
      </Panel>
      <Panel
        title="Hotspots"
        note="the parts that were watched most"
        requests={spots ? [{ label: 'Hotspots', ask: spots }] : []}
        csv={
          rows &&
          (() =>
            csv(
              ['start_ms', 'end_ms', 'score'],
              rows.map(r => [r.start_ms, r.end_ms, r.score]),
            ))
        }
      >
        <States of={hotspots} empty={a => a.data.hotspots.length === 0} emptyText="No part stands out.">
          {a => (
            <div class="table-wrap">
              <table class="table">
                <thead>
                  <tr>
                    <th scope="col">From</th>
                    <th scope="col">To</th>
                    <th scope="col" class="num">
                      Score
                    </th>
                    <th scope="col" class="wide">
                      <span class="sr">Bar</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {a.data.hotspots.map(h => (
                    <tr>
                      <td>{clock(h.start_ms)}</td>
                      <td>{clock(h.end_ms)}</td>
                      <td class="num">{h.score.toFixed(2)}</td>
                      <td class="wide">
                        <svg class="bar" aria-hidden="true" preserveAspectRatio="none" viewBox="0 0 100 8">
                          <rect width={h.score * 100} height="8" />
                        </svg>
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </States>
      </Panel>
    </>
  );
}
