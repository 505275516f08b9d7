/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the body of a POST: decoding must not fault, keeps its promises on what it lets through, and gives the
 * same beacon again from the journal's payload. The same bytes as a payload must be read without harm. */
#include "collector/payload.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Refuses some keys by their first letter, so that all verdicts occur. */
static enum drop judge(void *ctx, struct span key, struct beacon_env *out)
{
    struct payload *p = ctx;
    if (key.ptr[0] == 'u') return DROP_unknown_env;
    *out = (struct beacon_env){.id = "env", .property_id = (int64_t)key.len, .strip_query = key.ptr[0] == 's'};
    if (p->env_count < FORMAT_ENVS_MAX) p->envs[p->env_count++] = (struct payload_env){key, *out};
    return DROP_NONE;
}

static bool is_text(enum field_type t)
{
    return t == FIELD_TEXT || t == FIELD_URL || t == FIELD_CONTEXT || t == FIELD_JSON || t == FIELD_RANGES;
}

static void check_value(const struct beacon_value *v)
{
    BUG_IF(v->field == FIELD_none || v->field >= FIELD_COUNT);
    enum field_type type = field_facts((enum field)v->field)->type;
    if (is_text(type)) {
        size_t max = (size_t)field_type_facts(type)->most;
        BUG_IF(v->v.s.len > max);
        for (size_t i = 0; i < v->v.s.len; i++) (void)*(const volatile char *)(v->v.s.ptr + i);
    } else if (type == FIELD_NUMBER) {
        BUG_IF(!isfinite(v->v.d) || v->v.d < 0);
    } else {
        BUG_IF(v->v.i < 0 || (type == FIELD_BOOL && v->v.i > 1));
        BUG_IF(type != FIELD_TIME && v->v.i > INT32_MAX);
    }
}

static void check_beacon(const struct format_output *out)
{
    const struct beacon *b = &out->beacon;
    uint64_t dropped = 0;
    for (size_t d = 0; d < DROP_COUNT; d++) dropped += out->tally.dropped[d];
    BUG_IF(dropped + b->event_count != out->tally.events);
    for (uint32_t i = 0; i < b->event_count; i++) {
        const struct beacon_event *e = &b->events[i];
        BUG_IF(e->env >= b->env_count || e->view_id.len == 0 || e->view_id.len > FIELD_MOST_view_id);
        BUG_IF(e->name_text.len > FORMAT_EVENT_NAME_MAX || e->name >= EVENT_COUNT);
        BUG_IF(i && out->index[i] <= out->index[i - 1]);
        for (uint32_t v = 0; v < e->value_count; v++) check_value(&e->values[v]);
    }
}

static void check_same(const struct beacon *a, const struct beacon *b)
{
    BUG_IF(a->event_count != b->event_count || a->env_count != b->env_count || a->clock_offset_ms != b->clock_offset_ms);
    for (uint32_t i = 0; i < a->event_count; i++) {
        const struct beacon_event *x = &a->events[i], *y = &b->events[i];
        BUG_IF(!span_eq(x->view_id, y->view_id) || !span_eq(x->name_text, y->name_text) || x->sequence != y->sequence);
        BUG_IF(x->value_count != y->value_count || x->env != y->env || x->viewer_time_ms != y->viewer_time_ms);
        for (uint32_t v = 0; v < x->value_count; v++) {
            BUG_IF(x->values[v].field != y->values[v].field);
            if (is_text(field_facts((enum field)x->values[v].field)->type))
                BUG_IF(!span_eq(x->values[v].v.s, y->values[v].v.s));
            else
                BUG_IF(x->values[v].v.i != y->values[v].v.i);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct formats *formats; /* kept between runs: making the tables takes longer than a run */
    static struct json_parser *json;
    if (formats == NULL) formats = formats_new();
    if (json == NULL) json = json_parser_new();
    struct arena arena, again_arena;
    arena_init(&arena, 64 << 20);
    arena_init(&again_arena, 64 << 20);
    struct payload payload = {.format = 1, .body = span_make(data, size), .received_ms = 1795408567308};
    struct beacon again;
    if (collector_payload_decode(formats, payload.body, json, &again_arena, &again)) BUG_IF(again.event_count > FORMAT_EVENTS_MAX);
    arena_reset(&again_arena);
    if (size % 3 == 0) payload.limits = (struct format_limits){.events = 3, .keys = 5};
    if (size % 5 == 0) payload.env_key = SPAN("key-of-the-header");
    json_parser_depth(json, 4 + (unsigned)(size % 60));
    struct format_input in = {.body = arena_copy(&arena, payload.body), .received_ms = payload.received_ms, .json = json,
                              .arena = &arena, .limits = payload.limits, .env_key = payload.env_key, .judge = judge,
                              .judge_ctx = &payload};
    struct format_output out;
    if (format_decode(formats, 1, &in, &out) == DROP_NONE) {
        check_beacon(&out);
        struct buf bytes;
        buf_init(&bytes, size + (1 << 20));
        payload_encode(&bytes, &payload);
        BUG_IF(bytes.failed || !collector_payload_decode(formats, buf_span(&bytes), json, &again_arena, &again));
        check_same(&out.beacon, &again);
        buf_free(&bytes);
    }
    arena_free(&arena);
    arena_free(&again_arena);
    return 0;
}
