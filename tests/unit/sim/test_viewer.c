/* SPDX-License-Identifier: Apache-2.0
 * Sessions: the same from the same seed, well-formed as a player's beacons are, and mixed as announced. */
#include "sim/viewer.h"

#include "base/json.h"
#include "sim/faults.h"
#include "sim/truth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>

enum { BEGIN_MS = 1795000000 };
static const int64_t base_ms = (int64_t)BEGIN_MS * 1000;

struct bench {
    struct sim_keys keys;
    struct sim_options o;
    struct sim_session a, b;
    struct sim_plan plan;
};

static int setup(void **state)
{
    struct bench *t = calloc(1, sizeof *t);
    sim_keys_init(&t->keys);
    sim_session_init(&t->a);
    sim_session_init(&t->b);
    sim_plan_init(&t->plan);
    t->o = (struct sim_options){.keys = &t->keys, .env_key = "k", .beacon_domain = "localhost:1", .seed = 5,
                                .views = 3000, .people = 1800, .base_ms = base_ms, .median_ms = 20000,
                                .long_gaps = true};
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct bench *t = *state;
    sim_session_free(&t->a);
    sim_session_free(&t->b);
    sim_plan_free(&t->plan);
    free(t);
    return 0;
}

static bool same_json(const struct sim_session *a, const struct sim_session *b)
{
    return span_eq(buf_span(&a->json), buf_span(&b->json)) && a->post_count == b->post_count &&
           strcmp(a->address, b->address) == 0;
}

static void test_repeats(void **state)
{
    struct bench *t = *state;
    for (uint64_t i = 0; i < 200; i++) {
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        sim_session_make(&t->b, &t->o, i, base_ms, base_ms);
        assert_true(same_json(&t->a, &t->b));
    }
    sim_session_make(&t->a, &t->o, 3, base_ms, base_ms);
    t->o.base_ms++; /* another run: other ids, the same behaviour */
    sim_session_make(&t->b, &t->o, 3, base_ms, base_ms);
    assert_string_not_equal(t->a.views[0].id, t->b.views[0].id);
    assert_int_equal(t->a.event_count, t->b.event_count);
    t->o.seed++;
    sim_session_make(&t->b, &t->o, 3, base_ms, base_ms);
    assert_false(same_json(&t->a, &t->b));
}

/* Begun earlier, a session is the same but for its times: this is what lets the sender shift it. */
static void test_shifts(void **state)
{
    struct bench *t = *state;
    for (uint64_t i = 0; i < 200; i++) {
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        sim_session_make(&t->b, &t->o, i, base_ms - 777777, base_ms);
        assert_int_equal(t->a.event_count, t->b.event_count);
        assert_int_equal(t->a.end_ms - 777777, t->b.end_ms);
        for (uint32_t e = 0; e < t->a.event_count; e++) {
            assert_int_equal(t->a.events[e].kind, t->b.events[e].kind);
            assert_int_equal(t->a.events[e].at_ms - 777777, t->b.events[e].at_ms);
        }
    }
}

static void check_posts(const struct sim_session *s)
{
    for (uint32_t p = 0; p < s->post_count; p++) {
        const struct sim_post *post = &s->posts[p];
        assert_true(post->event_count > 0 && post->event_count <= 300);
        assert_true(post->event_at + post->event_count <= s->event_count);
        if (p > 0) assert_true(post->at_ms >= s->posts[p - 1].at_ms);
        for (uint32_t i = 0; i < post->event_count; i++)
            assert_true(s->events[post->event_at + i].at_ms <= post->at_ms);
    }
}

static void check_event(struct json_parser *p, const struct sim_session *s, const struct sim_event *e)
{
    struct json_doc doc;
    assert_true(json_parse(p, span_make(s->json.ptr + e->json_at, e->json_len), 10000, &doc, NULL));
    assert_int_equal(doc.nodes->count, e->pair_count);
    assert_true(span_is(json_string(json_get(&doc, doc.nodes, "xid")), s->views[e->view].id));
    assert_true(span_is(json_string(json_get(&doc, doc.nodes, "e")), sim_kind_name((enum sim_kind)e->kind)));
    assert_int_equal(json_get(&doc, doc.nodes, "xsqno")->v.i, e->seq);
}

static void test_well_formed(void **state)
{
    struct bench *t = *state;
    struct json_parser *p = json_parser_new();
    for (uint64_t i = 0; i < 400; i++) {
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        check_posts(&t->a);
        uint32_t seq[SIM_SESSION_VIEWS] = {0};
        for (uint32_t e = 0; e < t->a.event_count; e++) {
            const struct sim_event *event = &t->a.events[e];
            assert_true(event->seq > seq[event->view]); /* gaps only where a heartbeat was thrown away */
            seq[event->view] = event->seq;
            check_event(p, &t->a, event);
        }
        const char *id = t->a.views[0].id;
        assert_int_equal(strlen(id), 36);
        assert_int_equal(id[14], '4');
        assert_true(strchr("89ab", id[19]) != NULL);
    }
    json_parser_free(p);
}

struct tally {
    unsigned views, watched, failed, exits, dropped, ads, live, no_views, pairs, doubled, stalls;
};

