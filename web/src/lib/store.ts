// SPDX-License-Identifier: Apache-2.0
// A value that components can watch.
import { useEffect, useState } from 'preact/hooks';

export interface Store<T> {
  get(): T;
  set(value: T): void;
  watch(run: () => void): () => void;
}

export function store<T>(value: T): Store<T> {
  const watchers = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const run of [...watchers]) run();
    },
    watch(run) {
      watchers.add(run);
      return () => watchers.delete(run);
    },
  };
}

export function useStore<T>(of: Store<T>): T {
  const [value, set] = useState(of.get());
  useEffect(() => {
    const take = () => set(() => of.get());
    take(); // it may have changed between rendering and now
    return of.watch(take);
  }, [of]);
  return value;
}
