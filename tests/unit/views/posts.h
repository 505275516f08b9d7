/* SPDX-License-Identifier: Apache-2.0
 * Beacons from text, for the tests of src/views. One line a post, then one line an event:
 *
 *   @ RECEIVED_MS [offset=MS] [backfill] [strip] [country=XX] [agent=TEXT]
 *   SEQUENCE EVENT VIEWER_TIME_MS|- [; field=value]...        (view=ID puts it into another view than "view-1")
 *
 * Blank lines are skipped. Values are read by the field's type; text values stand as they are. */
#ifndef FF_TESTS_VIEWS_POSTS_H
#define FF_TESTS_VIEWS_POSTS_H

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "views/view.h"

enum { POSTS_MAX = 512, POST_EVENTS_MAX = 6000, EVENT_VALUES_MAX = 512 };

struct posts {
    struct arena arena;
    struct beacon items[POSTS_MAX];
    size_t n;
};

static inline enum field field_named(struct span name)
{
    for (unsigned i = 1; i < FIELD_COUNT; i++) {
        if (span_is(name, field_facts((enum field)i)->name)) return (enum field)i;
    }
    fail_msg("no field %.*s", SPAN_ARG(name));
    return FIELD_none;
}

static inline struct beacon_value value_of(struct arena *a, struct span name, struct span text)
{
    struct beacon_value value = {.field = (uint16_t)field_named(name)};
    double number = 0;
    switch (field_facts((enum field)value.field)->type) {
    case FIELD_TEXT:
    case FIELD_URL:
    case FIELD_CONTEXT:
    case FIELD_JSON:
    case FIELD_RANGES: value.v.s = arena_copy(a, text); break;
    case FIELD_BOOL: value.v.i = span_is(text, "true"); break;
    case FIELD_NUMBER: assert_true(span_to_double(text, &value.v.d)); break;
    case FIELD_MS:
    case FIELD_COUNTER:
    case FIELD_SIZE:
    case FIELD_BITRATE:
    case FIELD_TIME:
        if (span_to_i64(text, &value.v.i)) break;
        assert_true(span_to_double(text, &number));
        value.v.i = (int64_t)floor(number + 0.5);
        break;
    }
    return value;
}

/* The next part up to the separator; moves rest behind it. */
static inline struct span cut(struct span *rest, char separator)
{
    ptrdiff_t at = span_find(*rest, separator);
    struct span part = at < 0 ? *rest : span_upto(*rest, (size_t)at);
    *rest = at < 0 ? (struct span){rest->ptr + rest->len, 0} : span_from(*rest, (size_t)at + 1);
    return span_trim(part);
}

static inline void posts_event(struct posts *p, struct span line)
{
    struct beacon *b = &p->items[p->n - 1];
    struct span head = cut(&line, ';'), sequence = cut(&head, ' '), name = cut(&head, ' ');
    struct beacon_value *values = arena_alloc(&p->arena, EVENT_VALUES_MAX * sizeof *values);
    assert_non_null(values);
    struct beacon_event e = {.view_id = SPAN("view-1"), .values = values, .viewer_time_ms = INT64_MIN};
    int64_t number;
    assert_true(span_to_i64(sequence, &number));
    e.sequence = (uint32_t)number;
    e.name_text = arena_copy(&p->arena, name);
    e.name = (uint16_t)event_name_of(name);
    head = span_trim(head);
    if (!span_is(head, "-")) assert_true(span_to_i64(head, &e.viewer_time_ms));
    while (line.len) {
        struct span part = cut(&line, ';'), key = cut(&part, '=');
        if (key.len == 0) continue;
        assert_true(e.value_count < EVENT_VALUES_MAX);
        if (span_is(key, "view")) e.view_id = arena_copy(&p->arena, part);
        else values[e.value_count++] = value_of(&p->arena, key, part);
    }
    assert_true(b->event_count < POST_EVENTS_MAX);
    b->events[b->event_count++] = e;
}

