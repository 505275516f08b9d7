/* SPDX-License-Identifier: Apache-2.0
 * The life of views in a table, by receipt time. */
#include "posts.h"
#include "views/table.h"

enum { MINUTE = 60000, HOUR = 60 * MINUTE };

struct harness {
    struct view_table *table;
    struct buf log; /* one line a row or refusal */
};

static void on_row(void *ctx, const struct view_row *row)
{
    struct harness *h = ctx;
    buf_addf(&h->log, "%.*s v%u %s%s%s%s events=%zu\n"
        "", SPAN_ARG(row->view_id), row->version, row->final ? "final" : "pending",
             row->had_pending ? " had_pending" : "", row->check ? " check" : "",
             row->view_dropped.set ? row->view_dropped.v ? " dropped" : " ended" : "", row->event_names.n);
}

static void on_dropped(void *ctx, const char *environment_id, const char *why, uint32_t events)
{
    struct harness *h = ctx;
    assert_true(environment_id[0] != 0);
    buf_addf(&h->log, "%s %u\n", why, events);
}

static struct view_table_options harness_options(struct harness *h)
{
    struct view_table_options options = view_table_defaults();
    options.row = on_row;
    options.dropped = on_dropped;
    options.ctx = h;
    return options;
}

static struct harness harness_new(void)
{
    struct harness h = {.table = NULL};
    buf_init(&h.log, 1 << 24);
    return h;
}

static void harness_open(struct harness *h)
{
    struct view_table_options options = harness_options(h);
    h->table = view_table_new(&options);
}

static void harness_free(struct harness *h)
{
    view_table_free(h->table);
    buf_free(&h->log);
}

static void apply(struct harness *h, const char *text)
{
    struct posts *p = posts_of(text);
    for (size_t i = 0; i < p->n; i++) {
        for (uint32_t k = 0; k < p->items[i].event_count; k++)
            view_table_apply(h->table, &p->items[i], &p->items[i].events[k]);
    }
    posts_free(p);
}

/* Everything logged since the last call. */
static void expect(struct harness *h, const char *text)
{
    assert_span(buf_span(&h->log), text);
    buf_clear(&h->log);
}

static void test_final_at_once(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 10000\n1 viewstart 9000\n2 playing 9500\n3 viewend 9900\n");
    expect(&h, "view-1 v1 final ended events=3\n");
    assert_int_equal(view_table_open(h.table), 0);
    /* The unload's second copy is a duplicate; what was never there is too late, for 25 hours. */
    apply(&h, "@ 10002\n2 playing 9500\n3 viewend 9900\n");
    expect(&h, "");
    apply(&h, "@ 10003\n4 hb 10000\n");
    expect(&h, "too_late 1\n");
    assert_int_equal(view_table_open(h.table), 0);
    harness_free(&h);
}

static void test_grace_for_gaps(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 10000\n1 viewstart 9000\n3 viewend 9900\n@ 11999\n2 playing 9500\n");
    expect(&h, "view-1 v1 final ended events=3\n"); /* when it has come */
    apply(&h, "@ 20000\n1 viewstart 19000; view=b\n3 viewend 19900; view=b\n");
    expect(&h, "");
    assert_int_equal(view_table_tick(h.table, 21999), 22000);
    expect(&h, "");
    assert_int_equal(view_table_tick(h.table, 22000), INT64_MAX);
    expect(&h, "b v1 final ended events=2\n");
    apply(&h, "@ 22001\n2 playing 19500; view=b\n1 viewstart 19000; view=b\n");
    expect(&h, "too_late 1\n"); /* 1 was there */
    harness_free(&h);
}

static void test_events_after_the_end(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 10000\n1 viewstart 9000\n3 viewend 9900\n5 hb 9950\n6 hb 9960\n2 hb 9100\n");
    expect(&h, "view-1 v1 final ended events=3\nafter_end 2\n");
    harness_free(&h);
}

