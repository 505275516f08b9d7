// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';
import { follow } from '../lib/route';

export function Link({
  href,
  class: extra,
  current,
  title,
  children,
}: {
  href: string;
  class?: string;
  current?: boolean;
  title?: string;
  children: ComponentChildren;
}) {
  return (
    <a href={href} class={extra} title={title} aria-current={current ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  );
}
