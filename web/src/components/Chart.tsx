// SPDX-License-Identifier: Apache-2.0
// A line chart over time on uPlot: gaps stay gaps, dragging zooms, arrow keys move the cursor, all charts of a page
// share one. Colours come from the style sheet.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useStore } from '../lib/store';
import { colour, painted } from '../lib/theme';
import { dayMonth, hourMinute, moment, zone } from '../lib/time';

export interface Line {
  label: string;
  values: (number | null)[];
  colour: string; // a custom property of the style sheet
  dash?: boolean;
  fill?: boolean;
  format: (v: number | null) => string;
}
export interface Mark {
  at: number;
  text: string;
}
export interface ChartProps {
  label: string; // what a reader who cannot see it is told
  times: number[]; // Unix seconds of each bucket's start
  step: number; // seconds of a bucket
  lines: Line[];
  volume?: (number | null)[]; // views behind each point, as faint bars
  volumeLabel?: string;
  marks?: Mark[];
  running?: boolean; // the last bucket is not over
  height?: number;
  sync?: string;
  zeroBased?: boolean;
  zoom?: (start: number, end: number) => void;
}

function timeLabels(_: uPlot, splits: number[], __: number, ___: number, increment: number): string[] {
  let day = '';
  return splits.map(s => {
    if (increment >= 86400) return dayMonth(s);
    const today = dayMonth(s),
      first = today !== day;
    day = today;
    return first ? `${hourMinute(s)}\n${today}` : hourMinute(s);
  });
}

function tooltip(props: () => ChartProps): uPlot.Plugin {
  const box = document.createElement('div');
  box.className = 'chart-tip';
  const row = (name: string, value: string, stroke?: string) => {
    const line = document.createElement('div'),
      key = document.createElement('span'),
      text = document.createElement('b');
    key.textContent = name;
    if (stroke) key.style.setProperty('--key', `var(${stroke})`);
    else key.className = 'plain';
    text.textContent = value;
    line.append(key, text);
    return line;
  };
  return {
    hooks: {
      init: u => {
        u.over.append(box);
      },
      setCursor: u => {
        const i = u.cursor.idx,
          p = props();
        box.classList.toggle('on', i !== null && i !== undefined && p.times[i] !== undefined);
        if (i === null || i === undefined || p.times[i] === undefined) return;
        const head = document.createElement('div');
        head.className = 'when';
        head.textContent =
          (p.step >= 86400 ? dayMonth(p.times[i]) : moment(p.times[i])) +
          (p.running && i === p.times.length - 1 ? ', so far' : '');
        const rows = p.lines.map(l => row(l.label, l.format(l.values[i] ?? null), l.colour));
        if (p.volume) rows.push(row(p.volumeLabel ?? 'Views', String(p.volume[i] ?? 0)));
        const notes = (p.marks ?? [])
          .filter(m => m.at >= p.times[i] && m.at < p.times[i] + p.step)
          .map(m => {
            const note = document.createElement('div');
            note.className = 'mark';
            note.dir = 'auto';
            note.textContent = m.text.slice(0, 200);
            return note;
          });
        box.replaceChildren(head, ...rows, ...notes);
        const left = u.valToPos(p.times[i], 'x'),
          wide = box.offsetWidth;
        box.style.left = `${left + wide + 16 < u.over.clientWidth ? left + 12 : Math.max(0, left - wide - 12)}px`;
      },
    },
  };
}