static void tally_session(struct bench *t, struct tally *n)
{
    bool arrived[4096];
    assert_true(t->a.post_count <= COUNT(arrived));
    memset(arrived, 1, sizeof arrived);
    n->pairs += t->a.consumed == 2;
    for (uint32_t p = 0; p < t->a.post_count; p++) n->doubled += t->a.posts[p].unload;
    for (unsigned v = 0; v < t->a.view_count; v++) {
        struct sim_truth truth;
        bool made = sim_truth_view(&t->a, v, arrived, &truth);
        assert_int_equal(made, t->a.views[v].wanted);
        n->no_views += !made;
        if (!made) continue;
        n->views++;
        n->watched += truth.watched, n->failed += truth.playback_failure, n->exits += truth.exit_before_start;
        n->dropped += truth.dropped, n->ads += truth.has_ad, n->live += truth.live_stream_latency > 0;
        n->stalls += truth.buffering_count > 0;
        assert_true(truth.view_end_ms >= truth.view_start_ms);
        assert_true(truth.watched + truth.startup_failure + truth.exit_before_start == 1);
        if (!isnan(truth.watch_time)) assert_true(truth.view_playing_time <= truth.watch_time);
    }
}

static void test_mix(void **state)
{
    struct bench *t = *state;
    struct tally n = {0};
    for (uint64_t i = 0; i < t->o.views; i += t->a.consumed) {
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        tally_session(t, &n);
    }
    assert_int_equal(n.views, t->o.views); /* every index is one view */
    assert_in_range(n.watched, 2700, 2950);
    assert_in_range(n.failed, 40, 180);
    assert_in_range(n.exits, 45, 140);
    assert_in_range(n.dropped, 30, 120);
    assert_in_range(n.ads, 150, 350);
    assert_in_range(n.live, 150, 500);
    assert_in_range(n.no_views, 8, 70);
    assert_in_range(n.pairs, 10, 80);
    assert_in_range(n.doubled, 1700, 2400);
    assert_true(n.stalls > 100);
}

static void test_faults_text(void **state)
{
    (void)state;
    struct sim_faults f;
    char why[128];
    assert_true(sim_faults_parse(SPAN("duplicate=0.1, lose=0.05,skew=1,reorder=0"), &f, why, sizeof why));
    assert_true(f.duplicate > 0.09 && f.lose > 0.04 && f.skew > 0.99 && f.reorder < 0.01);
    assert_false(sim_faults_parse(SPAN("drop=0.1"), &f, why, sizeof why));
    assert_non_null(strstr(why, "drop"));
    assert_false(sim_faults_parse(SPAN("lose"), &f, why, sizeof why));
    assert_false(sim_faults_parse(SPAN("lose=1.5"), &f, why, sizeof why));
    assert_false(sim_faults_parse(SPAN("lose=x"), &f, why, sizeof why));
}

static void test_plan_without_faults(void **state)
{
    struct bench *t = *state;
    const struct sim_faults none = {0};
    sim_session_make(&t->a, &t->o, 1, base_ms, base_ms);
    sim_plan_make(&t->plan, &t->a, &none, 1);
    assert_int_equal(t->plan.count, t->a.post_count);
    for (uint32_t i = 0; i < t->plan.count; i++) assert_int_equal(t->plan.order[i], i);
}

/* Nothing but copies follows the end of a view; what is lost is nowhere; a copy follows its original. */
static void check_plan(const struct bench *t)
{
    const struct sim_plan *p = &t->plan;
    uint8_t sent[4096] = {0};
    bool over[SIM_SESSION_VIEWS] = {0};
    for (uint32_t i = 0; i < p->count; i++) {
        const uint32_t post = p->order[i];
        assert_false(p->lost[post]);
        for (uint32_t e = 0; e < t->a.posts[post].event_count && !sent[post]; e++) {
            const struct sim_event *event = &t->a.events[t->a.posts[post].event_at + e];
            if (!t->a.posts[post].viewend) assert_false(over[event->view]);
            if (event->kind == SE_viewend) over[event->view] = true;
        }
        sent[post]++;
    }
    for (uint32_t post = 0; post < t->a.post_count; post++) {
        assert_int_equal(sent[post], p->copies[post]);
        assert_true(p->lost[post] ? sent[post] == 0 : sent[post] >= 1);
    }
}

static void test_plan_with_faults(void **state)
{
    struct bench *t = *state;
    const struct sim_faults f = {.duplicate = 0.2, .reorder = 0.3, .lose = 0.1};
    unsigned posts = 0, lost = 0, copied = 0, moved = 0;
    for (uint64_t i = 0; i < 600; i++) {
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        sim_plan_make(&t->plan, &t->a, &f, 7);
        check_plan(t);
        for (uint32_t p = 0; p < t->a.post_count; p++) {
            posts++;
            lost += t->plan.lost[p], copied += t->plan.copies[p] > 1, moved += t->plan.moved[p];
        }
    }
    assert_in_range(lost, posts * 7 / 100, posts * 13 / 100);
    assert_in_range(copied, posts * 14 / 100, posts * 22 / 100);
    assert_true(moved > posts / 20);
}

static void test_skew(void **state)
{
    struct bench *t = *state;
    t->o.skew = 1;
    for (uint64_t i = 0; i < 50; i++) {
        t->o.skew_past_only = i % 2;
        sim_session_make(&t->a, &t->o, i, base_ms, base_ms);
        assert_true(t->a.skew_ms <= -3600000 || (!t->o.skew_past_only && t->a.skew_ms >= 3600000));
        const struct sim_event *e = &t->a.events[0];
        for (uint32_t p = 0; p < e->pair_count; p++)
            if (t->a.pairs[e->pair_at + p].field == SF_viewer_time)
                assert_int_equal(t->a.pairs[e->pair_at + p].value.v.i, e->at_ms + t->a.skew_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shifts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_well_formed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_faults_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_without_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_with_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_skew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
