/* SPDX-License-Identifier: Apache-2.0
 * The set of a view's events: what is added, what is there already, and what little is kept beside them (times of
 * receipt, the clock, who is watching). Everything else is computed by fold.c when a row is wanted. */
#include <math.h>
#include <stdlib.h>

#include "views/view_private.h"

enum { ALLOC_OVERHEAD = 16 };

static void viewer_take(struct view *v, const struct viewer_facts *facts)
{
    struct view_viewer old = v->viewer;
#define X(name) v->viewer.name = view_strings_take(v->strings, facts->name);
    VIEWER_TEXTS(X)
#undef X
    v->viewer.asn = facts->asn;
    v->viewer.has_location = facts->has_location;
    v->viewer.latitude_tenths = (int16_t)(facts->has_location ? lround(facts->latitude * 10) : 0);
    v->viewer.longitude_tenths = (int16_t)(facts->has_location ? lround(facts->longitude * 10) : 0);
#define X(name) view_strings_give(v->strings, old.name);
    VIEWER_TEXTS(X)
#undef X
}

static const struct beacon_env *event_env(const struct beacon *b, const struct beacon_event *e)
{
    BUG_IF(e->env >= b->env_count);
    return &b->envs[e->env];
}

struct view *view_new(struct view_strings *strings, const struct beacon *b, const struct beacon_event *first)
{
    BUG_IF(first->view_id.len == 0 || first->view_id.len > FIELD_MOST_view_id);
    struct view *v = calloc(1, sizeof *v + first->view_id.len);
    BUG_IF(v == NULL);
    const struct beacon_env *env = event_env(b, first);
    v->strings = strings;
    memcpy(v->environment_id, env->id, sizeof v->environment_id);
    v->environment_id[sizeof v->environment_id - 1] = 0;
    v->property_id = env->property_id;
    v->view_id_len = (uint8_t)first->view_id.len;
    memcpy(v->view_id, first->view_id.ptr, first->view_id.len);
    v->id = hash128_sha256(span_of(v->environment_id), first->view_id);
    v->first_receipt_ms = v->clock_offset_ms = INT64_MAX;
    v->last_receipt_ms = v->newest_event_ms = INT64_MIN;
    v->start_sequence = v->end_sequence = v->viewer_sequence = SEQUENCE_NONE;
    v->runs = &v->run_one;
    v->run_cap = 1;
    return v;
}

void view_free(struct view *v)
{
    if (v == NULL) return;
#define X(name) view_strings_give(v->strings, v->viewer.name);
    VIEWER_TEXTS(X)
#undef X
    for (uint16_t i = 0; i < v->text_count; i++) {
        if (!(v->texts[i] & TEXT_IN_DATA)) view_strings_give(v->strings, v->texts[i]);
    }
    if (v->runs != &v->run_one) free(v->runs);
    free(v->data);
    free(v->posts);
    free(v->texts);
    free(v->slots);
    free(v);
}

/* --- the set of sequence numbers ------------------------------------------------------------------------------ */

