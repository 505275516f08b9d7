// SPDX-License-Identifier: Apache-2.0
// What a view's events say about its course: stretches of a state, renditions, points. Times in ms since its beginning.
import type { ViewEvent } from './asks';

export type State = 'startup' | 'playing' | 'rebuffer' | 'seek' | 'paused' | 'ad';
export interface Stretch<T> {
  from: number;
  to: number;
  what: T;
}
export interface Point {
  at: number;
  name: string;
  kind: 'error' | 'failed' | 'request' | 'mark';
  took?: number; // of a request that ended at `at`
  text?: string; // what there is to say about it
}
export interface Timeline {
  zero: number;
  length: number;
  states: Stretch<State>[];
  renditions: Stretch<string>[];
  points: Point[];
  requests: Point[];
}

export const STATE_NAMES: Record<State, string> = {
  startup: 'Starting',
  playing: 'Playing',
  rebuffer: 'Rebuffering',
  seek: 'Seeking',
  paused: 'Paused',
  ad: 'Advertisement',
};

const text = (v: unknown): string => (typeof v === 'string' ? v : typeof v === 'number' ? String(v) : '');

function rendition(details: Record<string, unknown>): string {
  const height = Number(details.video_source_height),
    bitrate = Number(details.video_source_bitrate),
    name = text(details.video_source_rendition_name);
  const parts = [
    name || (height > 0 ? `${height}p` : ''),
    bitrate > 0 ? `${(bitrate / 1e6).toFixed(bitrate < 1e6 ? 2 : 1)} Mbit/s` : '',
  ];
  return parts.filter(Boolean).join(' · ').slice(0, 60);
}

const LONGEST = 60_000; // a request that took longer than this has a clock of its own

function request(e: ViewEvent, at: number): Point {
  const d = e.details,
    took = Number(d.request_response_end) - Number(d.request_start),
    bytes = Number(d.request_bytes_loaded);
  const parts = [
    text(d.request_type),
    text(d.request_hostname),
    took > 0 && took < LONGEST ? `${Math.round(took)} ms` : '',
    bytes > 0 ? `${Math.round(bytes / 1000)} kB` : '',
    text(d.request_error_text) || text(d.request_error),
  ];
  return {
    at,
    name: e.name,
    kind: e.name === 'requestcompleted' ? 'request' : 'failed',
    took: took > 0 && took < LONGEST ? took : undefined,
    text: parts.filter(Boolean).join(', ').slice(0, 200),
  };
}

function errorText(d: Record<string, unknown>): string {
  return [text(d.player_error_code), text(d.player_error_message)].filter(Boolean).join(': ').slice(0, 200);
}

class Lane<T> {
  readonly done: Stretch<T>[] = [];
  private now: { from: number; what: T } | null = null;
  get what(): T | null {
    return this.now?.what ?? null;
  }
  turn(at: number, what: T | null): void {
    if (this.now && this.now.what === what) return;
    if (this.now && at > this.now.from) this.done.push({ ...this.now, to: at });
    this.now = what === null ? null : { from: at, what };
  }
}

// One step of the state: what is shown after this event, or undefined where it says nothing about it.
function after(event: string, now: State | null, before: State): State | null | undefined {
  switch (event) {
    case 'viewstart':
      return 'startup';
    case 'play':
      return now === 'paused' ? before : (now ?? 'startup');
    case 'playing':
    case 'rebufferend':
      return now === 'ad' ? undefined : 'playing';
    case 'seeked':
      return now === 'seek' ? before : undefined;
    case 'rebufferstart':
      return now === 'ad' ? undefined : 'rebuffer';
    case 'seeking':
      return now === 'startup' ? undefined : 'seek';
    case 'pause':
      return now === 'startup' || now === 'ad' ? undefined : 'paused';
    case 'adplaying':
    case 'adbreakstart':
      return now === 'startup' && event === 'adbreakstart' ? undefined : 'ad';
    case 'adbreakend':
      return 'playing';
    case 'ended':
      return 'paused';
    case 'viewend':
      return null;
    default:
      return undefined;
  }
}

export function timeline(events: ViewEvent[]): Timeline {
  const ordered = [...events].sort((a, b) => a.viewer_time - b.viewer_time);
  const zero = (ordered.find(e => e.name === 'viewstart' || e.name === 'play') ?? ordered[0])?.viewer_time ?? 0;
  const end = Math.max(zero + 1, ordered[ordered.length - 1]?.viewer_time ?? 0);
  const states = new Lane<State>(),
    renditions = new Lane<string>(),
    points: Point[] = [],
    requests: Point[] = [];
  let before: State = 'playing'; // what a pause or a seek interrupted
  for (const e of ordered) {
    const at = Math.max(0, e.viewer_time - zero),
      now = states.what,
      next = after(e.name, now, before);
    if (next !== undefined) {
      if ((next === 'paused' || next === 'seek') && now && now !== 'paused' && now !== 'seek' && now !== 'rebuffer')
        before = now;
      states.turn(at, next);
    }
    if (e.name === 'renditionchange') {
      const name = rendition(e.details);
      if (name) renditions.turn(at, name);
    }
    if (e.name === 'error' || e.name === 'aderror')
      points.push({ at, name: e.name, kind: 'error', text: errorText(e.details) });
    else if (/^request(completed|failed|canceled)$/.test(e.name)) requests.push(request(e, at));
    else if (
      /^(ended|viewend|videochange|programchange|cdnchange|devicesleep|devicewake|playbackmodechange)$/.test(e.name)
    )
      points.push({ at, name: e.name, kind: 'mark' });
  }
  states.turn(end - zero, null);
  renditions.turn(end - zero, null);
  return { zero, length: end - zero, states: states.done, renditions: renditions.done, points, requests };
}
