/* SPDX-License-Identifier: Apache-2.0
 * The walk: decode, sort, cut at the viewend, keep the state, drive the passes. */
#include "views/fold.h"

#include <math.h>
#include <stdlib.h>

enum { CLOCK_DEAD_BAND_MS = 30000 };

/* Read top down: who comes later may use what the earlier ones found. */
static const struct fold_pass *const passes[] = {
    &fold_pass_time,   &fold_pass_ads,   &fold_pass_renditions, &fold_pass_requests,
    &fold_pass_errors, &fold_pass_facts, &fold_pass_timeline,   &fold_pass_scores,
};

void *fold_alloc(struct fold *f, size_t len)
{
    void *p = arena_alloc(f->arena, len);
    BUG_IF(p == NULL);
    return p;
}

struct span fold_copy(struct fold *f, struct span s)
{
    if (s.len == 0) return (struct span){NULL, 0};
    struct span copy = arena_copy(f->arena, s);
    BUG_IF(copy.ptr == NULL);
    return copy;
}

struct span fold_text(const struct fold *f, enum field field)
{
    return f->known[field] ? f->state[field].v.s : (struct span){NULL, 0};
}

bool fold_int(const struct fold *f, enum field field, int64_t *out)
{
    if (f->known[field]) *out = f->state[field].v.i;
    return f->known[field];
}

int64_t fold_int_or(const struct fold *f, enum field field, int64_t otherwise)
{
    return f->known[field] ? f->state[field].v.i : otherwise;
}

struct opt_i64 fold_int32(const struct fold *f, enum field field)
{
    return f->known[field] ? opt_int32(f->state[field].v.i) : (struct opt_i64){0, false};
}

bool fold_number(const struct fold *f, enum field field, double *out)
{
    if (f->known[field]) *out = f->state[field].v.d;
    return f->known[field];
}

bool fold_true(const struct fold *f, enum field field)
{
    return f->known[field] && f->state[field].v.i != 0;
}

const struct beacon_value *fold_own(const struct fold_event *e, enum field field)
{
    for (uint32_t i = e->value_count; i-- > 0;) {
        if (e->values[i].field == field) return &e->values[i];
    }
    return NULL;
}

struct span fold_own_text(const struct fold_event *e, enum field field)
{
    const struct beacon_value *value = fold_own(e, field);
    return value ? value->v.s : (struct span){NULL, 0};
}

bool fold_is_warning(struct span severity)
{
    return span_is(severity, "warning");
}

bool fold_is_ad_event(uint16_t name)
{
    return name >= EVENT_adrequest && name <= EVENT_adskipped;
}

int64_t fold_plus(int64_t a, int64_t b)
{
    int64_t out;
    if (!__builtin_add_overflow(a, b, &out)) return out;
    return b < 0 ? INT64_MIN : INT64_MAX;
}

int64_t fold_minus(int64_t a, int64_t b)
{
    int64_t out;
    if (!__builtin_sub_overflow(a, b, &out)) return out;
    return b < 0 ? INT64_MAX : INT64_MIN;
}

int64_t fold_correct(const struct fold *f, int64_t ms, int64_t receipt_ms)
{
    int64_t corrected = fold_plus(ms, f->offset_ms);
    if (!f->v->backfilled && corrected > receipt_ms) corrected = receipt_ms;
    return corrected < 0 ? 0 : corrected;
}

struct opt_i64 opt_int32(int64_t v)
{
    return v < 0 || v > INT32_MAX ? (struct opt_i64){0, false} : (struct opt_i64){v, true};
}

struct opt_i64 opt_int64(int64_t v)
{
    return v < 0 ? (struct opt_i64){0, false} : (struct opt_i64){v, true};
}

struct opt_i64 opt_rounded(double v, int64_t max)
{
    double rounded = floor(v + 0.5);
    if (!(rounded >= 0) || rounded > (double)max || rounded >= 9.2e18) return (struct opt_i64){0, false};
    return (struct opt_i64){(int64_t)rounded, true};
}

struct opt_f64 opt_double(double v)
{
    return isfinite(v) ? (struct opt_f64){v, true} : (struct opt_f64){0, false};
}

/* --- events --------------------------------------------------------------------------------------------------- */

