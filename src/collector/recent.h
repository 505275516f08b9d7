/* SPDX-License-Identifier: Apache-2.0
 * The last POSTs of each environment, kept in memory for GET /data/v1/beacons/recent. What is kept is the body and how
 * it was judged; it is decoded again when somebody looks, so that receiving costs a copy and no more.
 *
 * Of each environment there are two lists, of the POSTs that begin a view and of all others, so that one's own view can
 * be found by its id while thousands of others play on.
 *
 * Bounds: RECENT_KEPT_MAX and a quarter of the total bytes a list, RECENT_BODY_BYTES_MAX a body (longer ones are shown
 * without events), RECENT_PER_SECOND new ones a second and list (what comes faster is passed over), and a total of
 * bytes, beyond which the oldest of those environments go that have more than RECENT_POSTS_MAX.
 * Threads: any, under one lock; the lock is not held while JSON is written. */
#ifndef FF_COLLECTOR_RECENT_H
#define FF_COLLECTOR_RECENT_H

#include "base/json.h"
#include "collector/collector.h"
#include "collector/formats/format.h"

enum { RECENT_POSTS_MAX = 50, RECENT_KEPT_MAX = 2000, RECENT_BODY_BYTES_MAX = 64 * 1024, RECENT_PER_SECOND = 100 };

struct judgement { /* what became of one environment key of a POST */
    struct span key;
    struct beacon_env env; /* id "": unknown */
    enum drop verdict;
};

struct recent_post {
    int64_t received_ms;
    uint8_t format;                    /* 0: none was recognised */
    enum drop problem;                 /* why the whole POST was refused, or DROP_NONE */
    const char *detail;                /* a constant sentence on it, or NULL */
    struct span body;                  /* inflated; may be empty */
    size_t body_bytes;                 /* its real length */
    const struct viewer_facts *viewer; /* user agent, browser, os, device category, country are shown */
    const struct judgement *judgements;
    uint32_t judgement_count;
    const uint32_t *refused; /* events over quota */
    uint32_t refused_count;
    struct span env_key; /* of events that name none */
    struct format_limits limits;
    bool begins; /* it has the first event of a view */
};

struct recent;
struct recent *recent_new(size_t bytes_max);
void recent_free(struct recent *r);
/* Copies. environment_id "": belongs to none. */
void recent_add(struct recent *r, const char *environment_id, const struct recent_post *post);
/* Events that were acknowledged and then refused by the views. */
void recent_refused_later(struct recent *r, const char *environment_id, enum drop why, uint32_t events, int64_t now_ms);
/* See collector_refused_later_json. */
void recent_refused_later_json(struct recent *r, const char *environment_id, struct jw *out);
/* See collector_recent_json. */
size_t recent_json(struct recent *r, const struct formats *formats, const char *environment_id,
                   const struct collector_recent_ask *ask, struct jw *out);

#endif
