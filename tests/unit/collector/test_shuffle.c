/* SPDX-License-Identifier: Apache-2.0
 * A view's row depends only on the set of its events: 10,000 random shuffles with duplications of the views of every
 * recording, each folded and compared byte for byte with the row of the recorded order. All POSTs get one receive time
 * here, since which POST delivered an event first is a fact of its own (event_time). */
#include "captures.h"

#include "collector/formats/format.h"
#include "views/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SHUFFLES = 10000, VIEWS_MAX = 256, EVENTS_MAX = 2000, POSTS_MAX = 1024, ARENA_BYTES_MAX = 256 << 20 };

struct arrival {
    const struct beacon *b;
    const struct beacon_event *e;
};
struct recorded {
    struct span id;
    const char *capture;
    struct arrival events[EVENTS_MAX];
    size_t n;
    struct buf row;
};

static struct recorded views[VIEWS_MAX];
static struct beacon posts[POSTS_MAX];
static size_t view_count, post_count;
static struct view_strings *strings;
static uint64_t random_state = 42;

static uint32_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static enum drop judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    (void)ctx, (void)env_key;
    *out = (struct beacon_env){.id = "env", .property_id = 1, .backfill = true};
    return DROP_NONE;
}

static struct recorded *recorded_of(const char *capture, struct span id)
{
    for (size_t i = 0; i < view_count; i++)
        if (views[i].capture == capture && span_eq(views[i].id, id)) return &views[i];
    assert_in_range(view_count, 0, VIEWS_MAX - 1);
    views[view_count] = (struct recorded){.id = id, .capture = capture};
    return &views[view_count++];
}

static void record_post(const struct formats *formats, uint8_t format, struct json_parser *json, struct span body,
                        const char *capture, struct arena *arena)
{
    struct format_output out = {.why = NULL};
    struct format_input in = {
        .body = arena_copy(arena, body), .received_ms = 1795500000000, .json = json, .arena = arena, .judge = judge};
    if (format_decode(formats, format, &in, &out) != DROP_NONE) return;
    assert_in_range(post_count, 0, POSTS_MAX - 1);
    struct beacon *b = &posts[post_count++];
    *b = out.beacon;
    for (uint32_t i = 0; i < b->event_count; i++) {
        struct recorded *v = recorded_of(capture, b->events[i].view_id);
        assert_in_range(v->n, 0, EVENTS_MAX - 1);
        v->events[v->n++] = (struct arrival){b, &b->events[i]};
    }
}

static void row_of(const struct arrival *events, size_t n, struct buf *out)
{
    struct arena arena;
    struct view_row row;
    arena_init(&arena, 16 << 20);
    struct view *v = view_new(strings, events[0].b, events[0].e);
    for (size_t i = 0; i < n; i++) assert_int_not_equal(view_apply(v, events[i].b, events[i].e), VIEW_FULL);
    view_fold(v, true, NULL, NULL, &arena, &row);
    view_row_write(&row, out);
    view_free(v);
    arena_free(&arena);
}

/* Every event once, up to half of them again, in any order. */
static size_t shuffled(const struct recorded *v, struct arrival *out)
{
    size_t n = v->n;
    memcpy(out, v->events, n * sizeof *out);
    for (size_t again = random_below(v->n / 2 + 1); again > 0; again--) out[n++] = v->events[random_below(v->n)];
    for (size_t i = n - 1; i > 0; i--) {
        size_t j = random_below(i + 1);
        struct arrival keep = out[i];
        out[i] = out[j];
        out[j] = keep;
    }
    return n;
}

static void test_shuffles(void **state)
{
    (void)state;
    static struct arrival order[2 * EVENTS_MAX];
    struct buf row;
    buf_init(&row, 16 << 20);
    for (size_t i = 0; i < view_count; i++) row_of(views[i].events, views[i].n, &views[i].row);
    for (int round = 0; round < SHUFFLES; round++) {
        const struct recorded *v = &views[(size_t)round % view_count];
        buf_clear(&row);
        row_of(order, shuffled(v, order), &row);
        if (!span_eq(buf_span(&row), buf_span(&v->row))) fail_msg("%s, shuffle %d: the row differs", v->capture, round);
    }
    buf_free(&row);
}

int main(void)
{
    struct arena arena;
    struct json_doc doc;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct formats *formats = formats_new();
    struct json_parser *lines = json_parser_new(), *bodies = json_parser_new();
    uint8_t format =
        format_find(formats, &(struct format_hints){.content_type = SPAN("text/plain"), .path = SPAN("/")});
    strings = view_strings_new();
    for (size_t i = 0; i < COUNT(capture_names); i++) {
        struct buf file = capture_read(capture_names[i], ".jsonl");
        struct span rest = buf_span(&file), line;
        while (line_next(&rest, &line))
            if (json_parse(lines, line, 100000, &doc, NULL))
                record_post(formats, format, bodies, json_string(json_get(&doc, doc.nodes, "body")), capture_names[i],
                            &arena);
        buf_free(&file);
    }
    for (size_t i = 0; i < view_count; i++) buf_init(&views[i].row, 16 << 20);
    printf("%zu views in %zu POSTs, %d shuffles\n", view_count, post_count, SHUFFLES);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shuffles)};
    int failed = view_count < 30 || cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < view_count; i++) buf_free(&views[i].row);
    view_strings_free(strings);
    json_parser_free(lines);
    json_parser_free(bodies);
    formats_free(formats);
    arena_free(&arena);
    return failed;
}