static int event_order(const void *a, const void *b)
{
    const struct fold_event *x = a, *y = b;
    return (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static void fold_read(struct fold *f)
{
    const struct view *v = f->v;
    struct beacon_value values[VIEW_EVENT_VALUES_MAX];
    struct view_reader r;
    struct view_record record;
    bool sorted = true;
    f->events = fold_alloc(f, (v->event_count + 1u) * sizeof *f->events);
    view_reader_init(&r, v);
    while (view_reader_next(&r, &record)) {
        BUG_IF(f->event_count == v->event_count);
        uint32_t count = 0;
        while (count < VIEW_EVENT_VALUES_MAX && view_reader_value(&r, &record, f->arena, &values[count])) count++;
        BUG_IF(!record.values.ok);
        struct beacon_value *kept = fold_alloc(f, (count + 1u) * sizeof *kept);
        memcpy(kept, values, count * sizeof *kept);
        struct fold_event *e = &f->events[f->event_count++];
        *e = (struct fold_event){.sequence = record.sequence,
                                 .name = record.name,
                                 .name_text = record.name_text,
                                 .viewer_time_ms = record.viewer_time_ms,
                                 .receipt_ms = v->posts[record.post],
                                 .values = kept,
                                 .value_count = count};
        if (record.name != EVENT_OTHER) e->name_text = span_of(event_name_text((enum event_name)record.name));
        if (f->event_count > 1 && e[-1].sequence > e->sequence) sorted = false;
    }
    BUG_IF(!r.in.ok || f->event_count != v->event_count);
    if (!sorted) qsort(f->events, f->event_count, sizeof *f->events, event_order);
    for (uint32_t i = 0; i < f->event_count; i++) {
        if (f->events[i].name == EVENT_viewend) f->event_count = i + 1;
    }
}

/* --- state ---------------------------------------------------------------------------------------------------- */

static void state_forget(struct fold *f, enum field first, enum field last)
{
    for (unsigned field = first; field <= (unsigned)last; field++) f->known[field] = false;
}

static void state_set(struct fold *f, const struct beacon_value *value)
{
    const struct field_facts *facts = field_facts((enum field)value->field);
    bool text = facts->type == FIELD_TEXT || facts->type == FIELD_URL || facts->type == FIELD_CONTEXT ||
                facts->type == FIELD_JSON || facts->type == FIELD_RANGES;
    bool unset = text && value->v.s.len == 0;
    switch (facts->merge) {
    case FIELD_FIRST:
        if (unset || f->known[value->field]) return;
        break;
    case FIELD_ONCE:
        if (value->v.i == 0) return;
        break;
    case FIELD_EVENT: return;
    case FIELD_LAST: break;
    }
    f->state[value->field] = *value;
    f->known[value->field] = !unset;
}

static void state_apply(struct fold *f, const struct fold_event *e)
{
    if (e->name == EVENT_texttrackchange)
        state_forget(f, FIELD_player_text_track_enabled, FIELD_player_text_track_bitrate);
    if (e->name == EVENT_audiotrackchange)
        state_forget(f, FIELD_player_audio_track_enabled, FIELD_player_audio_track_bitrate);
    /* A viewend may have read playhead and ranges from the next source (rule 19). */
    const struct beacon_value *playhead = e->name == EVENT_viewend ? fold_own(e, FIELD_player_playhead_time) : NULL;
    bool foreign = playhead && playhead->v.i < fold_int_or(f, FIELD_player_playhead_time, 0);
    for (uint32_t i = 0; i < e->value_count; i++) {
        uint16_t field = e->values[i].field;
        if (foreign && (field == FIELD_player_playhead_time || field == FIELD_video_playback_range)) continue;
        state_set(f, &e->values[i]);
    }
}

void view_fold(const struct view *v, bool final, error_category_lookup *categorise, void *ctx, struct arena *arena,
               struct view_row *out)
{
    struct fold f = {.v = v, .final = final, .categorise = categorise, .ctx = ctx, .arena = arena, .row = out};
    memset(out, 0, sizeof *out);
    memcpy(out->environment_id, v->environment_id, sizeof out->environment_id);
    out->property_id = v->property_id;
    out->id = v->id;
    out->inserted_ms = v->first_receipt_ms;
    out->updated_ms = v->last_receipt_ms;
    bool right = v->clock_offset_ms >= -CLOCK_DEAD_BAND_MS && v->clock_offset_ms <= CLOCK_DEAD_BAND_MS;
    f.offset_ms = v->backfilled || right ? 0 : v->clock_offset_ms;
    fold_read(&f);
    for (size_t i = 0; i < COUNT(passes); i++) {
        if (passes[i]->begin) passes[i]->begin(&f);
    }
    for (; f.event_at < f.event_count; f.event_at++) {
        state_apply(&f, &f.events[f.event_at]);
        for (size_t i = 0; i < COUNT(passes); i++) {
            if (passes[i]->step) passes[i]->step(&f, &f.events[f.event_at]);
        }
    }
    for (size_t i = 0; i < COUNT(passes); i++) {
        if (passes[i]->finish) passes[i]->finish(&f);
    }
}

void view_state(const struct view *v, uint32_t sequence, struct arena *arena, view_state_sink *sink, void *ctx)
{
    struct view_row unused;
    struct fold f = {.v = v, .arena = arena, .row = &unused};
    const struct fold_event *last = NULL;
    fold_read(&f);
    for (uint32_t i = 0; i < f.event_count && f.events[i].sequence <= sequence; i++) {
        last = &f.events[i];
        state_apply(&f, last);
    }
    if (last == NULL) return;
    for (unsigned field = 1; field < FIELD_COUNT; field++) {
        const struct beacon_value *own = NULL;
        if (field_facts((enum field)field)->merge == FIELD_EVENT) own = fold_own(last, (enum field)field);
        if (own) sink(ctx, own);
        else if (f.known[field]) sink(ctx, &f.state[field]);
    }
}
