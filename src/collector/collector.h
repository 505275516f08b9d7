/* SPDX-License-Identifier: Apache-2.0
 * The collector: from an HTTP request to a post, that is a decoded beacon and the bytes that make it durable.
 *
 * collector_handle runs a request through the steps of collector.c, on the loop thread that received it. What can never
 * be used is answered 200 and counted by reason (drop.def); what is usable is handed to `append` and answered when that
 * says so; when append refuses, the answer is 503 and the SDK sends it again. OPTIONS is a CORS preflight.
 *
 * Threads: every function may be called from any thread once the collector is connected. */
#ifndef FF_COLLECTOR_COLLECTOR_H
#define FF_COLLECTOR_COLLECTOR_H

#include "base/json.h"
#include "collector/drop.h"
#include "collector/enrich/enrich.h"
#include "collector/payload.h"
#include "http/server.h"

/* -- a post -- */

/* One acknowledged (or replayed) POST on its way to the views. Counted references; made with one. */
struct collector_post {
    uint32_t magic;
    _Atomic uint32_t refs;
    struct http_ticket ticket; /* request NULL: a replay, nobody waits for an answer */
    struct beacon beacon;      /* everything it points at is in arena */
    struct arena arena;
    struct collector *owner;
    struct collector_post *next; /* in the owner's list of free posts */
};

void collector_post_retain(struct collector_post *post);
/* The last reference makes the post reusable. */
void collector_post_release(struct collector_post *post);

/* Memory a post holds, for bounds on what waits. */
size_t collector_post_bytes(const struct collector_post *post);

/* Answers the requests behind posts, each exactly once: 200 when durable, else 503. Posts without a ticket are passed
 * over. */
void collector_posts_answer(struct collector *c, struct collector_post *const *posts, size_t n, bool durable);
/* A journal record's payload as a post without a ticket; its views are under way for the quotas. NULL: the payload is
 * not one of ours. */
struct collector_post *collector_post_replay(struct collector *c, struct span payload) MUST_USE;
/* A view that is open at the start: the quotas let it go on. Any thread. */
void collector_view_known(struct collector *c, const char *environment_id, struct span view_id);

/* -- the collector -- */

enum { COLLECTOR_BODY_BYTES_DEFAULT = 4 << 20, COLLECTOR_BODY_BYTES_MAX = 16 << 20 }; /* after it was inflated */

struct collector_env { /* what the collector needs to know of an environment */
    char id[24];
    int64_t property_id;
    bool disabled, allow_backfill, strip_query, honour_dnt;
    bool keep_addresses;            /* truncated ones, that is */
    uint32_t views_per_minute_max;  /* 0: no limit */
    uint32_t events_per_second_max; /* 0: no limit */
};

struct collector_options {
    /* The environment of a key; false: no such key. Any thread, fast, from memory. */
    bool (*env_find)(void *ctx, struct span env_key, struct collector_env *out);
    void *env_ctx;
    struct enrich *enrich;                    /* NULL: geography and devices stay unknown. The caller's */
    bool keep_addresses;                      /* false: no environment keeps them */
    uint32_t address_requests_per_second_max; /* a client address; 0: no limit */
    size_t body_bytes_max;                    /* default (0) 4 MiB, at most 16; the HTTP server must keep as much */
    unsigned depth_max;                       /* of the JSON; default (0) 32, at most JSON_DEPTH_MAX */
    struct format_limits limits;              /* 0: the default of each */
    size_t recent_bytes_max;                  /* memory of the recent-beacons view; default (0) 32 MiB */
};
struct collector *collector_new(const struct collector_options *options) MUST_USE;
/* All posts must have been released. NULL is fine. */
void collector_free(struct collector *c);

/* Where usable posts go. payload: for the journal (payload.h), borrowed for the call; the receive time is in
 * post->beacon. ERR_NONE: append has taken the post, with its reference and the duty to answer (perhaps it has done so
 * already). Anything else: it stays the collector's, which answers 503. Any loop thread. */
typedef enum err collector_append(void *ctx, struct collector_post *post, struct span payload);
/* Before the first request. */
void collector_connect(struct collector *c, collector_append *append, void *ctx);

/* A POST or OPTIONS request that no other route owns. Answers it, now or later. */
void collector_handle(struct collector *c, struct http_request *r);

/* An event that was acknowledged but not kept after all; why is a name of drop.def. For view_table_options.dropped. */
void collector_dropped(struct collector *c, const char *environment_id, const char *why, uint32_t events);
/* firstframe_beacons_dropped_total, Prometheus text, appended. */
void collector_print(struct collector *c, struct buf *out);

struct collector_recent_ask {
    /* If not empty: POSTs with an event of this view (the SDK's id, or 32 hex digits of the public one), and with an
     * event that names this video. */
    struct span view_id, video_id;
    uint32_t limit;
};
/* The newest beacons of an environment, newest first, as one JSON array:
 *   [{"received_at": ISO time, "format", "bytes", "backfill", "user_agent", "browser", "operating_system",
 *     "device_category", "country", "problem": why the whole POST was refused {"reason","help","detail"} or null,
 *     "events_shown": false when the body was too long to keep,
 *     "events":[{"event","view_id","view_sequence_number","viewer_time","refused": reason or null, "help": its sentence
 *        or null, "fields":{long name: value},"ignored":[{"key","why"}]}],
 *     "clock_offset_ms": number or null}]
 * environment_id "": requests that belong to none (unknown keys, unreadable bodies); for administrators only.
 * Requests arriving faster than about 100 a second in one environment are sampled, those that begin a view by
 * themselves. Returns their number. */
size_t collector_recent_json(struct collector *c, const char *environment_id, const struct collector_recent_ask *ask,
                             struct jw *out);
/* Events of an environment that were acknowledged and then refused since the start (too late, over a limit of open
 * views, ...), as one JSON array: [{"reason","help","events","last_at": ISO time}]. */
void collector_refused_later_json(struct collector *c, const char *environment_id, struct jw *out);

#endif
