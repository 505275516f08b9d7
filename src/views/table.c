/* SPDX-License-Identifier: Apache-2.0
 * What happens to an event, and when rows are made. Every decision is a function of receive times alone. */
#include "views/table.h"

#include <stdlib.h>

#include "base/counters.h"
#include "views/table_private.h"

enum { DAY_MS = 24 * 3600 * 1000, DEAD_BAND_MS = 30000, COUNTERS_EVERY = 256, ALLOC_OVERHEAD = 16 };

struct view_table_options view_table_defaults(void)
{
    return (struct view_table_options){.visible_after_ms = 60000,
                                       .final_after_ms = 3600000,
                                       .grace_ms = 2000,
                                       .open_after_ms_max = DAY_MS,
                                       .open_views_max = 1000000,
                                       .env_open_views_max = 1000000};
}

struct view_table *view_table_new(const struct view_table_options *options)
{
    struct view_table *t = calloc(1, sizeof *t);
    BUG_IF(t == NULL || options->row == NULL || options->dropped == NULL);
    t->options = *options;
    t->strings = view_strings_new();
    t->now_ms = INT64_MIN;
    random_bytes(&t->seed, sizeof t->seed);
    arena_init(&t->arena, TABLE_FOLD_BYTES_MAX);
    return t;
}

static void table_count(struct view_table *t)
{
    counter_add(COUNTER_view_events_folded_total, t->folded);
    counter_add(COUNTER_view_events_duplicate_total, t->duplicates);
    counter_add(COUNTER_views_final_total, t->finals);
    counter_add(COUNTER_views_pending_total, t->pendings);
    t->folded = t->duplicates = t->finals = t->pendings = 0;
}

void view_table_free(struct view_table *t)
{
    if (t == NULL) return;
    table_count(t);
    for (uint32_t i = 0; i < t->slot_count; i++) {
        if (t->slots[i] == NULL) continue;
        view_free(t->slots[i]->view);
        free(t->slots[i]);
    }
    view_strings_free(t->strings);
    arena_free(&t->arena);
    free(t->slots);
    free(t->heap);
    free(t->tombstones);
    free(t->envs);
    free(t);
}

/* --- when ----------------------------------------------------------------------------------------------------- */

enum due { DUE_PENDING, DUE_FINAL, DUE_TOO_LONG };

static int64_t due_of(const struct view_table *t, const struct open_view *o, enum due *what)
{
    const struct view *v = o->view;
    const struct view_table_options *options = &t->options;
    int64_t last = view_last_receipt_ms(v), newest = view_newest_event_ms(v), due = last + options->final_after_ms;
    bool started = view_started(v);
    *what = DUE_FINAL;
    if (started && view_ended(v)) {
        due = view_has_gaps(v) ? o->ended_ms + options->grace_ms : INT64_MIN;
    } else if (started && view_backfilled(v) && newest < last - options->final_after_ms) {
        due = last + options->grace_ms;
    } else if (started && view_event_count(v) > o->shown && options->visible_after_ms < options->final_after_ms) {
        due = last + options->visible_after_ms;
        *what = DUE_PENDING;
    }
    int64_t longest = view_first_receipt_ms(v) + options->open_after_ms_max;
    if (due < longest) return due;
    *what = DUE_TOO_LONG;
    return longest;
}

void table_schedule(struct view_table *t, struct open_view *o)
{
    enum due what;
    o->due_ms = due_of(t, o, &what);
    if (o->heap_at == UINT32_MAX) table_heap_add(t, o);
    else table_heap_moved(t, o);
}

/* --- rows ----------------------------------------------------------------------------------------------------- */

/* Rows that may be stored already: in a replay, in a backfill that was sent again, and where the view may have been
 * written so long ago that its id is forgotten. Also those of views that a replay left open: if the clock was set back
 * between two starts, their timers may have run in the life before. */