function drawMarks(props: () => ChartProps): uPlot.Plugin {
  return {
    hooks: {
      // Behind the lines: the bucket that is still running, so that its fall is not taken for news.
      drawAxes: u => {
        const p = props(),
          last = p.times.length - 1;
        if (!p.running || last < 1) return;
        const from = u.valToPos(p.times[last - 1], 'x', true),
          to = u.valToPos(p.times[last], 'x', true);
        u.ctx.save();
        u.ctx.fillStyle = colour('--sunken');
        u.ctx.fillRect(from, u.bbox.top, to - from, u.bbox.height);
        u.ctx.restore();
      },
      draw: u => {
        const { ctx, bbox } = u;
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = colour('--warn');
        ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
        for (const mark of props().marks ?? []) {
          const x = Math.round(u.valToPos(mark.at, 'x', true));
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          ctx.beginPath();
          ctx.arc(x, bbox.top + 3, 3 * devicePixelRatio, 0, 7);
          ctx.fill();
        }
        ctx.restore();
      },
    },
  };
}

// A point between two gaps would be invisible as a line.
function lonely(values: (number | null)[]): number[] {
  const out: number[] = [];
  for (let i = 0; i < values.length; i++)
    if (values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) out.push(i);
  return out;
}

function options(width: number, props: () => ChartProps): uPlot.Options {
  const p = props(),
    text = colour('--muted'),
    line = colour('--grid'),
    font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const bars = uPlot.paths.bars!({ size: [0.9, 24], align: 1 });
  return {
    width,
    height: p.height ?? 220,
    padding: [8, 18, 0, 0],
    legend: { show: false },
    tzDate: s => (zone.get() === 'utc' ? uPlot.tzDate(new Date(s * 1000), 'Etc/UTC') : new Date(s * 1000)),
    scales: {
      x: { time: true },
      y: {
        range: (_, low, high) => (low === null || high === null ? [0, 1] : scaleY(p.zeroBased !== false, low, high)),
      },
      volume: { range: (_, __, high) => [0, Math.max(1, (high ?? 1) * 5)] },
    },
    series: [
      {},
      ...(p.volume
        ? [{ scale: 'volume', paths: bars, fill: colour('--volume'), width: 0, points: { show: false } }]
        : []),
      ...p.lines.map((l): uPlot.Series => ({
        scale: 'y',
        stroke: colour(l.colour),
        width: l.dash ? 1.25 : 1.75,
        dash: l.dash ? [5, 4] : undefined,
        fill: l.fill ? colour(l.colour) + '1a' : undefined,
        spanGaps: false,
        points: { show: true, size: 4, fill: colour(l.colour), width: 0, filter: () => lonely(l.values) },
      })),
    ],
    axes: [
      {
        stroke: text,
        font,
        grid: { show: false },
        ticks: { stroke: line, size: 4, width: 1 },
        values: timeLabels,
        space: 64,
        size: 40,
        gap: 4,
      },
      {
        scale: 'y',
        stroke: text,
        font,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        gap: 6,
        size: (_, values) => 14 + Math.max(3, ...(values ?? []).map(v => v.length)) * 6.2,
        space: 36,
        values: (_, splits) => splits.map(v => p.lines[0].format(v)),
      },
    ],
    cursor: {
      y: false,
      drag: { x: Boolean(p.zoom), y: false, setScale: false, dist: 6 },
      focus: { prox: -1 },
      points: { size: 7, width: 2 },
      ...(p.sync ? { sync: { key: p.sync, setSeries: false } } : {}),
    },
    hooks: {
      setSelect: [
        u => {
          const now = props();
          if (!now.zoom || u.select.width < 6) return;
          const from = u.posToVal(u.select.left, 'x'),
            to = u.posToVal(u.select.left + u.select.width, 'x');
          u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          now.zoom(Math.floor(from), Math.ceil(to));
        },
      ],
    },
    plugins: [tooltip(props), drawMarks(props)],
  };
}

function scaleY(zero: boolean, low: number, high: number): [number, number] {
  if (zero) return [0, high > 0 ? high * 1.08 : 1];
  const pad = (high - low) * 0.12 || Math.abs(high) * 0.1 || 1;
  return [Math.max(low >= 0 ? 0 : -Infinity, low - pad), high + pad];
}

