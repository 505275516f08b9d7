// SPDX-License-Identifier: Apache-2.0
// An independent observer: what a stopwatch beside the video element sees. It knows nothing of the SDK. All times in ms.
'use strict';
window.observe = video => {
  const seen = window.seen = { playAt: null, startupMs: null, stalls: 0, stalledMs: 0, hiccups: 0, seeks: 0, seekMs: 0, playingMs: 0, errors: 0,
    heights: [], counts: { play: 0, pause: 0, ended: 0 } };
  let stalledAt = null, seekingAt = null, lastTime = null, lastMoved = null;
  const now = () => performance.now();
  for (const name of Object.keys(seen.counts)) video.addEventListener(name, () => { seen.counts[name]++; });
  video.addEventListener('play', () => { seen.playAt ??= now(); });
  video.addEventListener('playing', () => {
    if (seen.startupMs === null && seen.playAt !== null) seen.startupMs = now() - seen.playAt;
  });
  video.addEventListener('seeking', () => { seen.seeks++; seekingAt ??= now(); });
  video.addEventListener('seeked', () => { if (seekingAt !== null) seen.seekMs += now() - seekingAt; seekingAt = null; });
  video.addEventListener('error', () => { seen.errors++; });
  setInterval(() => {
    const time = video.currentTime, at = now();
    if (video.videoHeight && video.videoHeight !== seen.heights.at(-1)) seen.heights.push(video.videoHeight);
    const wantsToPlay = seen.startupMs !== null && !video.paused && !video.ended && !video.seeking;
    if (time !== lastTime) {
      // A stall that a viewer would call one lasts a second; shorter ones are counted apart, nobody reports them.
      if (stalledAt !== null && at - stalledAt >= 1000) { seen.stalls++; seen.stalledMs += at - stalledAt; }
      else if (stalledAt !== null) { seen.hiccups++; seen.playingMs += at - stalledAt; }
      if (wantsToPlay && lastMoved !== null && stalledAt === null) seen.playingMs += at - lastMoved;
      stalledAt = null;
      lastMoved = wantsToPlay ? at : null;
    } else if (wantsToPlay) {
      if (lastMoved !== null && at - lastMoved > 250 && stalledAt === null) stalledAt = lastMoved;
    } else {
      lastMoved = null;
      stalledAt = null;
    }
    lastTime = time;
  }, 20);
};
// ?src=...&collector=localhost:PORT&key=ENVKEY&video=ID&config=JSON, and what every page tells the SDK
window.query = new URLSearchParams(location.search);
window.metadata = () => ({ env_key: query.get('key'), player_name: 'Test player', player_version: '1.0', player_init_time: Date.now(),
  video_id: query.get('video') ?? 'video-1', video_title: 'Test title', video_series: 'Test series', viewer_user_id: 'viewer-1',
  experiment_name: 'exp-a', sub_property_id: 'sub-1', custom_1: 'one' });