static bool row_in_doubt(const struct view_table *t, const struct open_view *o, const struct view_row *row)
{
    const struct view *v = o->view;
    return t->replaying || o->replayed || view_backfilled(v) || view_lowest_sequence(v) > 1 ||
           row->inserted_ms - row->view_start_ms > DAY_MS;
}

static void table_write(struct view_table *t, struct open_view *o, bool final)
{
    struct view_row row;
    view_fold(o->view, final, t->options.categorise, t->options.ctx, &t->arena, &row);
    row.had_pending = o->version > 0;
    row.version = ++o->version;
    row.final = final;
    row.check = row_in_doubt(t, o, &row);
    t->options.row(t->options.ctx, &row);
    arena_reset(&t->arena);
    if (final) t->finals++;
    else t->pendings++;
}

static void table_drop(struct view_table *t, const char *environment_id, const char *why, uint32_t events)
{
    if (events) t->options.dropped(t->options.ctx, environment_id, why, events);
}

static void table_finish(struct view_table *t, struct open_view *o, int64_t at_ms, bool too_long)
{
    const struct view *v = o->view;
    if (view_started(v)) {
        table_write(t, o, true);
        uint32_t complete_to = view_complete_to(v) & ~TOMBSTONE_TOO_LONG;
        int64_t final_s = at_ms / 1000;
        table_bury(t, &(struct tombstone){.id = view_id(v),
                                          .final_s = final_s < 1 ? 1 : (uint32_t)final_s,
                                          .complete_to = complete_to | (too_long ? TOMBSTONE_TOO_LONG : 0)});
        table_drop(t, view_environment(v), "after_end", view_ignored_count(v));
    } else {
        table_drop(t, view_environment(v), "no_start", view_event_count(v));
    }
    table_close(t, o);
}

/* The timer of o is due by at_ms, or was when it was set: events may have moved it since. */
static void table_due(struct view_table *t, struct open_view *o, int64_t at_ms)
{
    enum due what;
    int64_t due = due_of(t, o, &what);
    if (due > at_ms) {
        table_schedule(t, o);
    } else if (what == DUE_PENDING) {
        table_write(t, o, false);
        o->shown = view_event_count(o->view);
        table_schedule(t, o);
    } else {
        table_finish(t, o, due == INT64_MIN ? at_ms : due, what == DUE_TOO_LONG);
    }
}

static void table_run(struct view_table *t, int64_t now_ms)
{
    if (now_ms > t->now_ms) t->now_ms = now_ms;
    while (t->open_count && t->heap[0]->due_ms <= now_ms) table_due(t, t->heap[0], now_ms);
}

int64_t view_table_tick(struct view_table *t, int64_t now_ms)
{
    table_run(t, now_ms);
    table_count(t);
    return t->open_count ? t->heap[0]->due_ms : INT64_MAX;
}

/* --- events --------------------------------------------------------------------------------------------------- */

/* Rule 12, with the post's own clock. NULL: fit to be kept. */
static const char *refuse_time(const struct beacon *b, const struct beacon_event *e, bool backfill)
{
    int64_t age;
    if (e->viewer_time_ms == INT64_MIN) return NULL;
    if (__builtin_sub_overflow(b->received_ms, e->viewer_time_ms, &age)) return "other";
    if (backfill) return age < -DAY_MS ? "other" : NULL;
    bool right = b->clock_offset_ms >= -DEAD_BAND_MS && b->clock_offset_ms <= DEAD_BAND_MS;
    if (!right && __builtin_sub_overflow(age, b->clock_offset_ms, &age)) return "other";
    return age > DAY_MS && e->name != EVENT_viewend ? "too_old" : NULL;
}

