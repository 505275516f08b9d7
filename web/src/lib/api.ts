// SPDX-License-Identifier: Apache-2.0
// The only way to the server: the public API with the session's cookie. Answers are kept for the current refresh, so
// that two panels with one question ask once and going back shows at once what was there.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { askKey, askUrl, type Ask } from './ask';
import { store, useStore } from './store';

export interface Environment {
  id: string;
  name: string;
  type: string;
  env_key: string;
  role: string;
  permissions: string[];
}
export interface Person {
  person_id: number;
  email: string;
  name: string;
  totp: boolean;
  organization_id: string;
  organization_role: string;
  expires_at: number;
  public_url: string;
  environments: Environment[];
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfterS = 0,
  ) {
    super(message);
  }
}

export const person = store<Person | null | undefined>(undefined); // undefined: not known yet; null: signed out
export const environmentId = store('');
export const refresh = store(0); // counts the refreshes; every answer belongs to one

const RETRIES = 5;
const KEPT = 120;

function sentence(status: number, body: unknown): string {
  const error = (body as { error?: { messages?: unknown } } | null)?.error;
  if (Array.isArray(error?.messages) && error.messages.length) return error.messages.map(String).join(' ');
  if (status === 503) return 'The store does not answer at the moment.';
  return `The server answered ${status}.`;
}

async function once(method: string, url: string, body: unknown, signal?: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (environmentId.get()) headers['X-Environment-Id'] = environmentId.get();
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      signal,
      credentials: 'same-origin',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, 'The server cannot be reached.', 2);
  }
  const text = await response.text();
  let parsed: unknown = null;
  try {
    parsed = text ? JSON.parse(text) : null;
  } catch {
    if (response.ok) throw new Problem(response.status, 'The answer is not readable.');
  }
  if (response.ok) return parsed;
  throw new Problem(
    response.status,
    sentence(response.status, parsed),
    Number(response.headers.get('Retry-After')) || 0,
  );
}

// Writes, and reads that nobody shares. A session that has ended brings the sign-in page.
export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  try {
    return (await once(method, path, body)) as T;
  } catch (error) {
    if (error instanceof Problem && error.status === 401 && path !== '/api/sessions') person.set(null);
    throw error;
  }
}

// A read that waits while the store is starting or the server is busy.
async function read(ask: Ask): Promise<unknown> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await once(ask.body === undefined ? 'GET' : 'POST', askUrl(ask), ask.body);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 401) person.set(null);
      const again = error.status === 503 || error.status === 429 || error.status === 0;
      if (!again || attempt === RETRIES) throw error;
      await new Promise(resolve => setTimeout(resolve, 1000 * Math.max(1, error.retryAfterS)));
    }
  }
}

const answers = new Map<string, { promise: Promise<unknown>; value?: unknown }>();

function answer(key: string, ask: Ask): { promise: Promise<unknown>; value?: unknown } {
  let kept = answers.get(key);
  if (kept) return kept;
  kept = { promise: read(ask) };
  const entry = kept;
  entry.promise.then(
    value => {
      entry.value = value;
    },
    () => answers.delete(key),
  );
  answers.set(key, entry);
  if (answers.size > KEPT) answers.delete(answers.keys().next().value!);
  return entry;
}

export function forget(): void {
  answers.clear();
  refresh.set(refresh.get() + 1);
}

export interface Answer<T> {
  data?: T; // of this question, or of the one before while loading
  error?: Problem;
  loading: boolean;
}

// `first`: asked while the page is drawn, before the questions of what stands inside of it: a browser sends few at a
// time.
export function useAsk<T>(ask: Ask | null, first = false): Answer<T> {
  const environment = useStore(environmentId),
    turn = useStore(refresh);
  const key = ask ? `${turn} ${environment} ${askKey(ask)}` : '';
  const [state, set] = useState<{ key: string; data?: T; error?: Problem }>({ key: '' });
  useMemo(() => ask && first && answer(key, ask), [key]);
  useEffect(() => {
    if (!ask) return;
    let current = true;
    answer(key, ask).promise.then(
      data => {
        if (current) set({ key, data: data as T });
      },
      error => {
        if (current) set({ key, error: error instanceof Problem ? error : new Problem(0, String(error)) });
      },
    );
    return () => {
      current = false;
    };
  }, [key]);
  if (!ask) return { loading: false };
  const ready = answers.get(key)?.value as T | undefined;
  if (ready !== undefined) return { data: ready, loading: false };
  if (state.key === key) return { data: state.data, error: state.error, loading: false };
  return { data: state.data, loading: true };
}

// Several questions at once, whose number may change.
export function useAsks<T>(asks: Ask[]): Answer<T>[] {
  const environment = useStore(environmentId),
    turn = useStore(refresh);
  const keys = asks.map(ask => `${turn} ${environment} ${askKey(ask)}`),
    all = keys.join('\n');
  const [failed, set] = useState<Map<string, Problem | null>>(new Map());
  useEffect(() => {
    let current = true;
    asks.forEach((ask, i) => {
      const settle = (problem: Problem | null) => {
        if (current) set(before => new Map([...before, [keys[i], problem]]));
      };
      answer(keys[i], ask).promise.then(
        () => settle(null),
        error => settle(error instanceof Problem ? error : new Problem(0, String(error))),
      );
    });
    return () => {
      current = false;
    };
  }, [all]);
  return keys.map(key => {
    const data = answers.get(key)?.value as T | undefined,
      error = failed.get(key) ?? undefined;
    return { data, error: data === undefined ? error : undefined, loading: data === undefined && !error };
  });
}

export async function loadPerson(): Promise<void> {
  try {
    person.set(((await once('GET', '/api/sessions/current', undefined)) as { data: Person }).data);
  } catch (error) {
    if (error instanceof Problem && error.status === 401) person.set(null);
    else throw error;
  }
}

export async function signIn(email: string, password: string, totp: string): Promise<void> {
  await once('POST', '/api/sessions', { session: { email, password, cookie: true, ...(totp ? { totp } : {}) } });
  await loadPerson();
  if (person.get() === null)
    throw new Problem(
      0,
      'The password is right, but the browser did not keep the sign-in: it takes no cookies, or came by http where the server’s public address is https.',
    );
}

export async function signOut(): Promise<void> {
  await send('DELETE', '/api/sessions/current');
  answers.clear();
  environmentId.set('');
  person.set(null);
}
