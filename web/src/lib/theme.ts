// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system has it.
import { store } from './store';

export type Theme = 'system' | 'light' | 'dark';
const kept = localStorage.getItem('firstframe.theme');
export const theme = store<Theme>(kept === 'light' || kept === 'dark' ? kept : 'system');
export const painted = store(0); // counts changes of colours, for what is drawn on a canvas

function apply(): void {
  if (theme.get() === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.get();
  painted.set(painted.get() + 1);
}
theme.watch(() => {
  localStorage.setItem('firstframe.theme', theme.get());
  apply();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
apply();

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
