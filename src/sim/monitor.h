/* SPDX-License-Identifier: Apache-2.0
 * The player SDK as seen from outside: the clock of one page, the counters that grow while it runs, and the events and
 * batches that come out. The script in viewer.c says what the person does; this part keeps the books the way
 * mux-embed 5.19 does, quirks included (playing time runs on until a stall is noticed, counters stop at an error until
 * the next play, request counters belong to the player and not to the view). Pure and single-threaded. */
#ifndef FF_SIM_MONITOR_H
#define FF_SIM_MONITOR_H

#include "sim/encode.h"
#include "sim/rng.h"

/* What the page is doing while time passes. */
enum sim_mode {
    MODE_IDLE,     /* before play is pressed */
    MODE_STARTING, /* play pressed, or an ad loading */
    MODE_PLAYING,
    MODE_UNNOTICED, /* the picture stands, the client has not noticed */
    MODE_STALLED,
    MODE_SEEKING,
    MODE_AD,
    MODE_PAUSED,
};

enum { SIM_RANGES_MAX = 12, SIM_TICK_MS = 10000, SIM_POST_EVENTS_MAX = 300 };

struct sim_monitor {
    struct sim_session *session;
    struct sim_encoder encoder;
    struct sim_value state[SIM_FIELDS];
    struct rng *rng;

    int64_t now_ms;
    int64_t talked_ms; /* last event that was no request: heartbeats count from here */
    int64_t tick_ms;   /* next periodic send */
    uint32_t queue_at; /* first event that is in no POST yet */

    bool started, paused, frozen, hidden, live, old_core, cookies;
    uint32_t seq, player_seq;
    unsigned view; /* index into session->views */

    int64_t watch_ms, playing_ms, ad_playing_ms, content_ms, playhead_ms, playhead_max_ms;
    int64_t stall_ms, stall_count, seek_ms, seek_count, seek_max_ms;
    int64_t scaled_ms, scaled_from_ms; /* playhead ms weighed so far, and where the unweighed stretch begins */
    double upscaled, downscaled, upscale_max, downscale_max;
    bool scaled;
    int64_t range_ms[SIM_RANGES_MAX][2];
    unsigned ranges;
    int64_t live_latency_ms;
    double rate;          /* playback speed */
    const char *cdn_next; /* the next response names this network, or NULL */

    /* per player, never reset */
    int64_t requests, requests_failed, requests_canceled, latency_sum_ms, latency_max_ms, latency_count;
    double bytes_sum, transfer_sum_ms, throughput_min;
};

/* A new page and player at m->now_ms. The caller then sets the page's own fields. */
void monitor_open(struct sim_monitor *m, struct sim_session *s, const struct sim_keys *keys, struct rng *rng,
                  int64_t now_ms);
/* A new view in this player: everything of the view starts again. wanted as in struct sim_view. */
void monitor_view(struct sim_monitor *m, const char *view_id, bool wanted);

static inline void monitor_set(struct sim_monitor *m, enum sim_field field, struct sim_value value)
{
    m->state[field] = value;
}
/* A copy that lives as long as the session. */
const char *monitor_text(struct sim_monitor *m, const char *format, ...) PRINTF_LIKE(2, 3);

/* Time passes; heartbeats come out where they are due. */
void monitor_wait(struct sim_monitor *m, enum sim_mode mode, int64_t ms);
void monitor_emit(struct sim_monitor *m, enum sim_kind kind);
/* The same, dated back: viewer_time is then, not now. */
void monitor_emit_at(struct sim_monitor *m, enum sim_kind kind, int64_t viewer_ms);
/* The playhead goes elsewhere, by a seek. */
void monitor_jump(struct sim_monitor *m, int64_t playhead_ms);
/* Weighs the playhead progress since the last sample by how far the picture is scaled. */
void monitor_sample(struct sim_monitor *m);
void monitor_start(struct sim_monitor *m); /* view_start is now; viewstart and what surrounds it */
void monitor_pause(struct sim_monitor *m, bool paused);
/* A completed request that ended now; the other request_* fields are set by the caller before. */
void monitor_request(struct sim_monitor *m, int64_t bytes, int64_t first_byte_ms, int64_t transfer_ms);
/* The network that delivers changes: cdnchange, unless it is the same one. */
void monitor_cdn(struct sim_monitor *m, const char *cdn);
/* The page is left: viewend, and the last batch goes out, by sendBeacon and again by fetch when unload is set. */
void monitor_end(struct sim_monitor *m, bool unload);
/* Periodic sends up to now_ms; with all set, whatever is queued leaves at the next tick (a page left open). */
void monitor_flush(struct sim_monitor *m, bool all);

#endif
