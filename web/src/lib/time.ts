// SPDX-License-Identifier: Apache-2.0
// Time ranges as the API has them ("24:hours", or two Unix seconds), and times as the reader wants them.
import { store } from './store';

export const PRESETS: readonly [text: string, label: string][] = [
  ['60:minutes', 'Last hour'],
  ['6:hours', 'Last 6 hours'],
  ['24:hours', 'Last 24 hours'],
  ['3:days', 'Last 3 days'],
  ['7:days', 'Last 7 days'],
  ['30:days', 'Last 30 days'],
  ['90:days', 'Last 90 days'],
];

export interface Span {
  start: number;
  end: number;
  step: number;
} // Unix seconds, end exclusive

export interface Range {
  text: string; // as in the page's address
  values: string[]; // as in timeframe[]
  label: string;
}

const UNIT_S: Record<string, number> = { second: 1, minute: 60, hour: 3600, day: 86400, week: 604800 };

export function readRange(text: string | null): Range {
  const relative = /^(\d{1,6}):(second|minute|hour|day|week)s?$/.exec(text ?? '');
  if (relative) {
    const label = PRESETS.find(([t]) => t === text)?.[1] ?? `Last ${relative[1]} ${relative[2]}s`;
    return { text: text!, values: [text!], label };
  }
  const fixed = /^(\d{1,11})-(\d{1,11})$/.exec(text ?? '');
  if (fixed && Number(fixed[1]) < Number(fixed[2]))
    return { text: text!, values: [fixed[1], fixed[2]], label: spanLabel(Number(fixed[1]), Number(fixed[2])) };
  return readRange('24:hours');
}

export function fixedRange(start: number, end: number): Range {
  return readRange(`${Math.floor(start)}-${Math.max(Math.floor(start) + 60, Math.ceil(end))}`);
}

// The window that the server makes of a range: start floored and end ceiled to the step its length asks for.
export function resolve(range: Range, nowMs: number): Span {
  let start: number, end: number;
  if (range.values.length === 2) {
    [start, end] = range.values.map(Number);
  } else {
    const [n, unit] = range.values[0].split(':');
    end = Math.floor(nowMs / 1000);
    start = end - Number(n) * UNIT_S[unit.replace(/s$/, '')];
  }
  const length = Math.ceil((end - start) / 60) * 60;
  const step = length < 5400 ? 60 : length <= 21600 ? 600 : length <= 1296000 ? 3600 : 86400;
  return { start: Math.floor(start / step) * step, end: Math.ceil(end / step) * step, step };
}

// The period of the same length just before.
export function previous(span: Span): Range {
  return fixedRange(2 * span.start - span.end, span.start);
}

export type Zone = 'local' | 'utc';
export const zone = store<Zone>(localStorage.getItem('firstframe.zone') === 'utc' ? 'utc' : 'local');
zone.watch(() => localStorage.setItem('firstframe.zone', zone.get()));

const formats = new Map<string, Intl.DateTimeFormat>();
function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const timeZone = zone.get() === 'utc' ? 'UTC' : undefined;
  const key = JSON.stringify(options) + timeZone;
  let made = formats.get(key);
  if (!made) formats.set(key, (made = new Intl.DateTimeFormat(undefined, { hourCycle: 'h23', timeZone, ...options })));
  return made;
}

export const dayMonth = (s: number) => format({ day: 'numeric', month: 'short' }).format(s * 1000);
export const hourMinute = (s: number) => format({ hour: '2-digit', minute: '2-digit' }).format(s * 1000);
export const moment = (s: number) =>
  format({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }).format(s * 1000);
export const momentSeconds = (ms: number) =>
  format({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms);
export const dateMinute = (s: number) => format({ dateStyle: 'medium', timeStyle: 'short' }).format(s * 1000);
export const fullMoment = (ms: number) => format({ dateStyle: 'medium', timeStyle: 'long' }).format(ms);

function spanLabel(start: number, end: number): string {
  return `${moment(start)} – ${moment(end)}`;
}

// What <input type="datetime-local"> wants and gives, in the chosen zone.
export function toInput(s: number): string {
  const ms = s * 1000 - (zone.get() === 'utc' ? 0 : new Date(s * 1000).getTimezoneOffset() * 60_000);
  return new Date(ms).toISOString().slice(0, 16);
}
export function fromInput(text: string): number {
  return Math.floor(Date.parse(text + (zone.get() === 'utc' ? 'Z' : '')) / 1000);
}