static void test_silence(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 100000\n1 viewstart 99000\n");
    (void)view_table_tick(h.table, 100000 + MINUTE - 1);
    expect(&h, "");
    (void)view_table_tick(h.table, 100000 + MINUTE);
    expect(&h, "view-1 v1 pending events=1\n");
    (void)view_table_tick(h.table, 100000 + 30 * MINUTE);
    expect(&h, ""); /* once a silence */
    apply(&h, "@ 1900000\n2 playing 100100\n@ 1930000\n2 playing 100100\n");
    (void)view_table_tick(h.table, 1930000 + MINUTE - 1);
    expect(&h, "");
    (void)view_table_tick(h.table, 1930000 + MINUTE);
    expect(&h, "view-1 v2 pending had_pending events=2\n");
    (void)view_table_tick(h.table, 1930000 + HOUR - 1);
    expect(&h, "");
    (void)view_table_tick(h.table, 1930000 + HOUR);
    expect(&h, "view-1 v3 final had_pending dropped events=2\n");
    /* An event of a second view brings the news of the time, too. */
    apply(&h, "@ 10000000\n1 viewstart 9999000; view=b\n@ 20000000\n1 viewstart 19999000; view=c\n");
    expect(&h, "b v1 pending events=1\nb v2 final had_pending dropped events=1\n");
    harness_free(&h);
}

static void test_no_start(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 100000\n1 loadstart 99000\n2 viewend 99001\n");
    (void)view_table_tick(h.table, 100000 + HOUR - 1);
    expect(&h, "");
    assert_int_equal(view_table_open(h.table), 1);
    (void)view_table_tick(h.table, 100000 + HOUR);
    expect(&h, "no_start 2\n");
    apply(&h, "@ 4000000\n1 loadstart 3990000\n@ 5000000\n2 play 4990000\n3 viewend 4990001\n");
    expect(&h, "view-1 v1 final ended events=3\n"); /* the id was not used up */
    harness_free(&h);
}

static void test_old_events(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 100000000\n1 play 13600000\n2 hb 13599999\n3 viewend 1000\n");
    expect(&h, "too_old 1\n");
    apply(&h, "@ 100000000 offset=99000000\n1 play 999999; view=b\n"); /* a wrong clock is no age */
    expect(&h, "");
    apply(&h, "@ 100000000 offset=99000000 backfill\n1 play 5; view=c\n2 hb 186400001; view=c\n");
    expect(&h, "other 1\n"); /* a backfill may be old, not of the future */
    assert_int_equal(view_table_open(h.table), 3);
    harness_free(&h);
}

static void test_backfill(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 100000000 backfill\n1 viewstart 1000\n@ 100001000 backfill\n2 playing 2000\n");
    (void)view_table_tick(h.table, 100002999);
    expect(&h, "");
    (void)view_table_tick(h.table, 100003000);
    expect(&h, "view-1 v1 final check dropped events=2\n"); /* decided at once; may have been sent before */
    /* A backfilled view of just now waits like any other. */
    apply(&h, "@ 200000000 backfill\n1 viewstart 199999000; view=b\n");
    (void)view_table_tick(h.table, 200059999);
    expect(&h, "");
    (void)view_table_tick(h.table, 200060000);
    expect(&h, "b v1 pending check events=1\n");
    harness_free(&h);
}

static void test_limits(void **state)
{
    (void)state;
    struct harness h = harness_new();
    struct view_table_options options = harness_options(&h);
    options.open_views_max = 2;
    options.open_after_ms_max = 10 * MINUTE;
    h.table = view_table_new(&options);
    apply(&h, "@ 100000\n1 play 99000; view=a\n1 play 99000; view=b\n1 play 99000; view=c\n");
    expect(&h, "too_many_views 1\n");
    for (int i = 2; i < 12; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "@ %d\n%d hb %d; view=a\n"
            "", 100000 + i * MINUTE - MINUTE / 2, i, 100000 + i * MINUTE - MINUTE);
        apply(&h, text);
    }
    (void)view_table_tick(h.table, 100000 + 10 * MINUTE);
    buf_clear(&h.log);
    apply(&h, "@ 760000\n12 hb 750000; view=a\n2 hb 750000; view=a\n");
    expect(&h, "view_too_long 1\n");
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 1; i <= VIEW_EVENTS_MAX; i++) { /* the last of them is one too many: the place is the viewend's */
        if (text.len == 0) buf_adds(&text, "@ 760000\n");
        buf_addf(&text, "%u play 750000; view=d\n", i);
        if (i % 5000) continue;
        buf_addc(&text, 0);
        apply(&h, text.ptr);
        buf_clear(&text);
    }
    buf_free(&text);
    expect(&h, "view_full 1\n");
    harness_free(&h);
}

static bool collect(void *ctx, struct span chunk)
{
    buf_add_span(ctx, chunk);
    return true;
}