/* Index of the first run that ends at or after the sequence. */
static uint32_t run_find(const struct view *v, uint32_t sequence)
{
    uint32_t low = 0, high = v->run_count;
    if (high && v->runs[high - 1].high < sequence) return high; /* the common case: the next one */
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (v->runs[middle].high < sequence) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool run_has(const struct view *v, uint32_t sequence)
{
    uint32_t at = run_find(v, sequence);
    return at < v->run_count && v->runs[at].low <= sequence;
}

static void runs_insert(struct view *v, uint32_t at, uint32_t sequence)
{
    if (v->run_count == v->run_cap) {
        uint32_t cap = v->run_cap + v->run_cap / 2 + 3;
        struct view_run *runs = malloc(cap * sizeof *runs);
        BUG_IF(runs == NULL);
        memcpy(runs, v->runs, v->run_count * sizeof *runs);
        if (v->runs != &v->run_one) free(v->runs);
        v->runs = runs;
        v->run_cap = cap;
    }
    memmove(v->runs + at + 1, v->runs + at, (v->run_count - at) * sizeof *v->runs);
    v->runs[at] = (struct view_run){sequence, sequence};
    v->run_count++;
}

static void run_add(struct view *v, uint32_t sequence)
{
    uint32_t at = run_find(v, sequence);
    bool after = at > 0 && v->runs[at - 1].high + 1 == sequence;
    bool before = at < v->run_count && v->runs[at].low == sequence + 1;
    if (after && before) {
        v->runs[at - 1].high = v->runs[at].high;
        memmove(v->runs + at, v->runs + at + 1, (v->run_count - at - 1) * sizeof *v->runs);
        v->run_count--;
    } else if (after) {
        v->runs[at - 1].high = sequence;
    } else if (before) {
        v->runs[at].low = sequence;
    } else {
        runs_insert(v, at, sequence);
    }
}

/* --- adding --------------------------------------------------------------------------------------------------- */

static const struct beacon_value *event_value(const struct beacon_event *e, enum field field)
{
    for (uint32_t i = e->value_count; i-- > 0;) {
        if (e->values[i].field == field) return &e->values[i];
    }
    return NULL;
}

/* Rule 7. */
static bool event_starts(const struct beacon_event *e)
{
    if (e->name == EVENT_viewstart || e->name == EVENT_play || e->name == EVENT_adbreakstart) return true;
    if (e->name == EVENT_error) {
        const struct beacon_value *severity = event_value(e, FIELD_player_error_severity);
        if (severity == NULL || !span_is(severity->v.s, "warning")) return true;
    }
    return event_value(e, FIELD_view_start) != NULL;
}

/* What every post that holds an event of the view changes, a repeated one too. */
static void apply_post(struct view *v, const struct beacon *b, const struct beacon_event *e)
{
    if (b->received_ms < v->first_receipt_ms) v->first_receipt_ms = b->received_ms;
    if (b->received_ms > v->last_receipt_ms) v->last_receipt_ms = b->received_ms;
    if (b->clock_offset_ms < v->clock_offset_ms) v->clock_offset_ms = b->clock_offset_ms;
    if (event_env(b, e)->backfill) v->backfilled = true;
    if (e->sequence > v->viewer_sequence) return;
    if (e->sequence == v->viewer_sequence && b->received_ms >= v->viewer_receipt_ms) return;
    v->viewer_sequence = e->sequence;
    v->viewer_receipt_ms = b->received_ms;
    viewer_take(v, &b->viewer);
}

static uint16_t post_number(struct view *v, int64_t received_ms)
{
    if (v->post_count && v->posts[v->post_count - 1] == received_ms) return (uint16_t)(v->post_count - 1);
    if (v->post_count == v->post_cap) {
        uint32_t cap = v->post_cap + v->post_cap / 2u + 2u;
        if (cap > UINT16_MAX) cap = UINT16_MAX;
        BUG_IF(v->post_count == cap);
        int64_t *posts = realloc(v->posts, cap * sizeof *posts);
        BUG_IF(posts == NULL);
        v->posts = posts;
        v->post_cap = (uint16_t)cap;
    }
    v->posts[v->post_count++] = received_ms;
    return (uint16_t)(v->post_count - 1);
}

/* A copy that was received before the one that is stored: its receipt is the event's (rule 41). Happens
 * when posts are handed over out of the order of their receipt only. */
static void apply_earlier_copy(struct view *v, int64_t received_ms, uint32_t sequence)
{
    int64_t newest = INT64_MIN;
    for (uint16_t i = 0; i < v->post_count; i++) newest = v->posts[i] > newest ? v->posts[i] : newest;
    if (received_ms >= newest || v->post_count >= VIEW_EVENTS_MAX) return;
    struct view_reader r;
    struct view_record record;
    view_reader_init(&r, v);
    while (view_reader_next(&r, &record)) {
        if (record.sequence != sequence) continue;
        if (v->posts[record.post] <= received_ms) return;
        uint16_t post = post_number(v, received_ms);
        memcpy(v->data + record.post_offset, &post, sizeof post);
        return;
    }
    BUG_IF(true);
}

enum view_effect view_apply(struct view *v, const struct beacon *b, const struct beacon_event *e)
{
    BUG_IF(e->name >= EVENT_COUNT);
    if (run_has(v, e->sequence)) {
        apply_post(v, b, e);
        if (b->received_ms < v->last_receipt_ms) apply_earlier_copy(v, b->received_ms, e->sequence);
        return VIEW_DUPLICATE;
    }
    uint32_t most = e->name == EVENT_viewend ? VIEW_EVENTS_MAX : VIEW_EVENTS_MAX - 1;
    if (v->event_count >= most || e->sequence == SEQUENCE_NONE) return VIEW_FULL;
    uint16_t posts = v->post_count;
    if (!view_data_add(v, e, post_number(v, b->received_ms), event_env(b, e)->strip_query)) {
        v->post_count = posts; /* nothing points to it */
        return VIEW_FULL;
    }
    run_add(v, e->sequence);
    v->event_count++;
    apply_post(v, b, e);
    if (e->viewer_time_ms > v->newest_event_ms) v->newest_event_ms = e->viewer_time_ms;
    if (e->name == EVENT_viewend && e->sequence < v->end_sequence) v->end_sequence = e->sequence;
    if (e->sequence < v->start_sequence && event_starts(e)) v->start_sequence = e->sequence;
    return VIEW_ADDED;
}

/* --- asking --------------------------------------------------------------------------------------------------- */

struct hash128 view_id(const struct view *v)
{
    return v->id;
}

struct span view_key_id(const struct view *v)
{
    return (struct span){v->view_id, v->view_id_len};
}

const char *view_environment(const struct view *v)
{
    return v->environment_id;
}

bool view_started(const struct view *v)
{
    return v->start_sequence != SEQUENCE_NONE && v->start_sequence <= v->end_sequence;
}

bool view_ended(const struct view *v)
{
    return v->end_sequence != SEQUENCE_NONE;
}

bool view_has_gaps(const struct view *v)
{
    if (v->run_count == 0) return false;
    uint32_t last = view_ended(v) ? v->end_sequence : v->runs[v->run_count - 1].high;
    return v->runs[0].low > 1 || v->runs[0].high < last;
}

bool view_backfilled(const struct view *v)
{
    return v->backfilled;
}

int64_t view_first_receipt_ms(const struct view *v)
{
    return v->first_receipt_ms;
}

int64_t view_last_receipt_ms(const struct view *v)
{
    return v->last_receipt_ms;
}

int64_t view_newest_event_ms(const struct view *v)
{
    return v->newest_event_ms;
}

uint32_t view_lowest_sequence(const struct view *v)
{
    return v->run_count ? v->runs[0].low : 0;
}

uint32_t view_complete_to(const struct view *v)
{
    return v->run_count && v->runs[0].low <= 1 ? v->runs[0].high : 0;
}

uint32_t view_event_count(const struct view *v)
{
    return v->event_count;
}

uint32_t view_ignored_count(const struct view *v)
{
    uint32_t above = 0;
    for (uint32_t i = v->run_count; i-- > 0 && v->runs[i].high > v->end_sequence;) {
        uint32_t low = v->runs[i].low > v->end_sequence ? v->runs[i].low : v->end_sequence + 1;
        above += v->runs[i].high - low + 1;
    }
    return above;
}

size_t view_bytes(const struct view *v)
{
    size_t bytes = sizeof *v + v->view_id_len + ALLOC_OVERHEAD;
    if (v->data) bytes += v->data_cap + ALLOC_OVERHEAD;
    if (v->posts) bytes += v->post_cap * sizeof *v->posts + ALLOC_OVERHEAD;
    if (v->texts) bytes += v->text_cap * sizeof *v->texts + ALLOC_OVERHEAD;
    if (v->slots) bytes += v->slot_count * sizeof *v->slots + ALLOC_OVERHEAD;
    if (v->runs != &v->run_one) bytes += v->run_cap * sizeof *v->runs + ALLOC_OVERHEAD;
    return bytes;
}

int32_t error_type_id(struct span code, struct span message)
{
    /* A byte that is in no text keeps (a, bc) apart from (ab, c); 0 is left free for "none". */
    uint64_t h = hash64(message, hash64(code, 0x6572726F72u) ^ 0xFF);
    int32_t id = (int32_t)(h & INT32_MAX);
    return id ? id : 1;
}
