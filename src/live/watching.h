/* SPDX-License-Identifier: Apache-2.0
 * Who watches what right now: one small entry a view in progress, kept from the beacons as they become durable. A view
 * is live from the event that starts it until its viewend, a fatal error that is no business exception (a later play or
 * playing revives it), or 60 seconds without a beacon.
 *
 * In memory only, and after a restart begun anew: views that play on are known again with their next beacon, but by the
 * ids that this beacon says, so that counts are too low until players repeat theirs. Threads: any, by one lock. */
#ifndef FF_LIVE_WATCHING_H
#define FF_LIVE_WATCHING_H

#include "views/beacon.h"

enum { WATCHING_GONE_MS = 60000 };
enum watching_by { WATCHING_VIDEO_ID, WATCHING_ASSET_ID, WATCHING_PLAYBACK_ID, WATCHING_LIVE_STREAM_ID, WATCHING_BYS };

struct watching;
/* views_max: further views are not looked at. */
struct watching *watching_new(size_t views_max);
void watching_free(struct watching *w);
/* A beacon that was just received; backfilled ones are passed over. */
void watching_beacon(struct watching *w, const struct beacon *b);

struct watching_count {
    int64_t views;
    int64_t viewers; /* distinct ones by viewer_user_id, else mux_viewer_id; a view with neither is one of its own */
};
/* Of the environment's views of the id, at now_ms of the server's clock. */
struct watching_count watching_count(struct watching *w, const char *environment_id, enum watching_by by,
                                     struct span id, int64_t now_ms);
size_t watching_views(struct watching *w); /* entries held, live or about to go */

#endif
