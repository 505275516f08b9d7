// SPDX-License-Identifier: Apache-2.0
// Ads: the state machine of breaks and attempts, letter by letter.
import { T0 } from './wire.mjs';

const EVENTS = { B: 'adbreakstart', Z: 'adbreakend', P: 'adplay', G: 'adplaying', I: 'adimpression', X: 'aderror', E: 'adended', S: 'adskipped',
  Y: 'playing', R: 'adrequest', r: 'adresponse', U: 'adpause', Q: 'adfirstquartile', p: 'play', u: 'pause', C: 'adclicked', V: 'viewend' };
const fraction = (count, of) => (of ? String(count / of) : null);

// The events of a text of letters, and what they count: attempts, impressions, breaks, errors, startup errors, break errors, exits.
function vector(name, letters, [attempts, impressions, breaks, errors, startup, broken, exits], has = true) {
  const events = [['viewstart', 0, { view_start: T0 }], ...[...letters].map((letter, at) => [EVENTS[letter], 100 * (at + 1)])];
  const count = value => (has ? value : null), share = (a, b) => (has ? fraction(a, b) : null);
  return { item: '31', name: `${name}: ${letters}`, events, expect: {
    view_has_ad: has, ad_attempt_count: count(attempts), ad_impression_count: count(impressions), ad_break_count: count(breaks),
    ad_error_count: count(errors), ad_startup_error_count: count(startup), ad_break_error_count: count(broken),
      ad_exit_before_start_count: count(exits),
    ad_error_percentage: share(errors, attempts), ad_startup_error_percentage: share(startup, attempts),
    ad_break_error_percentage: share(broken, breaks), ad_exit_before_start_percentage: share(exits, attempts),
  } };
}

const error = (at, code, more = {}) => ['error', at, { player_error_code: code, ...more }];
const begin = ['viewstart', 0, { view_start: T0 }];
const inBreak = (name, events, ad) => ({ item: '45', name, events: [begin, ...events, ['viewend', 9000]],
  expect: { playback_failure: true, 'ad_playback_failure_error_type_id': ad ? 'set' : null } });

