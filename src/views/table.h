/* SPDX-License-Identifier: Apache-2.0
 * One shard: its open views by key, the ids it has finished, and the timers. Driven by receipt time alone (the receive
 * times of the journal's records and ticks), so that a replay of the journal repeats every decision. Not thread-safe.
 *
 * Life of a view here (receipt time): a view that ended is final at once, unless sequence numbers are missing below
 * its viewend: then grace_ms after the viewend, or when they have come. Silent for visible_after_ms: a pending row,
 * again after each further silence that follows new events. Silent for final_after_ms: final. Events of ids that never
 * start wait final_after_ms and go (counted). Backfilled views whose newest event was older than final_after_ms at the
 * last receipt are final after grace_ms of silence. A view open for open_after_ms_max is closed.
 * Ids of final views are remembered for 25 hours: later events of them that were there already are duplicates, the
 * others are refused (too_late, or view_too_long after such a closing).
 *
 * A timer due at T runs when the table hears of T or later, before the event that brings the news is looked at: with
 * silence of exactly 60 s a view is visible. Refused before anything else: events more than 24 hours old at their
 * receipt (too_old), but for viewends and backfill; backfilled ones of a time after their receipt by more than a day
 * (other). */
#ifndef FF_VIEWS_TABLE_H
#define FF_VIEWS_TABLE_H

#include "views/view.h"

struct view_table_options {
    int64_t visible_after_ms;    /* default 60,000 */
    int64_t final_after_ms;      /* default 3,600,000 */
    int64_t grace_ms;            /* default 2,000 */
    int64_t open_after_ms_max;   /* a view open longer is closed: default 86,400,000 */
    uint32_t open_views_max;     /* of the shard; default 1,000,000: further views are refused */
    uint32_t env_open_views_max; /* of the shard and one environment; default 1,000,000 */
    /* A row to store; valid during the call. */
    void (*row)(void *ctx, const struct view_row *row);
    /* Events were not folded: why is a name of collector/drop.def (too_late, too_old, after_end, view_full, no_start,
     * too_many_views, too_many_env_views, view_too_long, other). Duplicates are no loss: they are in a counter of
     * base/counters.def. */
    void (*dropped)(void *ctx, const char *environment_id, const char *why, uint32_t events);
    error_category_lookup *categorise;
    void *ctx;
};
struct view_table_options view_table_defaults(void);

struct view_table;
struct view_table *view_table_new(const struct view_table_options *options);
void view_table_free(struct view_table *t);
/* One event of a beacon. Runs the timers due at b->received_ms first. */
void view_table_apply(struct view_table *t, const struct beacon *b, const struct beacon_event *e);
/* Runs the timers due at now_ms (receipt clock). Returns the next due time, or INT64_MAX. */
int64_t view_table_tick(struct view_table *t, int64_t now_ms);
/* Rows made from now on carry check = true (replay), until turned off. Rows of views that are open then carry it even
 * later. */
void view_table_replaying(struct view_table *t, bool on);
size_t view_table_open(const struct view_table *t);
/* Each open view, in no order. */
void view_table_each(const struct view_table *t,
                     void (*visit)(void *ctx, const char *environment_id, struct span view_id), void *ctx);
size_t view_table_bytes(const struct view_table *t); /* memory, for the bench and /metrics */
/* Shard of a view: hash of environment id and view id. */
uint64_t view_key_hash(const char *environment_id, struct span view_id);

/* The checkpoint of the shard: everything above as bytes, in chunks through sink (false stops). load refuses bytes that
 * save did not write; t must be new, and stays empty then. A later release reads the checkpoints of an earlier one as
 * long as fields.def and events.def have grown at their ends only; otherwise they are refused. */
typedef bool view_table_sink(void *ctx, struct span chunk);
bool view_table_save(const struct view_table *t, view_table_sink *sink, void *ctx) MUST_USE;
bool view_table_load(struct view_table *t, struct span bytes) MUST_USE;

#endif
