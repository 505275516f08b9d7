// SPDX-License-Identifier: Apache-2.0
// A second, independent answer to "which views do these beacons make?". It was written from the protocol and the rules
// alone (never from src/), straight and slowly, so that a difference between it and the server is a question about the
// rules and not about one program's habits. Numbers in brackets are those of README.md beside this file, which has the
// rules in words. Times are ms, sizes px, bitrates bit/s.
//
//   node reference.mjs CAPTURE.jsonl[.gz]      prints the views as they are expected
import fs from 'node:fs';
import zlib from 'node:zlib';

// ---- keys: first word one letter, later words two letters, digits and _literals_ as they are
const FIRST = Object.fromEntries(('a env b beacon c custom d ad e event f experiment i internal m mux n response p player q request r retry ' +
  's session t timestamp u viewer v video w page x view y sub').split(' ').flatMap((x, i, all) => i % 2 ? [] : [[x, all[i + 1]]]));
const LATER = Object.fromEntries((`ad:ad af:affiliate ag:aggregate al:application ao:audio ap:api ar:architecture as:asset au:autoplay
  av:average bi:bitrate bn:brand br:break bw:browser by:bytes bz:business ca:cached cb:cancel cc:codec cd:code ce:counter cg:category
  ch:changed ci:client cj:channels ck:clicked cl:canceled cm:cmcd cn:config co:count cp:complete cq:creator cr:creative cs:captions
  ct:content cu:current cv:cumulative cx:connection cz:context da:data dg:downscaling dm:domain dn:cdn do:downscale dp:dropped dr:drm
  du:duration dv:device dy:dynamic eb:enabled ec:encoding ed:edge ee:event eg:engine em:embed en:end ep:experiments er:error
  es:errorcode et:errortext ev:events ex:expires ez:exception fa:failed fi:first fm:family fp:fps fq:frequency fr:frame fs:fullscreen
  ft:format ha:has hb:holdback he:headers hn:hostname ho:host ht:height id:id ii:init in:instance ip:ip is:is ke:key la:language
  lb:labeled ld:loaded le:level li:live lo:load ls:lists lt:latency lw:low ma:max md:media me:message mf:manifest mi:mime ml:midroll
  mm:min mn:manufacturer mo:model mp:mode ms:ms mx:mux ne:newest nm:name no:number on:on or:origin os:os pa:paused pb:playback
  pd:producer pe:percentage pf:played pg:program ph:playhead pi:plugin pl:preroll pn:playing po:poster pp:pip pr:preload ps:position
  pt:part pv:previous px:pop py:property pz:plan ra:rate rd:requested re:rebuffer rf:rendition rg:range rm:remote ro:ratio
  rp:response rq:request rs:requests sa:sample sd:skipped se:session sh:shift si:sid sk:seek sm:stream so:source sq:sequence
  sr:series ss:status st:start su:startup sv:server sw:software sy:severity ta:tag tc:tech te:text tg:target th:throughput ti:time
  tl:total to:to tr:track tt:title ty:type ug:upscaling un:universal up:upscale ur:url us:user va:variant vd:viewed ve:version
  vi:video vr:viewer vw:view wa:watch wd:width wt:waiting`).trim().split(/\s+/).map(pair => pair.split(':')));

function tail(text) {
  const words = [];
  for (let at = 0; at < text.length;) {
    const digits = /^\d+/.exec(text.slice(at));
    if (digits) { words.push(digits[0]); at += digits[0].length; continue; }
    if (text[at] === '_') {
      const end = text.indexOf('_', at + 1);
      if (end < 0) return null;
      words.push(text.slice(at + 1, end));
      at = end + 1;
      continue;
    }
    const word = LATER[text.slice(at, at + 2)];
    if (!word) return null;
    words.push(word);
    at += 2;
  }
  return words;
}

export function longName(key) {
  const rest = FIRST[key[0]] && tail(key.slice(1));
  if (rest) return [FIRST[key[0]], ...rest].join('_');
  const body = key.replace(/^_/, ''), cut = body.indexOf('_');
  const words = cut > 0 ? tail(body.slice(cut + 1)) : null;
  return words ? [body.slice(0, cut), ...words].join('_') : key;
}

const flip = table => Object.fromEntries(Object.entries(table).map(([code, word]) => [word, code]));
const [FIRST_OF, LATER_OF] = [flip(FIRST), flip(LATER)];
export function shortName(name) {
  const [first, ...rest] = name.split('_');
  return (FIRST_OF[first] ?? first + '_') + rest.map(word => LATER_OF[word] ?? (/^\d+$/.test(word) ? word : `_${word}_`)).join('');
}