export default [
  vector('one ad', 'BPGEZYV', [1, 1, 1, 0, 0, 0, 0]),
  vector('a pod without adplay', 'BPGEGEGEZYV', [3, 3, 1, 0, 0, 0, 0]),
  vector('an error before the start', 'BPXZYV', [1, 0, 1, 1, 1, 1, 0]),
  vector('an error after the start', 'BPGXZYV', [1, 1, 1, 1, 0, 1, 0]),
  vector('unfilled requests', 'BXXZYV', [2, 0, 1, 2, 2, 1, 0]),
  vector('left before the start', 'BPV', [1, 0, 1, 0, 0, 0, 1]),
  vector('left after the start', 'BPGV', [1, 1, 1, 0, 0, 0, 0]),
  vector('content instead of the ad', 'BPYV', [1, 0, 1, 0, 0, 0, 0]),
  vector('an error outside of a break', 'XYV', [1, 0, 0, 1, 1, 0, 0]),
  vector('an ad outside of a break', 'PGEYV', [1, 1, 0, 0, 0, 0, 0]),
  vector('adplay again', 'BPPGPGEZV', [1, 1, 1, 0, 0, 0, 0]),
  vector('paused and resumed', 'BPGUPGQEZV', [1, 1, 1, 0, 0, 0, 0]),
  vector('adimpression and adplaying', 'BIGEZV', [1, 1, 1, 0, 0, 0, 0]),
  vector('adplaying and adimpression', 'BPGIEZV', [1, 1, 1, 0, 0, 0, 0]),
  vector('adimpression alone', 'BIEIEZV', [2, 2, 1, 0, 0, 0, 0]),
  vector('skipped before the start, then another', 'BPSPV', [2, 0, 1, 0, 0, 0, 1]),
  vector('a break in a break', 'BPBPGEZV', [2, 1, 2, 0, 0, 0, 0]),
  vector('an error after the break', 'BPGEZXV', [2, 1, 1, 1, 1, 0, 0]),
  vector('an error after the break, with no ad in it', 'BZXV', [1, 0, 1, 1, 1, 0, 0]),
  vector('an error after playing', 'BPGEYXV', [2, 1, 1, 1, 1, 0, 0]),
  vector('an error closes the attempt', 'BPXXV', [2, 0, 1, 2, 2, 1, 0]),
  vector('each break has its first error', 'BPXZBPXXZV', [3, 0, 2, 3, 3, 2, 0]),
  vector('a new break has no error yet', 'BXBXV', [2, 0, 2, 2, 2, 2, 0]),
  vector('adended alone', 'BEZV', [0, 0, 1, 0, 0, 0, 0]),
  vector('the second of two fails', 'BPGEPXZV', [2, 1, 1, 1, 1, 1, 0]),
  vector('quartiles, pauses and clicks open nothing', 'BQUCZV', [0, 0, 1, 0, 0, 0, 0]),
  vector('play and pause close nothing', 'BPupGEZV', [1, 1, 1, 0, 0, 0, 0]),
  vector('requests alone are no ads', 'RrYV', [0, 0, 0, 0, 0, 0, 0], false),
  vector('quartiles alone are no ads', 'QYV', [0, 0, 0, 0, 0, 0, 0], false),
  vector('no viewend, an attempt open', 'BP', [1, 0, 1, 0, 0, 0, 1]),
  vector('no viewend, an ad that plays', 'BPG', [1, 1, 1, 0, 0, 0, 0]),
  vector('the recording ads-emit', 'BPGEXGEZYBPGEZYV', [4, 3, 2, 1, 1, 1, 0]),
  vector('nothing after the viewend', 'BPGEZVBPX', [1, 1, 1, 0, 0, 0, 0]),
  { item: '32', name: 'the key alone', events: [begin, ['hb', 10, { view_has_ad: true }], ['viewend', 1000]],
    expect: { view_has_ad: true, ad_attempt_count: 0, ad_break_count: 0, ad_error_count: 0, ad_error_percentage: null,
      ad_break_error_percentage: null } },
  { item: '32', name: 'the key sent false', events: [begin, ['adplaying', 10, { view_has_ad: false }], ['viewend', 1000]],
    expect: { view_has_ad: true, ad_attempt_count: 1 } },
  { item: '32', name: 'the key sent true once', events: [begin, ['hb', 10, { view_has_ad: 'true' }], ['hb', 20, { view_has_ad: false }],
    ['viewend', 1000]], expect: { view_has_ad: true } },
  { item: '32', name: 'no ads', events: [begin, ['viewend', 1000]], expect: { view_has_ad: false, ad_attempt_count: null, ad_break_error_count: null,
    ad_exit_before_start_percentage: null } },
  inBreak('in a break', [['adbreakstart', 100], error(200, 1)], true),
  inBreak('after its end', [['adbreakstart', 100], ['adbreakend', 150], error(200, 1)], false),
  inBreak('after playing', [['adbreakstart', 100], ['playing', 150], error(200, 1)], false),
  inBreak('an ad without a break', [['adplay', 100], ['adplaying', 150], error(200, 1)], false),
  inBreak('play does not end it', [['adbreakstart', 100], ['play', 150], ['aderror', 160], ['adended', 170], error(200, 1)], true),
  inBreak('the first error decides', [error(50, 1), ['adbreakstart', 100], error(200, 2)], false),
  inBreak('the first error decides, in a break', [['adbreakstart', 100], error(200, 1), ['adbreakend', 300], error(400, 2)], true),
  inBreak('a business exception before it does not', [error(50, 1, { player_error_business_exception: true }), ['adbreakstart', 100], error(200, 2)],
    true),
  { item: '45', name: 'a business exception in a break is no ad failure', events: [begin, ['adbreakstart', 100],
    error(200, 1, { player_error_business_exception: true }), ['viewend', 9000]],
    expect: { ad_playback_failure_error_type_id: null, playback_failure: false } },
];
