// SPDX-License-Identifier: Apache-2.0
// A question to the API as data, so that what is sent and what the request dialog shows cannot differ.

export type Param = [name: string, value: string];

export interface Ask {
  path: string;
  params: Param[];
  body?: unknown; // then it is a POST, of JSON; of the API's questions only /data/v1/query is one
  person?: boolean; // a session sees more of it than a token, whose sight ends with its environment
}

// Percent-encodes everything but letters, digits and -_.~ so that no value can end a quotation in a shell.
export function encode(value: string): string {
  return encodeURIComponent(value.replace(/[\ud800-\udfff]/gu, '\ufffd')).replace(
    /[!'()*]/g,
    c => '%' + c.charCodeAt(0).toString(16).toUpperCase(),
  );
}

export function pathOf(...segments: string[]): string {
  return segments.map(s => '/' + encode(s)).join('');
}

export function askUrl(ask: Ask): string {
  const query = ask.params.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
  return query ? `${ask.path}?${query}` : ask.path;
}

// What tells two questions apart.
export const askKey = (ask: Ask): string =>
  ask.body === undefined ? askUrl(ask) : `${askUrl(ask)} ${JSON.stringify(ask.body)}`;