// ---- values [1-3]: absent is undefined, "" sets a text back to null
const MAX_INT = 2 ** 31 - 1;
const floorHalfUp = value => Math.floor(value + 0.5);
function number(raw) {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw : undefined;
  if (typeof raw === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(raw.trim())) return Number(raw.trim());
  return undefined;
}
const within = (value, most) => value === undefined || value < 0 || value > most ? undefined : value;
const READ = {
  int: raw => within(number(raw) === undefined ? undefined : floorHalfUp(number(raw)), MAX_INT),
  big: raw => within(number(raw) === undefined ? undefined : floorHalfUp(number(raw)), Number.MAX_SAFE_INTEGER),
  num: raw => within(number(raw), Infinity),
  bool: raw => {
    const text = typeof raw === 'string' ? raw.trim().toLowerCase() : raw;
    return text === true || text === 'true' || text === '1' || text === 1 ? true
      : text === false || text === 'false' || text === '0' || text === 0 ? false : undefined;
  },
  text: (raw, bytes = 1024) => {
    if (raw === null || raw === undefined) return undefined;
    const text = typeof raw === 'string' ? raw.toWellFormed() : typeof raw === 'object' ? JSON.stringify(raw) : String(raw);
    if (text === '') return null;
    let cut = Buffer.from(text);
    if (cut.length <= bytes) return text;
    let end = bytes;
    while ((cut[end] & 0xc0) === 0x80) end--;
    return cut.subarray(0, end).toString();
  },
  url: raw => READ.text(raw, 2048),
  context: raw => READ.text(raw, 8192),
};
const KINDS = {
  int: `view_sequence_number player_sequence_number player_view_count view_watch_time view_playing_time_ms_cumulative
    ad_playing_time_ms_cumulative view_content_playback_time view_total_content_playback_time view_time_to_first_frame
    view_aggregate_startup_time view_rebuffer_count view_rebuffer_duration view_seek_count view_seek_duration view_dropped_frame_count
    view_preroll_request_count view_startup_preroll_request_time view_startup_preroll_load_time player_startup_time page_load_time
    player_width player_height player_source_width player_source_height video_source_width video_source_height video_source_bitrate
    video_source_duration video_duration`,
  big: `viewer_time view_start view_max_playhead_position player_playhead_time player_program_time
    request_start request_response_start request_response_end request_bytes_loaded`,
  num: `mux_sample_rate view_max_upscale_percentage view_max_downscale_percentage view_total_upscaling view_total_downscaling
    video_source_fps request_current_level request_labeled_bitrate request_media_duration request_media_start_time
    request_video_width request_video_height player_audio_track_bitrate player_text_track_bitrate`,
  bool: `view_preroll_requested view_preroll_played view_has_ad view_time_shift_enabled player_is_paused player_is_fullscreen
    player_pip_enabled player_captions_enabled player_autoplay_on player_remote_played player_error_business_exception
    player_audio_track_enabled player_text_track_enabled video_source_is_live viewer_connection_low_data_mode`,
  url: 'page_url video_poster_url video_source_url player_source_url ad_tag_url ad_asset_url request_url',
  context: 'player_error_context video_playback_range',
};
export const KIND = {};
for (const [kind, names] of Object.entries(KINDS)) for (const name of names.trim().split(/\s+/)) KIND[name] = kind;
const ALIAS = { user_id: 'viewer_user_id', property_key: 'env_key', view_dropped_frames_count: 'view_dropped_frame_count',
  video_source_host_name: 'video_source_hostname' };