const dataOf = (p: ChartProps): uPlot.AlignedData =>
  [p.times, ...(p.volume ? [p.volume] : []), ...p.lines.map(l => l.values)] as uPlot.AlignedData;

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null),
    plot = useRef<uPlot | null>(null),
    latest = useRef(props);
  latest.current = props;
  const paint = useStore(painted),
    inZone = useStore(zone);
  const shape = JSON.stringify([
    props.lines.map(l => [l.label, l.colour, l.dash, l.fill]),
    Boolean(props.volume),
    props.height,
    props.zeroBased,
    paint,
    inZone,
    props.step,
    props.sync,
    Boolean(props.zoom),
  ]);
  useEffect(() => {
    const element = box.current!;
    const made = new uPlot(
      options(element.clientWidth, () => latest.current),
      dataOf(latest.current),
      element,
    );
    plot.current = made;
    const sized = new ResizeObserver(() => {
      if (element.clientWidth && element.clientWidth !== made.width)
        made.setSize({ width: element.clientWidth, height: latest.current.height ?? 220 });
    });
    sized.observe(element);
    return () => {
      sized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  const content = JSON.stringify([
    props.times[0],
    props.times.length,
    props.lines.map(l => l.values),
    props.volume,
    props.marks,
    props.running,
  ]);
  const drawn = useRef('');
  useEffect(() => {
    if (drawn.current && drawn.current !== content) plot.current?.setData(dataOf(latest.current));
    drawn.current = content;
  }, [content, shape]);
  // With Shift the arrow keys span a stretch of time, Enter zooms into it, Escape forgets it.
  const anchor = useRef<number | null>(null);
  const mark = (u: uPlot, from: number, to: number) => {
    const [a, b] = [u.valToPos(props.times[from], 'x'), u.valToPos(props.times[to], 'x')];
    u.setSelect({ left: Math.min(a, b), width: Math.abs(a - b), top: 0, height: u.over.clientHeight }, false);
  };
  const unmark = (u: uPlot) => {
    anchor.current = null;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  };
  const move = (event: KeyboardEvent) => {
    const u = plot.current,
      by = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (!u) return;
    const at = u.cursor.idx ?? null;
    if (event.key === 'Escape' && anchor.current !== null) unmark(u);
    else if (event.key === 'Enter' && props.zoom && anchor.current !== null && at !== null && at !== anchor.current) {
      const [from, to] = [Math.min(at, anchor.current), Math.max(at, anchor.current)];
      unmark(u);
      props.zoom(props.times[from], props.times[to]);
    } else if (by) {
      const from = at ?? (by > 0 ? -1 : props.times.length),
        next = Math.min(props.times.length - 1, Math.max(0, from + by));
      u.setCursor({ left: u.valToPos(props.times[next], 'x'), top: 10 });
      if (event.shiftKey && props.zoom) mark(u, (anchor.current ??= Math.max(0, at ?? next)), next);
      else if (anchor.current !== null) unmark(u);
    } else return;
    event.preventDefault();
  };
  return (
    <div
      ref={box}
      class="chart"
      style={props.height ? { minHeight: `${props.height}px` } : undefined}
      role="img"
      aria-label={props.label}
      tabIndex={0}
      onKeyDown={move}
      aria-keyshortcuts={props.zoom ? 'ArrowLeft ArrowRight Shift+ArrowRight Enter' : 'ArrowLeft ArrowRight'}
      onBlur={() => {
        if (plot.current) unmark(plot.current);
        plot.current?.setCursor({ left: -10, top: -10 });
      }}
    />
  );
}

export function Legend({ lines }: { lines: { label: string; colour: string; dash?: boolean; block?: boolean }[] }) {
  return (
    <ul class="legend">
      {lines.map(l => (
        <li>
          <span class={l.block ? 'key block' : l.dash ? 'key dash' : 'key'} style={{ '--key': `var(${l.colour})` }} />
          <span dir="auto">{l.label}</span>
        </li>
      ))}
    </ul>
  );
}
