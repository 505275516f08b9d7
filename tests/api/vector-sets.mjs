// SPDX-License-Identifier: Apache-2.0
// Invented views, from a seed, for the vectors: every field in turn set, unset or odd, with texts that a parser, an escape or a
// sort could trip over.
import { WIRE } from './vector-views.mjs';

export const DAY = 86_400_000;
export const EPOCH = Math.floor(Date.now() / DAY) * DAY - 30 * DAY; // days long over, whose views are final at once

function random(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return { next, int: (low, high) => low + Math.floor(next() * (high - low + 1)), chance: p => next() < p,
    pick: list => list[Math.floor(next() * list.length)] };
}

const TEXTS = ['a', 'A', 'b', 'B', 'Zebra', 'ä', 'é', '日本', '😀', 'with space', ' lead', 'trail ', 'a:b', 'a,b', '[x]', 'it\'s', '"q"',
  'back\\slash', '100%', '+plus', '-minus', '!bang', 'null', '__empty', '0', '1', '01', '1.5', 'true', 'a&b=c', '~', '😀z', '\u{10ffff}'];
const PLACES = [null, '8.8.8.8', '80.67.169.12', '2001:4860:4860::8888'];
const CODECS = ['avc1', 'hvc1', null];
const FLAGS = ['player_autoplay', 'player_preload', 'player_remote_played', 'used_pip', 'used_captions', 'time_shift_enabled'];

function randomDims(rnd) {
  const dims = {};
  for (const dimension of Object.keys(WIRE)) {
    if (/^preroll_(played|requested)$/.test(dimension)) continue;
    if (rnd.chance(0.4)) continue;
    dims[dimension] = FLAGS.includes(dimension) ? rnd.chance(0.5)
      : dimension === 'view_dropped_frame_count' ? rnd.pick([0, 3, 12])
        : dimension === 'view_session_id' ? 'vs-' + rnd.int(1, 30)
          : dimension === 'stream_type' ? 'on-demand'
            : dimension === 'source_hostname' ? rnd.pick(['cdn.example.com', 'b.example.com', 'C.example.com'])
              : rnd.pick(TEXTS);
  }
  return dims;
}

function randomView(rnd, i, start) {
  const length = rnd.int(20_000, 600_000), plays = rnd.chance(0.8), hasAds = rnd.chance(0.3);
  const maybe = (p, make) => (rnd.chance(p) ? make() : undefined);
  const view = { id: `random-${i}`, start, end: start + length, dims: randomDims(rnd), watch: length - rnd.int(0, 5000),
    muxViewer: maybe(0.6, () => 'mv-' + rnd.int(1, 12)), address: rnd.pick(PLACES), ended: !rnd.chance(0.1),
    cdns: maybe(0.6, () => Array.from({ length: rnd.int(1, 4) }, () => rnd.pick(['cdn-a', 'cdn-b', 'fastly', 'x y']))),
    playerStartup: maybe(0.5, () => rnd.int(1, 900)), pageLoad: maybe(0.5, () => rnd.int(1, 4000)),
    aggregate: maybe(0.2, () => rnd.int(100, 9000)) };
  if (rnd.chance(0.25))
    view.errors = Array.from({ length: rnd.int(1, 3) }, () => ({ code: rnd.pick([2, 3, 4, '7', 'net', '402', 1e15, '-5', undefined]),
      message: rnd.pick(['boom', 'MEDIA_ERR', undefined]), severity: rnd.pick([undefined, 'fatal', 'warning']),
      business: rnd.pick([undefined, true, false]), first: rnd.chance(0.3) }));
  if (hasAds) {
    view.ads = Array.from({ length: rnd.int(1, 2) }, () => Array.from({ length: rnd.int(1, 3) }, () => rnd.pick(['ok', 'ok', 'bad', 'broken'])));
    if (rnd.chance(0.2)) view.ads.at(-1).push('left');
    if (rnd.chance(0.5)) view.errors = (view.errors ?? []).map(error => ({ ...error, ad: !error.first }));
    view.preroll = maybe(0.5, () => ({ request: rnd.int(1, 900), load: rnd.int(1, 900), requests: rnd.int(1, 3) }));
  }
  if (!plays) return view;
  Object.assign(view, { ttff: rnd.int(10, 9000), seek: maybe(0.5, () => [rnd.int(1, 4), rnd.int(1, 5000)]),
    rebuffer: maybe(0.5, () => [rnd.int(0, 4), rnd.int(0, 8000)]), duration: maybe(0.4, () => rnd.int(10_000, 700_000)),
    scale: maybe(0.7, () => ({ up: rnd.int(0, 20_000) + rnd.int(0, 9) / 10, down: rnd.int(0, 20_000), content: rnd.int(0, 4) * 10_000,
      maxUp: rnd.int(0, 20) / 16, maxDown: rnd.int(0, 20) / 20 })) });
  view.phases = maybe(0.8, () => Array.from({ length: rnd.int(1, 4) }, () => ({ ms: rnd.int(0, 9000),
    rendition: maybe(0.7, () => ({ bitrate: rnd.pick([400_000, 1_500_000, 18_500_000, 0]), width: rnd.pick([640, 3840]),
      height: rnd.pick([360, 2160]), fps: rnd.pick([30, 29.97, 60]), codec: rnd.pick(CODECS) ?? undefined,
      name: rnd.pick(['low', '4k', undefined]) })),
    mode: maybe(0.4, () => rnd.pick(['standard', 'fullscreen', 'pip', 'inline'])) })));
  view.requests = maybe(0.5, () => Array.from({ length: rnd.int(1, 4) }, () => {
    const first = rnd.int(0, 90);
    return [first, first + rnd.int(0, 900), rnd.int(0, 3) * 50_000];
  }));
  if (rnd.chance(0.2) && view.dims.stream_type === undefined) view.live = [rnd.int(500, 9000), rnd.int(500, 9000), 400_000];
  return view;
}

export function randomSet(count, seed = 7, first = EPOCH) {
  const rnd = random(seed);
  return Array.from({ length: count }, (_, i) => randomView(rnd, i, first + rnd.int(0, 3 * DAY)));
}
