/* SPDX-License-Identifier: Apache-2.0
 * The inside of view_fold, for fold*.c and score.c only.
 *
 * The events are sorted by sequence and cut at the first viewend. Then one walk: for each event the state (every field
 * known after it) is brought up to date and each pass takes its step; at the end each pass finishes and writes its
 * columns, in the order of the table in fold.c, so that a later pass may read what an earlier one wrote. A pass keeps
 * what it needs from before an event in its own struct here. Constant time an event and pass, but for sorting. */
#ifndef FF_VIEWS_FOLD_H
#define FF_VIEWS_FOLD_H

#include "views/view_private.h"

enum { FOLD_GROUPS_MAX = 100, FOLD_RANGES_MAX = 10000, FOLD_TRACKED = 11 };

struct fold_event {
    uint32_t sequence;
    uint16_t name;
    struct span name_text;
    int64_t viewer_time_ms; /* as sent; INT64_MIN: absent */
    int64_t receipt_ms;
    const struct beacon_value *values;
    uint32_t value_count;
};

/* A point in time of the client's clock with the receipt that bounds it. */
struct fold_time {
    int64_t ms, receipt_ms;
    bool known;
};

struct fold_clock { /* fold_time.c */
    struct fold_time start_field, start_viewstart, start_play, start_error;
    struct fold_time newest, newest_viewend;
    struct fold_time first_playing, first_adplaying, break_start, break_end, ad_first, ad_last;
    int64_t played_ms, ad_before_ms, before_time_ms;
    int64_t playing_time_ms, ad_base_ms;
    bool has_played, playing_seen, adplaying_first;
    double latency_sum;
    uint32_t latency_count;
};

struct fold_group { /* playing time by something */
    int64_t bitrate, width, height;
    double fps;
    struct span codec, name; /* name: of the rendition, the mode or the ad type */
    int64_t ms;
};
struct fold_groups {
    struct fold_group items[FOLD_GROUPS_MAX];
    uint32_t count;
};

struct fold_renditions { /* fold_renditions.c */
    struct beacon_value first[FOLD_TRACKED], last[FOLD_TRACKED];
    bool seen[FOLD_TRACKED];
    int64_t bitrate, bitrate_known; /* of the state; the last one of it that was more than 0 */
    int64_t content_before_ms;
    uint32_t changes, ups, downs;
    double weighted, weight_ms, weighted_playback, weight_playback_ms;
    struct fold_groups renditions, modes, ad_types;
    struct fold_group rendition; /* what is playing since the last renditionchange */
    struct span mode;
};

struct fold_ad { /* the ad that an event is about */
    struct span id, creative_id, universal_id, type, tag_url, asset_url;
};
struct fold_ads {               /* fold_ads.c */
    struct fold_ad now, before; /* after the event, and before it */
    int32_t attempts, breaks, impressions, errors, break_errors, startup_errors;
    bool break_open, break_failed, break_over, attempt_open, attempt_shown, has_ad;
};

struct fold_requests { /* fold_requests.c */
    double bytes, ms, latency_ms;
    int64_t latency_max_ms;
    uint32_t count;
    bool latency_known;
};

struct fold_error {
    struct span code, message, context;
    struct fold_time time;
    int32_t id;
    bool fatal, business;           /* by the environment's category, else as sent */
    bool sent_fatal, sent_business; /* as sent */
    bool in_ad;
};
struct fold_errors { /* fold_errors.c */
    struct fold_error *items;
    uint32_t count;
    size_t context_bytes;
    bool in_break;
};

struct fold_facts { /* fold_facts.c */
    bool fullscreen, pip, captions;
    struct span *trace;
    uint32_t trace_count;
};

struct fold_timeline { /* fold_timeline.c */
    struct buf scratch;
    struct span *details;
    size_t details_bytes;
    int64_t *playheads, *times;
    int64_t last_time_ms;
    struct span request_url; /* of the last request that was no manifest */
};

struct fold {
    const struct view *v;
    bool final;
    error_category_lookup *categorise;
    void *ctx;
    struct arena *arena;
    struct view_row *row;

    struct fold_event *events;
    uint32_t event_count, event_at; /* folded events; the one of this step */
    int64_t offset_ms;
    bool watched; /* from fold_time's finish on */

    struct beacon_value state[FIELD_COUNT];
    bool known[FIELD_COUNT];

    /* Wall time playing since the event before, all and the part that was an ad (rules 21, 22, 24). */
    int64_t addend_ms, ad_addend_ms;

    struct fold_clock clock;
    struct fold_renditions renditions;
    struct fold_ads ads;
    struct fold_requests requests;
    struct fold_errors errors;
    struct fold_facts facts;
    struct fold_timeline timeline;
};

struct fold_pass {
    void (*begin)(struct fold *f);
    void (*step)(struct fold *f, const struct fold_event *e);
    void (*finish)(struct fold *f);
};
extern const struct fold_pass fold_pass_time, fold_pass_ads, fold_pass_renditions, fold_pass_requests, fold_pass_errors,
    fold_pass_facts, fold_pass_timeline, fold_pass_scores;

/* fold.c */
void *fold_alloc(struct fold *f, size_t len); /* never NULL: over the arena's bound is a bug of the caller */
struct span fold_copy(struct fold *f, struct span s);
/* The state after the current event; {NULL,0}, false or `otherwise` where nothing is known. */
struct span fold_text(const struct fold *f, enum field field);
bool fold_int(const struct fold *f, enum field field, int64_t *out);
int64_t fold_int_or(const struct fold *f, enum field field, int64_t otherwise);
struct opt_i64 fold_int32(const struct fold *f, enum field field);
bool fold_number(const struct fold *f, enum field field, double *out);
bool fold_true(const struct fold *f, enum field field);
/* The event's own value (the last one of that field), or NULL. */
const struct beacon_value *fold_own(const struct fold_event *e, enum field field);
struct span fold_own_text(const struct fold_event *e, enum field field);
/* With the clock's offset, and not after the receipt (rule 11). */
int64_t fold_correct(const struct fold *f, int64_t ms, int64_t receipt_ms);
bool fold_is_warning(struct span severity);
bool fold_is_ad_event(uint16_t name);

int64_t fold_plus(int64_t a, int64_t b);  /* saturating */
int64_t fold_minus(int64_t a, int64_t b); /* saturating */

/* Values outside the column's range are absent. */
struct opt_i64 opt_int32(int64_t v);
struct opt_i64 opt_int64(int64_t v);
struct opt_i64 opt_rounded(double v, int64_t max); /* half up */
struct opt_f64 opt_double(double v);

#endif