/* An event of a view that is not open: a new view, unless the id is finished or there are too many. */
static struct open_view *table_admit(struct view_table *t, const struct beacon *b, const struct beacon_event *e,
                                     uint64_t hash)
{
    const char *environment_id = b->envs[e->env].id;
    const struct tombstone *stone =
        t->tombstone_count ? table_buried(t, hash128_sha256(span_of(environment_id), e->view_id)) : NULL;
    if (stone && e->sequence <= (stone->complete_to & ~TOMBSTONE_TOO_LONG) && e->sequence > 0) {
        t->duplicates++;
        return NULL;
    }
    const char *why = NULL;
    if (stone) why = stone->complete_to & TOMBSTONE_TOO_LONG ? "view_too_long" : "too_late";
    else if (t->open_count >= t->options.open_views_max) why = "too_many_views";
    else if (table_env_open(t, environment_id) >= t->options.env_open_views_max) why = "too_many_env_views";
    if (why) {
        table_drop(t, environment_id, why, 1);
        return NULL;
    }
    return table_open(t, view_new(t->strings, b, e), hash);
}

static void table_add(struct view_table *t, struct open_view *o, const struct beacon *b, const struct beacon_event *e)
{
    switch (view_apply(o->view, b, e)) {
    case VIEW_ADDED: t->folded++; break;
    case VIEW_DUPLICATE: t->duplicates++; break;
    case VIEW_FULL:
        table_drop(t, b->envs[e->env].id, "view_full", 1);
        if (view_event_count(o->view) > 0) return;
        table_close(t, o);
        return;
    }
    if (o->ended_ms == INT64_MIN && view_ended(o->view)) o->ended_ms = b->received_ms;
    size_t bytes = view_bytes(o->view);
    BUG_IF(bytes > UINT32_MAX);
    t->view_bytes += bytes - o->bytes;
    o->bytes = (uint32_t)bytes;
    enum due what;
    int64_t due = due_of(t, o, &what);
    if (due <= b->received_ms) table_due(t, o, b->received_ms);
    else if (o->heap_at == UINT32_MAX || due < o->due_ms) table_schedule(t, o); /* later ones are found out when due */
}

void view_table_apply(struct view_table *t, const struct beacon *b, const struct beacon_event *e)
{
    BUG_IF(e->env >= b->env_count);
    table_run(t, b->received_ms);
    const struct beacon_env *env = &b->envs[e->env];
    const char *why = refuse_time(b, e, env->backfill);
    if (why) {
        table_drop(t, env->id, why, 1);
        return;
    }
    uint64_t hash = table_hash(t, env->id, e->view_id);
    struct open_view *o = table_find(t, hash, env->id, e->view_id);
    if (o == NULL) o = table_admit(t, b, e, hash);
    if (o) table_add(t, o, b, e);
    if (t->folded + t->duplicates >= COUNTERS_EVERY) table_count(t);
}

/* --- asking --------------------------------------------------------------------------------------------------- */

void view_table_replaying(struct view_table *t, bool on)
{
    t->replaying = on;
    for (uint32_t i = 0; i < t->slot_count && !on; i++)
        if (t->slots[i]) t->slots[i]->replayed = true;
}

size_t view_table_open(const struct view_table *t)
{
    return t->open_count;
}

void view_table_each(const struct view_table *t,
                     void (*visit)(void *ctx, const char *environment_id, struct span view_id), void *ctx)
{
    for (uint32_t i = 0; i < t->slot_count; i++) {
        const struct view *v = t->slots[i] ? t->slots[i]->view : NULL;
        if (v) visit(ctx, view_environment(v), view_key_id(v));
    }
}

size_t view_table_bytes(const struct view_table *t)
{
    size_t views = t->view_bytes + t->open_count * (sizeof(struct open_view) + ALLOC_OVERHEAD);
    size_t sets = t->slot_count * sizeof *t->slots + t->heap_cap * sizeof *t->heap + t->env_slots * sizeof *t->envs;
    return sizeof *t + views + sets + view_strings_bytes(t->strings) + t->tombstone_slots * sizeof *t->tombstones;
}

uint64_t view_key_hash(const char *environment_id, struct span view_id)
{
    return hash64(view_id, hash64(span_of(environment_id), 0));
}
