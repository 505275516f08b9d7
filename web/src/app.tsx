// SPDX-License-Identifier: Apache-2.0
// Which page the address means. Pages beyond the first are fetched when they are wanted.
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Link } from './components/Link';
import { entryOf, Shell } from './components/Shell';
import { environmentId, loadPerson, person, Problem, send, signOut } from './lib/api';
import { hrefTo, usePlace } from './lib/route';
import { useStore } from './lib/store';
import { Overview } from './pages/Overview';
import { SignIn } from './pages/SignIn';

type Load = () => Promise<ComponentType>;
const LATER: Record<string, Load> = {
  '/explore': () => import('./pages/Metrics').then(m => m.Metrics),
  '/views': () => import('./pages/Views').then(m => m.Views),
  '/views/…': () => import('./pages/ViewDetail').then(m => m.ViewDetail),
  '/errors': () => import('./pages/Errors').then(m => m.Errors),
  '/compare': () => import('./pages/Compare').then(m => m.Compare),
  '/engagement': () => import('./pages/Engagement').then(m => m.Engagement),
  '/renditions': () => import('./pages/Renditions').then(m => m.Renditions),
  '/live': () => import('./pages/Places').then(m => m.Live),
  '/alerts': () => import('./pages/Places').then(m => m.Alerts),
  '/start': () => import('./pages/Start').then(m => m.Start),
  '/settings': () => import('./pages/Settings').then(m => m.Settings),
};
// In front of the sign-in; nobody has to be signed in.
const DOORS: Record<string, Load> = {
  '/setup': () => import('./pages/Doors').then(m => m.Setup),
  '/invitation': () => import('./pages/Doors').then(m => m.Invitation),
  '/reset': () => import('./pages/Doors').then(m => m.Reset),
};
const loaded = new Map<string, ComponentType>([['/', Overview]]);

function Later({ path }: { path: string }) {
  const [, again] = useState(0),
    [failed, fail] = useState(false);
  useEffect(() => {
    fail(false);
    if (!loaded.has(path))
      (LATER[path] ?? DOORS[path])().then(
        page => {
          loaded.set(path, page);
          again(n => n + 1);
        },
        () => fail(true),
      );
  }, [path]);
  const Page = loaded.get(path);
  if (Page) return <Page />;
  if (failed)
    return (
      <div class="state rows" role="alert">
        <p>This page could not be loaded. A newer version may be on the server.</p>
        <button type="button" class="button" onClick={() => location.reload()}>
          Load again
        </button>
      </div>
    );
  return <div class="skeleton rows" role="status" aria-label="Loading" />;
}

function keyOf(path: string): string | null {
  if (path === '/') return '/';
  if (/^\/views\/[^/]+$/.test(path)) return '/views/…';
  return path in LATER ? path : null;
}

export function App() {
  const who = useStore(person),
    { path, query } = usePlace();
  const [unreachable, say] = useState(''),
    [fresh, know] = useState<boolean | null>(null); // has the server no account yet?
  const load = () => {
    say('');
    loadPerson().catch((e: unknown) => say(e instanceof Problem ? e.message : 'The server cannot be reached.'));
  };
  const door = path in DOORS;
  useEffect(load, []);
  useEffect(() => {
    if (who !== null || door) return;
    send<{ data: { needed: boolean } }>('GET', '/api/setup').then(
      a => know(a.data.needed),
      () => know(false),
    );
  }, [who, door]);
  if (door) return <Later path={path} />;
  if (unreachable)
    return (
      <main class="sign-in">
        <div class="card">
          <h1>Firstframe</h1>
          <p>{unreachable}</p>
          <button type="button" class="button primary" onClick={load}>
            Try again
          </button>
        </div>
      </main>
    );
  if (who === undefined) return <main class="sign-in" aria-busy="true" />;
  if (who === null && fresh === null) return <main class="sign-in" aria-busy="true" />;
  if (who === null) return fresh ? <Later path="/setup" /> : <SignIn />;
  const wanted = who.environments.find(e => e.id === query.get('e')) ?? who.environments[0];
  if (!wanted)
    return (
      <main class="sign-in">
        <div class="card">
          <h1>No environment</h1>
          <p>Your account may see no environment yet. Ask an administrator of your organization.</p>
          <button type="button" class="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </main>
    );
  environmentId.set(wanted.id);
  const key = keyOf(path);
  if (key === null)
    return (
      <Shell title="Not found">
        <div class="state rows">
          <p>
            There is no such page. <Link href={hrefTo('/')}>To the overview</Link>
          </p>
        </div>
      </Shell>
    );
  const title = key === '/views/…' ? 'View' : (entryOf(path)?.name ?? 'Firstframe');
  return (
    <Shell title={title}>
      <Later path={key} />
    </Shell>
  );
}
