/* SPDX-License-Identifier: Apache-2.0
 * A view's row depends only on the set of its events: 10,000 random shuffles with duplications of the views of every
 * recording, and as many of simulated views, each folded and compared byte for byte with the row of the order in which
 * the player made the events. All POSTs get one receive time here, since which POST delivered an event first is a fact
 * of its own (event_time). */
#include "captures.h"

#include "collector/formats/format.h"
#include "sim/viewer.h"
#include "views/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { SHUFFLES = 10000, SIMULATED = 400, VIEWS_MAX = 1024, EVENTS_MAX = 2000, POSTS_MAX = 8192, ARENA_BYTES_MAX = 1 << 30 };

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
static size_t view_count, recorded_count, post_count;
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

static void shuffle_views(const struct recorded *some, size_t count)
{
    static struct arrival order[2 * EVENTS_MAX];
    struct buf row;
    buf_init(&row, 16 << 20);
    for (int round = 0; round < SHUFFLES; round++) {
        const struct recorded *v = &some[(size_t)round % count];
        buf_clear(&row);
        row_of(order, shuffled(v, order), &row);
        if (!span_eq(buf_span(&row), buf_span(&v->row)))
            fail_msg("%s, view %.*s, shuffle %d: the row differs", v->capture, SPAN_ARG(v->id), round);
    }
    buf_free(&row);
}

static void test_recordings(void **state)
{
    (void)state;
    shuffle_views(views, recorded_count);
}

static void test_simulated(void **state)
{
    (void)state;
    shuffle_views(views + recorded_count, view_count - recorded_count);
}

/* Whole sessions of the simulator: ads, live, renditions, failures, stalls, programme changes, wrong clocks. */
static void simulate(const struct formats *formats, uint8_t format, struct json_parser *json, struct arena *arena)
{
    static struct sim_keys keys;
    static struct sim_session session;
    struct sim_options o = {.keys = &keys, .env_key = "k", .beacon_domain = "localhost:1", .seed = 11, .views = SIMULATED,
                            .people = 200, .base_ms = 1795400000000, .median_ms = 20000, .skew = 0.1, .long_gaps = true};
    struct buf body;
    sim_keys_init(&keys);
    sim_session_init(&session);
    buf_init(&body, 4 << 20);
    for (uint64_t i = 0; i < SIMULATED; i += session.consumed) {
        sim_session_make(&session, &o, i, o.base_ms, o.base_ms);
        for (uint32_t p = 0; p < session.post_count; p++) {
            const struct sim_post *post = &session.posts[p];
            buf_clear(&body);
            buf_adds(&body, "{\"events\":[");
            for (uint32_t e = 0; e < post->event_count; e++) {
                const struct sim_event *event = &session.events[post->event_at + e];
                buf_add_span(&body, span_make(session.json.ptr + event->json_at, event->json_len));
                if (e + 1 < post->event_count && buf_span(&body).ptr[body.len - 1] != ',') buf_addc(&body, ',');
            }
            if (buf_span(&body).ptr[body.len - 1] == ',') body.len--;
            buf_adds(&body, "]}");
            record_post(formats, format, json, buf_span(&body), "simulated", arena);
        }
    }
    buf_free(&body);
    sim_session_free(&session);
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
    recorded_count = view_count;
    simulate(formats, format, bodies, &arena);
    for (size_t i = 0; i < view_count; i++) {
        buf_init(&views[i].row, 16 << 20);
        row_of(views[i].events, views[i].n, &views[i].row);
    }
    printf("%zu recorded and %zu simulated views in %zu POSTs, %d shuffles each\n", recorded_count,
           view_count - recorded_count, post_count, SHUFFLES);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_recordings), cmocka_unit_test(test_simulated)};
    bool enough = recorded_count >= 30 && view_count - recorded_count >= SIMULATED;
    int failed = !enough || cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < view_count; i++) buf_free(&views[i].row);
    view_strings_free(strings);
    json_parser_free(lines);
    json_parser_free(bodies);
    formats_free(formats);
    arena_free(&arena);
    return failed;
}