/* One environment cannot take the room of the others, and its views under way go on. */
static void test_open_views_of_an_environment(void **state)
{
    (void)state;
    struct harness h = harness_new(), g = harness_new();
    struct view_table_options options = harness_options(&h);
    struct buf saved;
    buf_init(&saved, 1 << 24);
    options.env_open_views_max = 2;
    h.table = view_table_new(&options);
    apply(&h, "@ 100000 env=one\n1 play 99000; view=a\n1 play 99000; view=b\n1 play 99000; view=c\n2 hb 99100; view=c\n");
    expect(&h, "too_many_env_views 1\ntoo_many_env_views 1\n");
    apply(&h, "@ 100100 env=two\n1 play 99000; view=c\n@ 100200 env=one\n2 playing 99500; view=a\n");
    expect(&h, "");
    assert_true(view_table_save(h.table, collect, &saved));
    apply(&h, "@ 100300 env=one\n3 viewend 99900; view=a\n1 play 99900; view=d\n1 play 99900; view=e\n");
    expect(&h, "a v1 final ended events=3\ntoo_many_env_views 1\n");
    for (int i = 0; i < 300; i++) { /* more environments than there was room for */
        char text[128];
        (void)snprintf(text, sizeof text, "@ 100400 env=more-%d\n1 play 99900; view=x\n2 viewend 99950; view=x\n1 play 99900; view=y\n", i);
        apply(&h, text);
        buf_clear(&h.log);
    }
    apply(&h, "@ 100500 env=one\n1 play 99900; view=e\n@ 100600 env=more-7\n1 play 99900; view=z\n1 play 99900; view=zz\n");
    expect(&h, "too_many_env_views 1\ntoo_many_env_views 1\n");
    options.ctx = &g; /* a start from the checkpoint knows how many are open */
    g.table = view_table_new(&options);
    assert_true(view_table_load(g.table, buf_span(&saved)));
    apply(&g, "@ 100700 env=one\n1 play 99900; view=c\n@ 100700 env=two\n1 play 99900; view=d\n");
    expect(&g, "too_many_env_views 1\n");
    buf_free(&saved);
    harness_free(&h);
    harness_free(&g);
}

static void test_doubtful_rows(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 10000\n2 play 9000; view=a\n3 viewend 9100; view=a\n"); /* the first event is missing */
    apply(&h, "@ 200000000\n1 viewend 199999000; view=b; view_start=1000\n"); /* may be forgotten already */
    expect(&h, "a v1 final check ended events=2\nb v1 final check ended events=1\n");
    view_table_replaying(h.table, true);
    apply(&h, "@ 200000100\n1 play 200000000; view=c\n2 viewend 200000001; view=c\n1 play 200000000; view=e\n");
    view_table_replaying(h.table, false);
    apply(&h, "@ 200000200\n1 play 200000000; view=d\n2 viewend 200000001; view=d\n");
    expect(&h, "c v1 final check ended events=2\nd v1 final ended events=2\n");
    /* The life before may have made these rows, if its clock was ahead of ours. */
    (void)view_table_tick(h.table, 200000100 + MINUTE);
    (void)view_table_tick(h.table, 200000100 + 60 * MINUTE);
    expect(&h, "e v1 pending check events=1\ne v2 final had_pending check dropped events=1\n");
    harness_free(&h);
}

static void test_ids_are_forgotten(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    apply(&h, "@ 1000\n1 play 900\n2 viewend 950\n");
    buf_clear(&h.log);
    apply(&h, "@ 90001000\n3 play 90000000\n"); /* 25 h later */
    expect(&h, "too_late 1\n");
    apply(&h, "@ 90001001\n4 play 90000000\n");
    expect(&h, "");
    assert_int_equal(view_table_open(h.table), 1);
    harness_free(&h);
}

static void test_many_views(void **state)
{
    (void)state;
    struct harness h = harness_new();
    harness_open(&h);
    size_t empty = view_table_bytes(h.table);
    for (int i = 0; i < 3000; i++) { /* in an order unlike that of their timers' */
        char text[128];
        (void)snprintf(text, sizeof text, "@ %d\n1 play 99000; view=v%d; video_title=t%d\n", 100000 + i * 7, i, i % 10);
        apply(&h, text);
        if (i % 3 == 0) {
            (void)snprintf(text, sizeof text, "@ %d\n2 viewend 99100; view=v%d\n", 100001 + i * 7, i);
            apply(&h, text);
        }
    }
    assert_int_equal(view_table_open(h.table), 2000);
    assert_true(view_table_bytes(h.table) > empty);
    int64_t now = 0, next;
    while ((next = view_table_tick(h.table, now)) != INT64_MAX) {
        assert_true(next > now);
        now = next;
    }
    assert_int_equal(view_table_open(h.table), 0);
    size_t finals = 0, pendings = 0;
    for (const char *at = h.log.ptr; (at = strstr(at, " final")); at++) finals++;
    for (const char *at = h.log.ptr; (at = strstr(at, " pending")); at++) pendings++;
    assert_int_equal(finals, 3000);
    assert_int_equal(pendings, 2000);
    harness_free(&h);
}

