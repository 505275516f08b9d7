// SPDX-License-Identifier: Apache-2.0
// A question as something to paste: curl, JavaScript with the node client, one line for a terminal. Values come from
// strangers. In shell lines they stand inside single quotes, percent-encoded in addresses and as JSON in bodies, and
// neither leaves a quote; in JavaScript they are JSON, which is a subset of it.
import { askUrl, type Ask } from './ask';

// ASCII only: no mark that turns the direction of the text around can make a line look like another one.
const literal = (v: unknown) =>
  JSON.stringify(v).replace(/[<\u007f-\uffff]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));

// What is under /api belongs to a signed-in person. The rest takes a token, and where a person sees more, also a session
// when there is one: the expansion is empty otherwise.
const CREDENTIALS = {
  token: '-u "$FIRSTFRAME_TOKEN_ID:$FIRSTFRAME_TOKEN_SECRET"',
  session: '-H "beta-auth-token: $FIRSTFRAME_SESSION"',
  either:
    '${FIRSTFRAME_SESSION:+-H"beta-auth-token: $FIRSTFRAME_SESSION"} -u "$FIRSTFRAME_TOKEN_ID:$FIRSTFRAME_TOKEN_SECRET"',
};
export const credentialsOf = (ask: Ask): keyof typeof CREDENTIALS =>
  ask.path.startsWith('/api/') ? 'session' : ask.person ? 'either' : 'token';

export function curl(base: string, ask: Ask): string {
  const line = `curl -sS ${CREDENTIALS[credentialsOf(ask)]}`,
    url = `'${base.replace(/'/g, '%27')}${askUrl(ask)}'`;
  if (ask.body === undefined) return `${line} ${url}`;
  const body = literal(ask.body).replace(/'/g, '\\u0027'); // JSON, in which no quote can stand that the shell would end at
  return `${line} -H 'content-type: application/json' --data '${body}' ${url}`;
}

const SPARK =
  `jq -r '[.data[][1]] as $v | ($v | map(values)) as $n | if ($n | length) == 0 then "no data" else ` +
  `($n | min) as $a | ($n | max) as $b | [$v[] | if . == null then " " else ` +
  `((if $b > $a then (. - $a) / ($b - $a) else 0.5 end) * 7 | floor) as $i | "▁▂▃▄▅▆▇█"[$i:$i+1] end] | join("") end'`;

export interface Pick {
  jq: string;
  label: string;
}

// The last word of a path says what the answer looks like.
export function terminal(base: string, ask: Ask, pick?: Pick): { label: string; text: string } {
  const line = curl(base, ask),
    last = ask.path.split('/').pop();
  if (pick) return { label: pick.label, text: `${line} | jq '${pick.jq}'` };
  if (last === 'timeseries') return { label: 'Sparkline', text: `${line} | ${SPARK}` };
  if (last === 'breakdown')
    return { label: 'Table', text: `${line} | jq -r '.data[] | [.field, .value, .views] | @tsv'` };
  if (last === 'query') return { label: 'Rows', text: `${line} | jq -c '.data[]'` };
  if (last === 'overall') return { label: 'Number', text: `${line} | jq .data.value` };
  return { label: 'With jq', text: `${line} | jq .data` };
}

const METHODS: [RegExp, (m: RegExpExecArray) => string][] = [
  [/^\/data\/v1\/metrics\/comparison$/, () => 'metrics.list('],
  [/^\/data\/v1\/metrics\/([^/]+)\/overall$/, m => `metrics.getOverallValues(${literal(decodeURIComponent(m[1]))}, `],
  [/^\/data\/v1\/metrics\/([^/]+)\/timeseries$/, m => `metrics.getTimeseries(${literal(decodeURIComponent(m[1]))}, `],
  [
    /^\/data\/v1\/metrics\/([^/]+)\/breakdown$/,
    m => `metrics.listBreakdownValues(${literal(decodeURIComponent(m[1]))}, `,
  ],
  [/^\/data\/v1\/metrics\/([^/]+)\/insights$/, m => `metrics.getInsights(${literal(decodeURIComponent(m[1]))}, `],
  [/^\/data\/v1\/dimensions\/([^/]+)$/, m => `dimensions.listValues(${literal(decodeURIComponent(m[1]))}, `],
  [/^\/data\/v1\/video-views$/, () => 'videoViews.list('],
  [/^\/data\/v1\/video-views\/([^/]+)$/, m => `videoViews.retrieve(${literal(decodeURIComponent(m[1]))}`],
  [/^\/data\/v1\/errors$/, () => 'errors.list('],
  [/^\/data\/v1\/annotations$/, () => 'annotations.list('],
  [
    /^\/data\/v1\/engagement\/videos\/([^/]+)\/heatmap$/,
    m => `engagement.videos.heatmap(${literal(decodeURIComponent(m[1]))}, `,
  ],
  [
    /^\/data\/v1\/engagement\/videos\/([^/]+)\/hotspots$/,
    m => `engagement.videos.hotspots(${literal(decodeURIComponent(m[1]))}, `,
  ],
  [
    /^\/data\/v1\/subview-metrics\/([^/]+)\/([^/]+)\/breakdown$/,
    m => `subviewMetrics.listBreakdownValues(${literal(m[1])}, ${literal(m[2])}, `,
  ],
  [
    /^\/data\/v1\/subview-metrics\/([^/]+)\/([^/]+)\/breakdown-timeseries$/,
    m => `subviewMetrics.getBreakdownTimeseries(${literal(m[1])}, ${literal(m[2])}, `,
  ],
];

function query(ask: Ask): Record<string, string | string[] | number> {
  const out: Record<string, string | string[] | number> = {};
  for (const [name, value] of ask.params) {
    if (name.endsWith('[]')) ((out[name.slice(0, -2)] ??= []) as string[]).push(value);
    else out[name] = name === 'limit' || name === 'page' ? Number(value) : value;
  }
  return out;
}

export function javascript(base: string, ask: Ask): string {
  const parameters = Object.entries(query(ask))
    .map(([k, v]) => `  ${k}: ${literal(v)},\n`)
    .join('');
  const object = parameters ? `{\n${parameters}}` : '';
  let call = '';
  for (const [pattern, write] of METHODS) {
    const m = pattern.exec(ask.path);
    if (m) call = `mux.data.${(write(m) + object).replace(/, $/, '')})`;
  }
  const raw = Object.entries(query(ask))
    .map(([k, v]) => `  ${literal(Array.isArray(v) ? k + '[]' : k)}: ${literal(v)},\n`)
    .join('');
  if (ask.body !== undefined) call = `mux.post(${literal(ask.path)}, { body: ${literal(ask.body)} })`;
  call ||= `mux.get(${literal(ask.path)}${raw ? `, { query: {\n${raw}} }` : ''})`;
  const token = `  tokenId: process.env.FIRSTFRAME_TOKEN_ID,
  tokenSecret: process.env.FIRSTFRAME_TOKEN_SECRET,`;
  const credentials = {
    token,
    session: `  authorizationToken: process.env.FIRSTFRAME_SESSION,`,
    either: `${token}
  defaultHeaders: { 'beta-auth-token': process.env.FIRSTFRAME_SESSION },`,
  };
  return `import Mux from '@mux/mux-node';

const mux = new Mux({
  baseURL: ${literal(base)},
${credentials[credentialsOf(ask)]}
});
const answer = await ${call};
console.log(answer.data);
`;
}