export function decode(event) {
  const out = {};
  for (const [key, raw] of Object.entries(event)) {
    const name = ALIAS[longName(key)] ?? longName(key);
    const value = READ[KIND[name] ?? 'text'](raw);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

// ---- one view: its events in order of sequence, the fields known before and after each
const ONE_EVENT = /^(request_|player_error_|ad_(?!playing_time)|video_previous_cdn$|player_startup_time$|page_load_time$)/;

function steps(copies) {
  const bySequence = new Map();
  for (const event of copies) {
    const sequence = event.view_sequence_number ?? event.player_sequence_number; // [6]
    if (sequence !== undefined && !bySequence.has(sequence)) bySequence.set(sequence, event);
  }
  const ordered = [...bySequence].sort((a, b) => a[0] - b[0]);
  const end = ordered.findIndex(([, event]) => event.event === 'viewend');
  let before = {};
  return ordered.slice(0, end < 0 ? undefined : end + 1).map(([sequence, sent]) => { // [8]
    const event = { ...sent };
    if (event.event === 'viewend' && event.player_playhead_time < (before.player_playhead_time ?? 0)) { // [19]
      delete event.player_playhead_time;
      delete event.video_playback_range;
    }
    const after = { ...before };
    const group = /^(audio|text)trackchange$/.exec(event.event)?.[1]; // replaces its whole group: what it omits is unset
    if (group) for (const name of track(group)) delete after[name];
    for (const [name, value] of Object.entries(event)) if (!ONE_EVENT.test(name)) after[name] = value;
    const step = { sequence, name: event.event, event, before, after, time: event.viewer_time };
    before = after;
    return step;
  });
}

const isFatal = step => step.name === 'error' && step.event.player_error_severity !== 'warning';
const isBusiness = step => step.event.player_error_business_exception === true;
const starts = step => ['viewstart', 'play', 'adbreakstart'].includes(step.name) || step.event.view_start !== undefined || isFatal(step);
const first = (all, name) => all.map(step => step.event[name]).find(value => value !== undefined && value !== null) ?? null;
const ever = (all, test) => all.some(test);
const full = value => value !== undefined && value !== null && value !== 0 && value !== '';

function times(all, right) { // [9, 10]; in the client's clock, and with the clock put right
  const begin = all.find(step => full(step.event.view_start)), from = begin ?? all.find(step => step.name === 'viewstart') ??
    all.find(step => ['play', 'adbreakstart'].includes(step.name)) ?? all.find(isFatal);
  const start = begin ? begin.event.view_start : from.time;
  const latest = steps => steps.reduce((a, b) => b.time > a.time ? b : a);
  const last = all.at(-1), others = all.filter(step => step !== last);
  const late = last.name === 'viewend' && others.length > 0 && last.time - latest(others).time > 3_600_000;
  const end = latest(late ? others : all);
  return { start, late, startAt: right(start, from), endAt: right(end.time, end) };
}

function playing(all) { // [21, 24]
  let sum = 0, weight = 0, weighted = 0, last = null, playedWeight = 0, playedWeighted = 0;
  let played = 0, adPlayed = (all[0].sequence === 1 ? all[0].event.ad_playing_time_ms_cumulative : 0) ?? 0, playhead = 0;
  const known = ever(all, step => step.event.view_playing_time_ms_cumulative !== undefined);
  for (const step of all) {
    const now = step.after.view_playing_time_ms_cumulative ?? 0, nowAds = step.after.ad_playing_time_ms_cumulative ?? 0;
    let grown = Math.max(0, now - played);
    if (step.name === 'rebufferstart' && last) grown = Math.min(grown, Math.max(0, step.time - last.time));
    const content = Math.max(0, grown - Math.max(0, nowAds - adPlayed));
    sum += grown;
    const nowHead = step.after.view_content_playback_time ?? 0, moved = Math.max(0, nowHead - playhead);
    if (step.before.video_source_bitrate > 0) {
      weight += content;
      weighted += content * step.before.video_source_bitrate;
      playedWeight += moved;
      playedWeighted += moved * step.before.video_source_bitrate;
    }
    [played, adPlayed, last, playhead] = [now, nowAds, step, nowHead];
  }
  if (!known) [weight, weighted] = [playedWeight, playedWeighted]; // older cores send no playing time
  return { sum, bitrate: weight > 0 ? weighted / weight : null, known };
}

function requests(all) { // [23]
  let bytes = 0, time = 0, wait = 0, longest = 0, counted = 0;
  for (const { name, event } of all) {
    if (name !== 'requestcompleted') continue;
    const start = event.request_start, end = event.request_response_end;
    const firstByte = event.request_response_start >= start ? event.request_response_start : undefined;
    const took = end - (firstByte ?? start);
    if (!(took > 0) || !(event.request_bytes_loaded > 0)) continue;
    counted++;
    bytes += event.request_bytes_loaded;
    time += took;
    if (firstByte - start > 0) { wait += firstByte - start; longest = Math.max(longest, firstByte - start); }
  }
  return { throughput: time > 0 ? floorHalfUp(8000 * bytes / time) : null, latency: wait > 0 ? floorHalfUp(wait / counted) : null,
    longest: longest > 0 ? longest : null };
}

function renditions(all) { // [25]
  let known = 0, up = 0, down = 0;
  for (const { name, after } of all) {
    const bitrate = after.video_source_bitrate ?? 0;
    if (name === 'renditionchange' && bitrate > 0 && known > 0) { up += bitrate > known; down += bitrate < known; }
    if (bitrate > 0) known = bitrate;
  }
  return { seen: known > 0, up, down };
}

function ads(all) { // [31, 32]
  const count = { attempt: 0, break: 0, impression: 0, error: 0, startupError: 0, breakError: 0, exit: 0 };
  let open = false, shown = false, inBreak = false, breakFailed = false, any = false;
  const attempt = () => { if (!open) { count.attempt++; open = true; shown = false; } };
  for (const { name, event } of all) {
    if (event.view_has_ad === true) any = true;
    if (['adbreakstart', 'adplay', 'adplaying', 'adimpression', 'aderror'].includes(name)) any = true;
    if (['adended', 'adskipped', 'adbreakstart', 'adbreakend', 'playing'].includes(name)) open = false;
    if (['adbreakend', 'playing'].includes(name)) inBreak = false;
    if (name === 'adbreakstart') { count.break++; inBreak = true; breakFailed = false; }
    if (['adplay', 'adplaying', 'adimpression', 'aderror'].includes(name)) attempt();
    if (['adplaying', 'adimpression'].includes(name) && !shown) { shown = true; count.impression++; }
    if (name === 'aderror') {
      count.error++;
      if (!shown) count.startupError++;
      if (inBreak && !breakFailed) { breakFailed = true; count.breakError++; }
      open = false;
    }
  }
  if (open && !shown) count.exit++;
  return { any, count };
}

function contentStartup(all, start, startup) { // [30]
  const at = all.findIndex(step => step.name === 'playing');
  if (at < 0) return null;
  const earlier = all.slice(0, at);
  if (!ever(earlier, step => step.name === 'adplaying')) return startup;
  const begin = earlier.find(step => step.name === 'adbreakstart') ?? earlier.find(step => ['adplay', 'adplaying'].includes(step.name));
  const finish = earlier.findLast(step => step.name === 'adbreakend') ?? earlier.findLast(step => step.name.startsWith('ad'));
  return Math.max(0, all[at].time - start - (finish.time - begin.time));
}

function liveLatency(all, right) { // [27]; live as the source says, else as the metadata says
  const live = ({ video_source_is_live, video_stream_type }) => video_source_is_live ?? video_stream_type === 'live';
  const found = all.filter(({ event, after }) => event.player_program_time !== undefined && live(after) && after.player_is_paused !== true)
    .map(step => right(step.time, step) - step.event.player_program_time).filter(ms => ms >= 0 && ms <= 300_000);
  return found.length ? floorHalfUp(found.reduce((a, b) => a + b, 0) / found.length) : null;
}

function cdnTrace(all) { // [33]
  const trace = [];
  for (const { event } of all)
    if (event.video_cdn && event.video_cdn.toLowerCase() !== trace.at(-1)?.toLowerCase()) trace.push(event.video_cdn);
  return trace;
}

// ---- scores [52-56]
function scores({ failed, watched, wait, startup, rebuffers, stalled, watch, um, up, played }) {
  const success = failed ? 0 : watched ? 1 : wait < 1000 ? null : 0.5;
  const su = startup === null ? null : 8 / (8 + startup / 1000);
  const sm = watched && watch > 0 ? (1 / Math.sqrt(1 + (rebuffers / 2) ** 2) + Math.exp(-10 * Math.min(1, stalled / watch))) / 2 : null;
  const q = watched && um !== null && up !== null && played > 0 ? Math.exp(-0.33 * (0.15 * um + 0.85 * up / played)) : null;
  const pairs = [[sm, q, 0.62, 0.38], [sm, su, 0.54, 0.46], [su, q, 0.58, 0.42]].filter(([a, b]) => a !== null && b !== null)
    .map(([a, b, p, r]) => a ** p * b ** r);
  const single = [sm, su, q].find(score => score !== null);
  const overall = !success ? success : success * (pairs.length ? pairs.reduce((a, b) => a + b, 0) / pairs.length : single ?? 1);
  return { success, su, sm, q, overall };
}

// ---- the agent [37]: what uap-core says of the browser of the recordings; a test of its own covers uap-core's files
export function agent(header) {
  const chrome = /HeadlessChrome\/(\d+)\.(\d+)\.(\d+)/.exec(header);
  if (!chrome || !/X11; Linux/.test(header)) throw new Error('reference knows HeadlessChrome on Linux only: ' + header);
  return { name: 'HeadlessChrome', version: chrome.slice(1, 4).join('.'), os: 'Linux', device: 'Other', category: 'desktop' };
}

// ---- the timeline [41]; what each event shows of itself
const track = kind => ['enabled', 'name', 'language', 'type', 'codec', 'format', 'channels', 'bitrate'].map(name => `player_${kind}_track_${name}`);
const OWN_DETAILS = { // fields that belong to the event alone
  playerready: ['player_startup_time', 'page_load_time'],
  error: ['code', 'message', 'context', 'severity', 'business_exception'].map(name => 'player_error_' + name),
  cdnchange: ['video_previous_cdn'],
};
const STATE_DETAILS = { // fields that a delta record leaves out when they have not changed: taken from the state
  renditionchange: ['width', 'height', 'fps', 'bitrate', 'codec', 'rendition_name'].map(name => 'video_source_' + name),
  playbackmodechange: ['player_playback_mode', 'player_playback_mode_data'],
  networkchange: ['viewer_connection_type', 'viewer_connection_low_data_mode'],
  cdnchange: ['video_cdn'],
  audiotrackchange: track('audio'),
  texttrackchange: track('text'),
};
const prefixed = (prefix, names) => names.split(' ').map(name => prefix + name);
const ANY_REQUEST = prefixed('request_', 'type event_type url hostname id start response_start response_end bytes_loaded current_level');
const MEDIA_REQUEST = prefixed('request_', 'labeled_bitrate media_duration media_start_time video_width video_height');
const OUTCOME = { requestfailed: prefixed('request_', 'error error_code error_text'), requestcanceled: ['request_cancel'] };
const AD_IDS = ['ad_id', 'ad_creative_id', 'ad_universal_id'], AD = [...AD_IDS, 'ad_type', 'ad_tag_url', 'ad_asset_url'];
// The SDK sends the ids with each of these when there are any, so that a missing one means none.
const REPEATS_IDS = 'adrequest adresponse adplay adplaying adpause adfirstquartile admidpoint adthirdquartile adended'.split(' ');
const pick = (from, names) => names.filter(name => from[name] !== undefined && from[name] !== null).map(name => [name, from[name]]);

function timeline(all) {
  let ad = {}, adOver = false, mediaUrl;
  return all.map(({ sequence, name, event, after, time }) => {
    if (REPEATS_IDS.includes(name) || adOver) for (const id of AD_IDS) delete ad[id];
    adOver = name === 'adbreakend'; // the ids end with their break; type and URLs are not sent again for the next, so they stay
    for (const key of AD) if (event[key] !== undefined) ad[key] = event[key]; // null: "" was sent
    const shown = [...pick(event, OWN_DETAILS[name] ?? []), ...pick(after, STATE_DETAILS[name] ?? [])];
    if (/^ad[a-z]/.test(name)) shown.push(...pick(ad, AD));
    if (/^request(completed|failed|canceled)$/.test(name)) {
      // A manifest's event still carries what the fragment before it left behind, a success what a failure left.
      const manifest = event.request_type === 'manifest', leftover = manifest && event.request_url === mediaUrl;
      shown.push(...pick(event, ANY_REQUEST).filter(([key]) => key !== 'request_url' || !leftover));
      if (!manifest) { shown.push(...pick(event, MEDIA_REQUEST)); mediaUrl = event.request_url; }
      shown.push(...pick(event, OUTCOME[name] ?? []));
    }
    return { sequence, name, viewer_time: time, playback_time: after.player_playhead_time ?? 0, details: Object.fromEntries(shown) };
  }).sort((a, b) => a.viewer_time - b.viewer_time || a.sequence - b.sequence).map(({ sequence, ...event }) => event);
}

const seconds = ms => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
function decimal(value) { // shortest digits that read back the same, never with an exponent [96]
  if (value === null || value === undefined) return null;
  const [, digits, fraction = '', exponent] = /^(\d+)\.?(\d*)e-(\d+)$/.exec(String(value)) ?? [];
  return digits ? '0.' + '0'.repeat(exponent - 1) + digits + fraction : String(value);
}
const hostOf = url => { try { return /^[\w+.-]+:\/\//.test(url) && new URL(url).host || null; } catch { return null; } };
const percent = (a, b) => b > 0 ? decimal(a / b) : null;

// ---- the detail of one view, as GET /data/v1/video-views/{id} shows it; null when the events make no view [7]
// clock, for a view that is no backfill: { offset: ms, receipt: sequence => ms } of what delivered it [11].
export function detail(copies, header, clock = null) {
  const all = steps(copies), offset = clock && Math.abs(clock.offset) > 30_000 ? clock.offset : 0;
  const right = (ms, step) => clock ? Math.min(Math.floor(ms + offset + 0.5), clock.receipt(step.sequence)) : ms;
  if (!all.some(starts)) return null;
  const state = all.at(-1).after;
  const last = name => state[name] ?? null;
  const lastFull = name => all.map(step => step.event[name]).findLast(full) ?? null; // [26]
  const firstFull = name => all.map(step => step.event[name]).find(full) ?? null;
  const either = (...names) => names.map(last).find(value => value !== null) ?? null;
  const codec = (pick, ...names) => names.map(pick).find(value => value !== null) ?? null;
  const eitherEvent = (pick, names) => codec(pick, ...names);
  const { start, late, startAt, endAt } = times(all, right);
  const startup = last('view_time_to_first_frame'), watch = last('view_watch_time');
  const play = playing(all), request = requests(all), rendition = renditions(all), ad = ads(all), trace = cdnTrace(all);
  const watched = startup !== null || ever(all, step => ['playing', 'adplaying'].includes(step.name)) || play.sum > 0; // [46]
  const fatal = all.filter(step => isFatal(step) && !isBusiness(step)), business = all.filter(step => isFatal(step) && isBusiness(step));
  const failed = fatal.length > 0, chosen = fatal[0] ?? business[0] ?? null; // [43]
  const errorOf = step => step ? { code: step.event.player_error_code ?? null, message: step.event.player_error_message ?? null } : null;
  const inBreak = step => { // [45]
    const mark = all.slice(0, all.indexOf(step)).findLast(({ name }) => ['adbreakstart', 'adbreakend', 'playing'].includes(name));
    return mark?.name === 'adbreakstart';
  };
  const rebuffers = watched ? last('view_rebuffer_count') ?? 0 : null, stalled = watched ? last('view_rebuffer_duration') ?? 0 : null; // [39]
  const prerollPlayed = ever(all, ({ event }) => event.view_preroll_played === true);
  const score = scores({ failed, watched, wait: watch ?? endAt - startAt, startup, rebuffers, stalled, watch, um: last('view_max_upscale_percentage'),
    up: last('view_total_upscaling'), played: last('view_total_content_playback_time') });
  const shows = rendition.seen && watched;
  const computed = play.known ? play.sum : watched ? Math.max(0, (watch ?? 0) - (startup ?? 0) - stalled - (last('view_seek_duration') ?? 0)) : 0;
  const parts = [first(all, 'page_load_time'), first(all, 'player_startup_time'), startup];
  const browser = agent(header);
  const sent = name => either('mux_viewer_' + name, 'viewer_' + name);
  const adCount = name => ad.any ? ad.count[name] : null;
  const preload = last('player_preload_on');
  const sentUrl = either('video_source_url', 'player_source_url'), sourceUrl = /^(blob|data):/i.test(sentUrl ?? '') ? 'MSE style URL' : sentUrl;
  const live = last('video_source_is_live');
  const streamOf = () => last('video_stream_type') ?? (live !== null ? (live ? 'live' : 'on-demand') : last('video_source_duration') !== null ? 'on-demand' : null); // [34]
  const stream = /^[^/]+:\/\/stream\.mux\.com\/([^/?#.]+)/.exec(sourceUrl ?? '');

  const out = {
    view_id: last('view_id'), session_id: first(all, 'session_id') ?? '', view_session_id: last('view_session_id'),
    player_instance_id: first(all, 'player_instance_id'), mux_viewer_id: first(all, 'mux_viewer_id') ?? '', viewer_user_id: last('viewer_user_id'),
    sub_property_id: last('sub_property_id'), view_start: seconds(startAt), view_end: seconds(endAt), short_time: seconds(startAt),
    mux_api_version: last('mux_api_version') ?? '', mux_embed: last('mux_embed'), mux_embed_version: last('mux_embed_version'),
    mux_sample_rate: last('mux_sample_rate'), watched, view_dropped: all.at(-1).name !== 'viewend', // [14]

    viewer_experience_score: decimal(score.overall), playback_score: decimal(score.success), startup_score: decimal(score.su),
    rebuffering_score: decimal(score.sm), quality_score: decimal(score.q), time_to_first_frame: startup,
    player_startup_time: first(all, 'player_startup_time'), player_load_time: first(all, 'player_startup_time'), page_load_time: first(all, 'page_load_time'),
    view_content_startup_time: contentStartup(all, start, startup), ad_preroll_startup_time: prerollPlayed ? last('view_startup_preroll_load_time') : null,
    buffering_count: rebuffers, buffering_duration: stalled, buffering_rate: watched ? percent(rebuffers, watch) : null,
    rebuffer_percentage: watched ? percent(stalled, watch) : null, watch_time: watch, view_playing_time: decimal(computed),
    view_max_playhead_position: decimal(last('view_max_playhead_position')), view_total_content_playback_time: last('view_total_content_playback_time'),
    view_total_upscaling: decimal(last('view_total_upscaling')), view_total_downscaling: decimal(last('view_total_downscaling')),
    view_max_upscale_percentage: decimal(last('view_max_upscale_percentage')), view_max_downscale_percentage: decimal(last('view_max_downscale_percentage')),
    view_seek_count: last('view_seek_count'), view_seek_duration: last('view_seek_duration') ?? (last('view_seek_count') >= 1 ? 0 : null),
    weighted_average_bitrate: play.bitrate, live_stream_latency: liveLatency(all, right), view_dropped_frame_count: last('view_dropped_frame_count'),
    rendition_change_count: shows ? rendition.up + rendition.down : null, rendition_upshift_count: shows ? rendition.up : null,
    rendition_downshift_count: shows ? rendition.down : null, view_average_request_latency: request.latency,
    view_average_request_throughput: request.throughput, view_max_request_latency: request.longest,
    exit_before_video_start: !watched && !failed, video_startup_failure: failed && !watched, playback_failure: failed, // [47, 50]
    long_rebuffering: (stalled ?? 0) > 300_000, long_resume: late, player_view_count: last('player_view_count'),

    error_type_id: errorOf(chosen), view_error_id: errorOf(chosen), player_error_code: chosen?.event.player_error_code ?? null,
    player_error_message: chosen?.event.player_error_message ?? null, player_error_context: chosen?.event.player_error_context ?? null,
    playback_failure_error_type_id: errorOf(fatal[0]), playback_business_exception_error_type_id: errorOf(business[0]),
    video_startup_business_exception_error_type_id: watched ? null : errorOf(business[0]),
    ad_playback_failure_error_type_id: failed && inBreak(chosen) ? errorOf(chosen) : null,

    video_id: last('video_id'), video_title: last('video_title'), video_series: last('video_series'), video_duration: last('video_duration'),
    video_content_type: last('video_content_type'), video_stream_type: streamOf(), video_language: last('video_language_code'),
    video_producer: last('video_producer'), video_encoding_variant: last('video_encoding_variant'), video_variant_id: last('video_variant_id'),
    video_variant_name: last('video_variant_name'), video_creator_id: last('video_creator_id'), video_affiliate: last('video_affiliate'),
    video_brand: last('video_brand'), video_codec: eitherEvent(lastFull, ['video_codec', 'video_source_codec']),
    video_codec_initial: eitherEvent(firstFull, ['video_codec', 'video_source_codec']),
    audio_codec: eitherEvent(lastFull, ['video_audio_codec', 'player_audio_track_codec']),
    audio_codec_initial: eitherEvent(firstFull, ['video_audio_codec', 'player_audio_track_codec']),
    video_dynamic_range_type: lastFull('video_dynamic_range_type'), video_dynamic_range_type_initial: firstFull('video_dynamic_range_type'),
    video_source_bitrate: lastFull('video_source_bitrate'), video_source_bitrate_initial: firstFull('video_source_bitrate'),
    video_source_fps: lastFull('video_source_fps'), video_source_fps_initial: firstFull('video_source_fps'),
    video_source_height: lastFull('video_source_height'), video_source_height_initial: firstFull('video_source_height'),
    video_source_width: lastFull('video_source_width'), video_source_width_initial: firstFull('video_source_width'),
    cdn: last('video_cdn'), video_cdn_trace: trace, view_cdn_edge_pop: last('view_cdn_edge_pop'), view_cdn_origin: last('view_cdn_origin'),
    asset_id: last('asset_id'), live_stream_id: last('live_stream_id'), playback_id: last('playback_id') ?? stream?.[1] ?? null,
    view_drm_type: last('view_drm_type'), view_drm_level: last('view_drm_level'), experiment_name: last('experiment_name'),

    player_name: last('player_name'), player_version: last('player_version'), player_software: either('player_software_name', 'player_software'),
    player_software_version: last('player_software_version'), player_mux_plugin_name: last('player_mux_plugin_name'),
    player_mux_plugin_version: last('player_mux_plugin_version'), player_autoplay: last('player_autoplay_on') ?? false,
    player_preload: preload !== null && !['none', 'false'].includes(preload), player_remote_played: last('player_remote_played'),
    player_language: last('player_language_code'), player_poster: last('video_poster_url'), player_height: last('player_height'),
    player_width: last('player_width'), player_source_domain: last('video_source_domain'),
    player_source_host_name: last('video_source_hostname') ?? hostOf(sourceUrl), player_source_url: sourceUrl,
    player_source_type: last('video_source_mime_type'), player_source_stream_type: null, player_source_duration: last('video_source_duration'),
    player_source_height: lastFull('video_source_height') ?? lastFull('player_source_height'),
    player_source_width: lastFull('video_source_width') ?? lastFull('player_source_width'),
    used_fullscreen: ever(all, ({ event }) => event.player_is_fullscreen === true || event.player_playback_mode === 'fullscreen'), // [36]
    used_pip: ever(all, ({ event }) => event.player_pip_enabled === true || event.player_playback_mode === 'pip'),
    used_captions: ever(all, ({ event }) => event.player_captions_enabled === true || event.player_text_track_enabled === true),
    time_shift_enabled: last('view_time_shift_enabled') ?? false,

    page_url: last('page_url'), page_type: last('page_type'), client_application_name: last('view_client_application_name'),
    client_application_version: last('view_client_application_version'), platform_summary: sent('application_name') ?? browser.name, platform_description: null,
    viewer_application_name: sent('application_name') ?? browser.name, viewer_application_version: sent('application_version') ?? browser.version,
    viewer_application_engine: sent('application_engine'), viewer_os_family: sent('os_family') ?? browser.os, viewer_os_version: sent('os_version'),
    viewer_os_architecture: sent('os_architecture'), viewer_device_category: sent('device_category') ?? browser.category,
    viewer_device_manufacturer: sent('device_manufacturer'), viewer_device_model: sent('device_model'), viewer_device_name: sent('device_name') ?? browser.device,
    viewer_connection_type: last('viewer_connection_type'), viewer_user_agent: header, viewer_plan: last('viewer_plan'),
    viewer_plan_status: last('viewer_plan_status'), viewer_plan_category: last('viewer_plan_category'),
    asn: null, asn_name: null, isp: null, metro: null, continent_code: null, country_code: null, country_name: null, region: null, city: null,
    latitude: null, longitude: null,

    view_has_ad: ad.any, ad_attempt_count: adCount('attempt'), ad_break_count: adCount('break'), ad_impression_count: adCount('impression'),
    ad_error_count: adCount('error'), ad_break_error_count: adCount('breakError'), ad_startup_error_count: adCount('startupError'),
    ad_exit_before_start_count: adCount('exit'), ad_error_percentage: ad.any ? percent(ad.count.error, ad.count.attempt) : null,
    ad_break_error_percentage: ad.any ? percent(ad.count.breakError, ad.count.break) : null,
    ad_startup_error_percentage: ad.any ? percent(ad.count.startupError, ad.count.attempt) : null,
    ad_exit_before_start_percentage: ad.any ? percent(ad.count.exit, ad.count.attempt) : null,
    preroll_requested: ever(all, ({ event }) => event.view_preroll_requested === true), preroll_played: prerollPlayed,
    preroll_ad_tag_hostname: last('view_preroll_ad_tag_hostname'), preroll_ad_asset_hostname: last('view_preroll_ad_asset_hostname'),
    requests_for_first_preroll: prerollPlayed ? last('view_preroll_request_count') : null, // [29]
    video_startup_preroll_request_time: prerollPlayed ? last('view_startup_preroll_request_time') : null,
    video_startup_preroll_load_time: prerollPlayed ? last('view_startup_preroll_load_time') : null,
  };
  for (let n = 1; n <= 10; n++) out['custom_' + n] = last('custom_' + n);
  out.events = timeline(all);
  return out;
}

// ---- what is stored of a view and not shown in its detail: [19] ranges, [116] playing time by what was on meanwhile, which is
// what was known before the event that counts it. Unknown is null. Times by kind are [..., ms], in any order.
function addTo(times, kind, ms) {
  if (ms <= 0) return;
  const known = times.find(item => JSON.stringify(item.slice(0, -1)) === JSON.stringify(kind));
  if (known) known[kind.length] += ms;
  else times.push([...kind, ms]);
}

export function hidden(copies) {
  const all = steps(copies), state = all.at(-1).after, known = value => full(value) ? value : null;
  const renditions = [], modes = [], adTypes = [], first = all[0];
  let played = 0, adPlayed = (first.sequence === 1 ? first.event.ad_playing_time_ms_cumulative : 0) ?? 0, last = null;
  let rendition = Array(6).fill(null), adType = null;
  for (const step of all) {
    const now = step.after.view_playing_time_ms_cumulative ?? 0, nowAds = step.after.ad_playing_time_ms_cumulative ?? 0;
    let grown = Math.max(0, now - played);
    if (step.name === 'rebufferstart' && last) grown = Math.min(grown, Math.max(0, step.time - last.time));
    const ofAds = Math.min(grown, Math.max(0, nowAds - adPlayed));
    addTo(renditions, rendition, grown - ofAds);
    addTo(modes, [known(step.before.player_playback_mode)], grown);
    addTo(adTypes, [adType], ofAds);
    if (step.name === 'renditionchange')
      rendition = ['bitrate', 'width', 'height', 'fps', 'codec', 'rendition_name'].map(name => known(step.after['video_source_' + name]));
    if (step.event.ad_type !== undefined) adType = known(step.event.ad_type);
    [played, adPlayed, last] = [now, nowAds, step];
  }
  const ranges = [...(state.video_playback_range ?? '').matchAll(/(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)/g)]
    .map(([, start, end]) => [floorHalfUp(Number(start)), floorHalfUp(Number(end))]).filter(([start, end]) => end > start);
  let inBreak = false;
  const errors = []; // [42, 45], as sent
  for (const { name, event, time } of all) {
    if (['adbreakstart', 'adbreakend', 'playing'].includes(name)) inBreak = name === 'adbreakstart';
    if (name === 'error') errors.push([...['code', 'message', 'context'].map(what => event['player_error_' + what] ?? null), time,
      event.player_error_severity !== 'warning', event.player_error_business_exception === true, inBreak]);
  }
  const out = { player_playback_mode: state.player_playback_mode ?? null, ranges, renditions, modes, ad_types: adTypes, errors };
  for (let n = 11; n <= 20; n++) out['custom_' + n] = state['custom_' + n] ?? null;
  return out;
}

// ---- a whole capture: requests in recorded order to {view id: detail}
export function load(file) {
  const bytes = fs.readFileSync(file);
  return (file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString().split('\n').filter(Boolean).map(line => JSON.parse(line));
}

export function views(requests, envKey) {
  const found = new Map();
  for (const request of requests) {
    let body;
    try { body = JSON.parse(request.body); } catch { continue; }
    for (const event of (body.events ?? []).map(decode)) {
      if (event.env_key !== envKey || !event.view_id) continue;
      if (!found.has(event.view_id)) found.set(event.view_id, { copies: [], header: null, lowest: Infinity });
      const view = found.get(event.view_id), sequence = event.view_sequence_number ?? event.player_sequence_number;
      view.copies.push(event);
      if (sequence < view.lowest) { view.lowest = sequence; view.header = request.headers['User-Agent']; } // [17]
    }
  }
  const out = {};
  for (const [id, { copies, header }] of found) {
    const view = detail(copies, header);
    if (view) out[id] = { ...view, row: hidden(copies) };
  }
  return out;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  console.log(JSON.stringify(views(load(process.argv[2]), process.argv[3] ?? 'labenvkey123'), null, 1));
