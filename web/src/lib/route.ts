// SPDX-License-Identifier: Apache-2.0
// The page and all of its state are in the address, so that it can be shared and the back button works.
//   e environment   t time range   f filter   mf filter on a view's own value (both repeated)   the rest belongs to the page
import { store, useStore } from './store';

export interface Place {
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  return { path: location.pathname.replace(/\/+$/, '') || '/', query: new URLSearchParams(location.search) };
}

export const place = store<Place>(here());
addEventListener('popstate', () => place.set(here()));
export const usePlace = () => useStore(place);

export type Changes = Record<string, string | string[] | null>;
const SHARED = ['e', 't', 'f', 'mf'];

function address(path: string, query: URLSearchParams): string {
  const text = query.toString().replace(/%3A/g, ':').replace(/%2C/g, ',');
  return text ? `${path}?${text}` : path;
}

function changed(query: URLSearchParams, changes: Changes): URLSearchParams {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of value === null ? [] : Array.isArray(value) ? value : [value]) next.append(name, one);
  }
  return next;
}

// An address on another page; environment, time and filters go along.
export function hrefTo(path: string, changes: Changes = {}): string {
  const kept = new URLSearchParams();
  for (const [name, value] of place.get().query) if (SHARED.includes(name)) kept.append(name, value);
  return address(path, changed(kept, changes));
}

// This page with something changed.
export function hrefHere(changes: Changes): string {
  return address(place.get().path, changed(place.get().query, changes));
}

export function go(href: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', href);
  const before = place.get().path;
  place.set(here());
  if (place.get().path !== before) scrollTo(0, 0);
}

export function change(changes: Changes, replace = false): void {
  go(hrefHere(changes), replace);
}

// As a ref: what appears takes the keyboard.
export const takeFocus = (element: HTMLElement | null): void => element?.focus();

// For links: lets the browser open tabs and windows as usual.
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement;
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  event.preventDefault();
  go(link.pathname + link.search);
}
