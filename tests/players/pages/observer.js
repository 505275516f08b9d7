// SPDX-License-Identifier: Apache-2.0
// An independent observer: what a stopwatch beside the video element sees. It knows nothing of the SDK.
'use strict';
window.observe = video => {
  const seen = window.seen = { playAt: null, startupMs: null, stalls: 0, stalledMs: 0, seeks: 0, seekMs: 0, playingMs: 0, errors: 0 };
  let stalledAt = null, seekingAt = null, lastTime = null, lastMoved = null;
  const now = () => performance.now();
  video.addEventListener('play', () => { seen.playAt ??= now(); });
  video.addEventListener('playing', () => {
    if (seen.startupMs === null && seen.playAt !== null) seen.startupMs = now() - seen.playAt;
  });
  video.addEventListener('seeking', () => { seen.seeks++; seekingAt ??= now(); });
  video.addEventListener('seeked', () => { if (seekingAt !== null) seen.seekMs += now() - seekingAt; seekingAt = null; });
  video.addEventListener('error', () => { seen.errors++; });
  setInterval(() => {
    const time = video.currentTime, at = now();
    const wantsToPlay = seen.startupMs !== null && !video.paused && !video.ended && !video.seeking;
    if (time !== lastTime) {
      if (stalledAt !== null && at - stalledAt > 250) { seen.stalls++; seen.stalledMs += at - stalledAt; }
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