static bool refuse(void *ctx, struct span chunk)
{
    (void)ctx, (void)chunk;
    return false;
}

static const char half[] = "@ 100000 country=DE\n1 viewstart 99000; view=a; video_title=t; session_id=s\n"
    "1 viewstart 99000; view=b\n3 viewend 99100; view=b\n"
                           "1 play 99000; view=c\n2 viewend 99100; view=c\n1 loadstart 99000; view=d\n";
static const char other_half[] = "@ 100500\n2 playing 99500; view=a\n2 playing 99050; view=b\n3 hb 99999; view=c\n"
    "@ 150000\n1 play 149000; view=e\n";

static void test_save_and_load(void **state)
{
    (void)state;
    struct harness h = harness_new(), g = harness_new();
    struct buf saved;
    buf_init(&saved, 1 << 24);
    harness_open(&h), harness_open(&g);
    apply(&h, half);
    (void)view_table_tick(h.table, 100400);
    assert_true(view_table_save(h.table, collect, &saved));
    assert_false(view_table_save(h.table, refuse, NULL));
    buf_clear(&h.log);
    assert_true(view_table_load(g.table, buf_span(&saved)));
    assert_int_equal(view_table_open(g.table), view_table_open(h.table));
    struct harness *const both[] = {&h, &g};
    for (int i = 0; i < 2; i++) {
        apply(both[i], other_half);
        (void)view_table_tick(both[i]->table, 100000 + 2 * HOUR);
        expect(both[i], "b v1 final ended events=3\ntoo_late 1\na v1 pending events=2\ne v1 pending events=1\n"
                        "no_start 1\na v2 final had_pending dropped events=2\n"
                            "e v2 final had_pending dropped events=1\n");
    }
    harness_free(&h), harness_free(&g);
    buf_free(&saved);
}

static void test_load_of_damaged_bytes(void **state)
{
    (void)state;
    struct harness h = harness_new(), g = harness_new();
    struct buf saved;
    buf_init(&saved, 1 << 24);
    harness_open(&h), harness_open(&g);
    apply(&h, half);
    assert_true(view_table_save(h.table, collect, &saved));
    for (size_t i = 0; i < saved.len; i++) {
        assert_false(view_table_load(g.table, span_upto(buf_span(&saved), i)));
        saved.ptr[i] ^= 0x40;
        assert_false(view_table_load(g.table, buf_span(&saved)));
        saved.ptr[i] ^= 0x40;
        assert_int_equal(view_table_open(g.table), 0);
    }
    assert_false(view_table_load(g.table, (struct span){NULL, 0}));
    assert_true(view_table_load(g.table, buf_span(&saved)));
    harness_free(&h), harness_free(&g);
    buf_free(&saved);
}

static void test_shard_of_a_view(void **state)
{
    (void)state;
    assert_int_equal(view_key_hash("env-1", SPAN("a")), view_key_hash("env-1", SPAN("a")));
    assert_int_not_equal(view_key_hash("env-1", SPAN("a")), view_key_hash("env-2", SPAN("a")));
    assert_int_not_equal(view_key_hash("env-1", SPAN("a")), view_key_hash("env-1", SPAN("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_final_at_once),         cmocka_unit_test(test_grace_for_gaps),
        cmocka_unit_test(test_events_after_the_end),  cmocka_unit_test(test_silence),
        cmocka_unit_test(test_no_start),              cmocka_unit_test(test_old_events),
        cmocka_unit_test(test_backfill),              cmocka_unit_test(test_limits),
        cmocka_unit_test(test_open_views_of_an_environment),
        cmocka_unit_test(test_doubtful_rows),         cmocka_unit_test(test_ids_are_forgotten),
        cmocka_unit_test(test_many_views),            cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_load_of_damaged_bytes), cmocka_unit_test(test_shard_of_a_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
