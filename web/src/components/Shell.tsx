// SPDX-License-Identifier: Apache-2.0
// What stands around every page: navigation, environment, time range, filters.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { environmentId, person, signOut } from '../lib/api';
import { go, hrefTo, usePlace } from '../lib/route';
import { usePage } from '../lib/scope';
import { useStore } from '../lib/store';
import { theme, type Theme } from '../lib/theme';
import { FilterBar } from './Filters';
import { Icon, type IconName } from './Icon';
import { Link } from './Link';
import { TimeRange } from './TimeRange';

export interface Entry {
  path: string;
  name: string;
  icon: IconName;
  scoped: boolean;
  filtered: boolean;
  part: string;
}
// /metrics is taken: it is the server's own, for Prometheus.
export const ENTRIES: readonly Entry[] = [
  { path: '/', name: 'Overview', icon: 'overview', scoped: true, filtered: true, part: 'Analyse' },
  { path: '/explore', name: 'Metrics', icon: 'metrics', scoped: true, filtered: true, part: 'Analyse' },
  { path: '/compare', name: 'Compare', icon: 'compare', scoped: true, filtered: true, part: 'Analyse' },
  { path: '/views', name: 'Views', icon: 'views', scoped: true, filtered: true, part: 'Analyse' },
  { path: '/errors', name: 'Errors', icon: 'errors', scoped: true, filtered: true, part: 'Analyse' },
  { path: '/engagement', name: 'Engagement', icon: 'engagement', scoped: true, filtered: false, part: 'Content' },
  { path: '/renditions', name: 'Renditions', icon: 'renditions', scoped: true, filtered: true, part: 'Content' },
  { path: '/live', name: 'Live', icon: 'live', scoped: false, filtered: false, part: 'Monitor' },
  { path: '/alerts', name: 'Alerts', icon: 'alerts', scoped: false, filtered: false, part: 'Monitor' },
  { path: '/start', name: 'Add a player', icon: 'start', scoped: false, filtered: false, part: 'Set up' },
  { path: '/settings', name: 'Settings', icon: 'settings', scoped: false, filtered: false, part: 'Set up' },
];

export function entryOf(path: string): Entry | undefined {
  return ENTRIES.find(e => (e.path === '/' ? path === '/' : path === e.path || path.startsWith(e.path + '/')));
}

export function Logo() {
  return (
    <span class="logo">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" class="logo-back" />
        <path d="M12 9v14l11-7z" class="logo-sign" />
        <rect x="7" y="9" width="2.6" height="14" rx="1.3" class="logo-sign" />
      </svg>
      <span>Firstframe</span>
    </span>
  );
}

function Environments() {
  const who = useStore(person)!,
    current = useStore(environmentId);
  const one = who.environments.find(e => e.id === current);
  if (who.environments.length < 2)
    return (
      <div class="environment">
        <span class="hint">Environment</span>
        <strong dir="auto">{one?.name}</strong>
      </div>
    );
  return (
    <label class="environment">
      <span class="hint">Environment</span>
      <select
        value={current}
        onChange={e =>
          go(
            hrefTo(location.pathname.startsWith('/views/') ? '/views' : location.pathname, {
              e: e.currentTarget.value,
              f: null,
            }),
          )
        }
      >
        {who.environments.map(e => (
          <option value={e.id}>{e.name}</option>
        ))}
      </select>
    </label>
  );
}

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const THEME_ICON: Record<Theme, IconName> = { system: 'system', light: 'sun', dark: 'moon' };
export function ThemeButton() {
  const now = useStore(theme);
  return (
    <button
      type="button"
      class="button quiet"
      aria-label={`Colours: ${now}. Change`}
      title={`Colours: ${now}`}
      onClick={() => theme.set(NEXT[now])}
    >
      <Icon name={THEME_ICON[now]} />
    </button>
  );
}

function Side({ path, open }: { path: string; open: boolean }) {
  const who = useStore(person)!,
    parts = [...new Set(ENTRIES.map(e => e.part))];
  return (
    <div class={open ? 'side-body open' : 'side-body'} id="navigation">
      <Environments />
      <nav aria-label="Pages">
        {parts.map(part => (
          <div class="nav-part">
            <span class="nav-head" aria-hidden="true">
              {part}
            </span>
            {ENTRIES.filter(e => e.part === part).map(e => (
              <Link href={hrefTo(e.path)} class="nav-link" current={entryOf(path) === e}>
                <Icon name={e.icon} />
                <span>{e.name}</span>
              </Link>
            ))}
          </div>
        ))}
      </nav>
      <div class="side-foot">
        <span class="who" dir="auto" title={who.email}>
          {who.email}
        </span>
        <ThemeButton />
        <button
          type="button"
          class="button quiet"
          aria-label="Sign out"
          title="Sign out"
          onClick={() => void signOut()}
        >
          <Icon name="out" />
        </button>
      </div>
      <p class="credit">
        Places by{' '}
        <a href="https://db-ip.com" rel="noreferrer noopener">
          IP Geolocation by DB-IP
        </a>
      </p>
    </div>
  );
}

export function Shell({ title, children }: { title: string; children: ComponentChildren }) {
  const { path } = usePlace(),
    page = usePage(),
    entry = entryOf(path);
  const [open, set] = useState(false);
  useEffect(() => set(false), [path]);
  useEffect(() => {
    document.title = `${title} · Firstframe`;
  }, [title]);
  const detail = path.startsWith('/views/');
  return (
    <div class="shell">
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header class="side">
        <div class="side-head">
          <Link href={hrefTo('/')} class="home">
            <Logo />
          </Link>
          <button
            type="button"
            class="button quiet menu"
            aria-expanded={open}
            aria-controls="navigation"
            aria-label="Menu"
            onClick={() => set(!open)}
          >
            <Icon name={open ? 'close' : 'menu'} />
          </button>
        </div>
        <Side path={path} open={open} />
      </header>
      <main id="content" tabIndex={-1}>
        <div class="page-head">
          <h1>{title}</h1>
          {entry?.scoped && !detail && <TimeRange page={page} />}
        </div>
        {entry?.filtered && !detail && <FilterBar page={page} />}
        {children}
      </main>
    </div>
  );
}
