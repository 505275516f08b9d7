/* SPDX-License-Identifier: Apache-2.0
 * Names and flags from the .def tables, and a session's memory. */
#include "sim/model.h"

#include <stdlib.h>

struct sim_row {
    const char *name;
    unsigned flags;
};
static const struct sim_row fields[] = {
#define FIELD(name, flags) {#name, flags},
#include "sim/fields.def"
#undef FIELD
};
static const struct sim_row kinds[] = {
#define EVENT(name, flags) {#name, flags},
#include "sim/events.def"
#undef EVENT
};

const char *sim_kind_name(enum sim_kind kind)
{
    BUG_IF((unsigned)kind >= SIM_KINDS);
    return kinds[kind].name;
}
unsigned sim_kind_flags(enum sim_kind kind)
{
    BUG_IF((unsigned)kind >= SIM_KINDS);
    return kinds[kind].flags;
}
const char *sim_field_name(enum sim_field field)
{
    BUG_IF((unsigned)field >= SIM_FIELDS);
    return fields[field].name;
}
unsigned sim_field_flags(enum sim_field field)
{
    BUG_IF((unsigned)field >= SIM_FIELDS);
    return fields[field].flags;
}

bool sim_value_eq(struct sim_value a, struct sim_value b)
{
    if (a.type != b.type) return false;
    switch ((enum sim_type)a.type) {
    case SIM_UNSET:
    case SIM_NULL: return true;
    case SIM_BOOL:
    case SIM_INT:
    case SIM_TIME: return a.v.i == b.v.i;
    case SIM_DOUBLE: return !(a.v.d < b.v.d) && !(a.v.d > b.v.d);
    case SIM_TEXT:
    case SIM_RAW: return a.len == b.len && (a.v.text == b.v.text || memcmp(a.v.text, b.v.text, a.len) == 0);
    }
    return false;
}

void *sim_grow(void *array, uint32_t *cap, uint32_t need, size_t each)
{
    if (need <= *cap) return array;
    uint32_t next = *cap ? *cap * 2 : 64;
    while (next < need) next *= 2;
    void *grown = realloc(array, (size_t)next * each);
    BUG_IF(grown == NULL);
    *cap = next;
    return grown;
}

void sim_session_init(struct sim_session *s)
{
    *s = (struct sim_session){0};
    arena_init(&s->arena, SIM_SESSION_BYTES_MAX);
    buf_init(&s->json, SIM_SESSION_BYTES_MAX);
}

void sim_session_reset(struct sim_session *s)
{
    arena_reset(&s->arena);
    buf_clear(&s->json);
    s->event_count = s->pair_count = s->post_count = 0;
    s->view_count = s->consumed = 0;
    s->skew_ms = s->begin_ms = s->end_ms = 0;
    memset(s->views, 0, sizeof s->views);
}

void sim_session_free(struct sim_session *s)
{
    arena_free(&s->arena);
    buf_free(&s->json);
    free(s->events);
    free(s->pairs);
    free(s->posts);
    *s = (struct sim_session){0};
}