static inline void posts_post(struct posts *p, struct span line)
{
    assert_true(p->n < POSTS_MAX);
    struct beacon *b = &p->items[p->n++];
    *b = (struct beacon){.transmission_ms = INT64_MIN};
    b->envs = arena_alloc(&p->arena, sizeof *b->envs);
    b->events = arena_alloc(&p->arena, POST_EVENTS_MAX * sizeof *b->events);
    assert_true(b->envs && b->events);
    b->env_count = 1;
    *b->envs = (struct beacon_env){.id = "env-1", .property_id = 7};
    struct span received = cut(&line, ' ');
    assert_true(span_to_i64(received, &b->received_ms));
    while (line.len) {
        struct span word = cut(&line, ' '), key = cut(&word, '=');
        if (span_is(key, "offset")) assert_true(span_to_i64(word, &b->clock_offset_ms));
        if (span_is(key, "backfill")) b->envs->backfill = true;
        if (span_is(key, "strip")) b->envs->strip_query = true;
        if (span_is(key, "env")) (void)snprintf(b->envs->id, sizeof b->envs->id, "%.*s", SPAN_ARG(word));
        if (span_is(key, "country")) b->viewer.country = arena_copy(&p->arena, word);
        if (span_is(key, "agent")) b->viewer.browser = arena_copy(&p->arena, word);
    }
}

static inline void posts_add(struct posts *p, const char *text)
{
    struct span rest = span_of(text);
    while (rest.len) {
        struct span line = cut(&rest, '\n');
        if (line.len == 0) continue;
        if (line.ptr[0] == '@') posts_post(p, span_trim(span_from(line, 1)));
        else posts_event(p, line);
    }
}

static inline struct posts *posts_of(const char *text)
{
    struct posts *p = calloc(1, sizeof *p);
    assert_non_null(p);
    arena_init(&p->arena, (size_t)1 << 30);
    posts_add(p, text);
    return p;
}

static inline void posts_free(struct posts *p)
{
    arena_free(&p->arena);
    free(p);
}

/* What a test looks at: the view of all events, folded. */
struct folded {
    struct view_strings *strings;
    struct view *view;
    struct arena arena;
    struct view_row row;
};

static inline struct folded *fold_posts(const struct posts *p, bool final)
{
    struct folded *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->strings = view_strings_new();
    arena_init(&f->arena, (size_t)1 << 30);
    for (size_t i = 0; i < p->n; i++) {
        for (uint32_t k = 0; k < p->items[i].event_count; k++) {
            if (f->view == NULL) f->view = view_new(f->strings, &p->items[i], &p->items[i].events[k]);
            assert_int_not_equal(view_apply(f->view, &p->items[i], &p->items[i].events[k]), VIEW_FULL);
        }
    }
    assert_non_null(f->view);
    view_fold(f->view, final, NULL, NULL, &f->arena, &f->row);
    return f;
}

static inline void folded_free(struct folded *f)
{
    view_free(f->view);
    view_strings_free(f->strings);
    arena_free(&f->arena);
    free(f);
}

static inline struct folded *folded_of(const char *text)
{
    struct posts *p = posts_of(text);
    struct folded *f = fold_posts(p, true);
    posts_free(p);
    return f;
}

static inline void assert_span(struct span s, const char *text)
{
    if (!span_is(s, text)) fail_msg("is \"%.*s\", not \"%s\"", SPAN_ARG(s), text);
}
#define assert_set(column, value)                                                                                      \
    do {                                                                                                               \
        assert_true((column).set);                                                                                     \
        assert_int_equal((column).v, value);                                                                           \
    } while (0)
#define assert_null_column(column) assert_false((column).set)
#define assert_near(column, value)                                                                                     \
    do {                                                                                                               \
        assert_true((column).set);                                                                                     \
        if (fabs((column).v - (value)) > 5e-7) fail_msg("is %.9f, not %.9f", (column).v, (double)(value));             \
    } while (0)

#endif
