/* SPDX-License-Identifier: Apache-2.0
 * The writer against a store that fails in every way: each row arrives exactly once. */
#include "fake.h"

#include "base/log.h"
#include "rows.h"
#include "store/writer.h"

#include <signal.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { LONG_MS = 60000 };

static struct store *open_on(const char *url)
{
    char why[256];
    struct store_options o = {.url = url};
    struct store *s = store_open(&o, why);
    if (s == NULL) fail_msg("%s", why);
    return s;
}

static struct store_writer_options quick(unsigned shards)
{
    struct store_writer_options o = store_writer_defaults();
    o.shards = shards;
    o.age_ms = 20;
    o.insert_ms = 400;
    o.retry_ms_min = 5;
    o.retry_ms_max = 50;
    return o;
}

/* Row n carries the text "<n>", and extra in its title. */
static bool offer(struct store_writer *w, unsigned shard, unsigned n, bool final, int64_t view_end_ms,
                  const char *extra)
{
    char mark[32];
    (void)snprintf(mark, sizeof mark, "<%u>", n);
    struct view_row r = test_row("env", n, final, view_end_ms);
    r.view_id = span_of(mark);
    r.video_title = span_of(extra);
    return store_writer_row(w, shard, &r);
}

static void assert_once(struct fake *f, unsigned from, unsigned to)
{
    for (unsigned n = from; n < to; n++) {
        char mark[32];
        (void)snprintf(mark, sizeof mark, "<%u>", n);
        size_t times = fake_count(f, mark);
        if (times != 1) fail_msg("row %u is there %zu times", n, times);
    }
}

static void test_batches_are_cut_at_partitions(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct store *s = open_on(f->url);
    struct store_writer_options o = quick(1);
    o.age_ms = 600000;
    o.rows_max = 10;
    struct store_writer *w = store_writer_start(s, &o);
    for (unsigned i = 0; i < 30; i++) { /* days 0 to 2, five of each pending, of two hours */
        int64_t at = TEST_NOON_MS + (int64_t)(i % 3) * TEST_DAY_MS;
        bool final = i < 15;
        assert_true(offer(w, 0, i, final, at + (final ? 0 : (i % 2) * 3600000), final ? "final" : "pending"));
    }
    store_writer_barrier(w, 0, 1);
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_int_equal(fake_stored(f), 3 + 6);
    for (size_t i = 0; i < f->n; i++)
        assert_true(fake_has(buf_span(&f->inserts[i].body), "final") !=
                    fake_has(buf_span(&f->inserts[i].body), "pending"));
    assert_once(f, 0, 30);
    assert_true(fake_has(span_of(f->url_query), "async_insert=0"));
    assert_true(fake_has(span_of(f->url_query), "insert_deduplication_token="));
    for (unsigned i = 100; i < 125; i++) assert_true(offer(w, 0, i, true, TEST_NOON_MS, ""));
    store_writer_barrier(w, 0, 2);
    assert_true(store_writer_wait_stored(w, 2, LONG_MS));
    assert_int_equal(fake_stored(f), 9 + 3); /* 10, 10, 5 */
    assert_once(f, 100, 125);
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

static void run_script(const char *version, const enum fake_act *acts, size_t n)
{
    struct fake *f = fake_start(version, NULL);
    struct store *s = open_on(f->url);
    fake_script(f, acts, n);
    struct store_writer_options o = quick(1);
    struct store_writer *w = store_writer_start(s, &o);
    for (unsigned i = 0; i < 40; i++) {
        assert_true(offer(w, 0, i, true, TEST_NOON_MS, ""));
        if (i % 10 != 9) continue;
        store_writer_barrier(w, 0, i);
        assert_true(store_writer_wait_stored(w, i, LONG_MS));
        assert_once(f, 0, i + 1); /* said to be stored, so it is */
    }
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

static void test_every_failure(void **state)
{
    (void)state;
    static const enum fake_act acts[] = {
        FAKE_STORE_AND_CLOSE, FAKE_STORE_AND_HANG, FAKE_CLOSE, FAKE_HANG, FAKE_500, FAKE_STORE_AND_500, FAKE_503,
        FAKE_BAD_GATEWAY};
    run_script("26.7.2.1", acts, COUNT(acts));
    static const enum fake_act some[] = {FAKE_STORE_AND_CLOSE, FAKE_CLOSE, FAKE_STORE_AND_500};
    run_script("18.16.1", some, COUNT(some));
}

static void test_a_refused_row_is_found(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct store *s = open_on(f->url);
    f->bad = "BADROW";
    struct store_writer_options o = quick(1);
    struct store_writer *w = store_writer_start(s, &o);
    /* The bad ones come first, before this writer has stored anything. */
    for (unsigned i = 0; i < 40; i++)
        assert_true(offer(w, 0, i, true, TEST_NOON_MS, i == 0 || i == 21 ? "BADROW" : ""));
    store_writer_barrier(w, 0, 1);
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_int_equal(fake_count(f, "<0>"), 0);
    assert_int_equal(fake_count(f, "<21>"), 0);
    assert_once(f, 1, 21);
    assert_once(f, 22, 40);
    struct store_writer_status st;
    store_writer_status(w, &st);
    assert_int_equal(st.rows_refused, 2);
    assert_int_equal(st.rows_stored, 38);
    assert_int_equal(st.rows_waiting, 0);
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

/* Everything is refused: the table is wrong, not the rows. */
static void test_nothing_is_given_up_without_a_success(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct store *s = open_on(f->url);
    f->bad = "BADROW";
    struct store_writer_options o = quick(1);
    struct store_writer *w = store_writer_start(s, &o);
    for (unsigned i = 0; i < 4; i++) assert_true(offer(w, 0, i, true, TEST_NOON_MS, "BADROW"));
    store_writer_barrier(w, 0, 1);
    while (atomic_load(&f->tries) < 60) (void)usleep(1000);
    assert_false(store_writer_wait_stored(w, 1, 0));
    struct store_writer_status st;
    store_writer_status(w, &st);
    assert_int_equal(st.rows_refused, 0);
    assert_int_equal(st.rows_waiting, 4);
    (void)pthread_mutex_lock(&f->lock);
    f->bad = NULL; /* mended */
    (void)pthread_mutex_unlock(&f->lock);
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_once(f, 0, 4);
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

static void test_store_away(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    atomic_store(&f->deaf, true);
    struct store *s = open_on(f->url);
    struct store_writer_options o = quick(1);
    o.memory_bytes_max = 20000;
    struct store_writer *w = store_writer_start(s, &o);
    unsigned n = 0;
    while (n < 1000 && offer(w, 0, n, true, TEST_NOON_MS, "")) n++;
    assert_in_range(n, 10, 999); /* the bound */
    assert_false(store_ready(s));
    struct store_error error;
    struct buf rows;
    buf_init(&rows, 4096);
    assert_int_equal(store_select(s, SPAN("SELECT 1"), &rows, &error), ERR_UNAVAILABLE);
    buf_free(&rows);
    store_writer_barrier(w, 0, 1);
    assert_false(store_writer_wait_stored(w, 1, 300));
    atomic_store(&f->deaf, false);
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_once(f, 0, n);
    assert_true(offer(w, 0, n, true, TEST_NOON_MS, "")); /* room again */
    assert_true(store_writer_stop(w, LONG_MS));
    assert_once(f, n, n + 1);
    /* And a writer that may not wait for ever. */
    atomic_store(&f->deaf, true);
    w = store_writer_start(s, &o);
    assert_true(offer(w, 0, 5000, true, TEST_NOON_MS, ""));
    assert_false(store_writer_stop(w, 500));
    store_stop(s);
    fake_stop(f);
}

static void test_barriers_of_shards(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct store *s = open_on(f->url);
    struct store_writer_options o = quick(2);
    o.age_ms = 600000; /* only who waits makes it go */
    struct store_writer *w = store_writer_start(s, &o);
    assert_true(offer(w, 0, 0, true, TEST_NOON_MS, ""));
    store_writer_barrier(w, 0, 1);
    assert_false(store_writer_wait_stored(w, 1, 100)); /* shard 1 has not met it */
    assert_true(offer(w, 1, 1, true, TEST_NOON_MS, ""));
    store_writer_barrier(w, 1, 1);
    assert_true(offer(w, 1, 2, true, TEST_NOON_MS + TEST_DAY_MS, "")); /* after it */
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_once(f, 0, 2);
    assert_int_equal(fake_count(f, "<2>"), 0);
    store_writer_barrier(w, 0, 2);
    store_writer_barrier(w, 1, 2);
    assert_true(store_writer_wait_stored(w, 2, LONG_MS));
    assert_once(f, 2, 3);
    assert_true(store_writer_wait_stored(w, 1, 0)); /* still true */
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

static void test_known_rows_are_left_out(void **state)
{
    (void)state;
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct view_row known = test_row("env", 3, true, TEST_NOON_MS), old = test_row("env", 4, false, TEST_NOON_MS);
    f->ids[0] = known.id;
    f->id_versions[0] = 9; /* a final view is known whatever its version */
    f->ids[1] = old.id;
    f->id_versions[1] = 1;
    f->id_n = 2;
    struct store *s = open_on(f->url);
    struct store_writer_options o = quick(1);
    struct store_writer *w = store_writer_start(s, &o);
    known.view_id = SPAN("<known>");
    known.check = true;
    old.view_id = SPAN("<old>");
    old.check = true;
    struct view_row newer = old, unchecked = known;
    newer.version = 2;
    newer.view_id = SPAN("<newer>");
    unchecked.check = false;
    unchecked.view_id = SPAN("0a0a0a0a-0000-4000-8000-00000000beef");
    assert_true(store_writer_row(w, 0, &known) && store_writer_row(w, 0, &old));
    assert_true(store_writer_row(w, 0, &newer) && store_writer_row(w, 0, &unchecked));
    store_writer_barrier(w, 0, 1);
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    assert_int_equal(fake_count(f, "<known>"), 0);
    assert_int_equal(fake_count(f, "<old>"), 0);
    assert_int_equal(fake_count(f, "<newer>"), 1);
    assert_int_equal(fake_count(f, "0a0a0a0a-0000-4000-8000-00000000beef"), 1);
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

struct feeder {
    struct store_writer *writer;
    unsigned shard, n;
};

static void *feed(void *ctx)
{
    struct feeder *x = ctx;
    for (unsigned i = 0; i < x->n; i++)
        while (!offer(x->writer, x->shard, x->shard * 100000 + i, i % 5 != 0,
                      TEST_NOON_MS + (int64_t)(i % 4) * TEST_DAY_MS, "one of many"))
            (void)usleep(500);
    store_writer_barrier(x->writer, x->shard, 1);
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    enum { SHARDS = 4, EACH = 1000 };
    struct fake *f = fake_start("26.7.2.1", NULL);
    struct store *s = open_on(f->url);
    struct store_writer_options o = quick(SHARDS);
    o.rows_max = 100;
    o.memory_bytes_max = 300000;
    struct store_writer *w = store_writer_start(s, &o);
    static const enum fake_act acts[] = {FAKE_STORE, FAKE_STORE_AND_CLOSE, FAKE_STORE, FAKE_CLOSE, FAKE_STORE_AND_500};
    fake_script(f, acts, COUNT(acts));
    struct feeder feeders[SHARDS];
    pthread_t threads[SHARDS];
    for (unsigned i = 0; i < SHARDS; i++) {
        feeders[i] = (struct feeder){w, i, EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, feed, &feeders[i]), 0);
    }
    assert_true(store_writer_wait_stored(w, 1, LONG_MS));
    for (unsigned i = 0; i < SHARDS; i++) (void)pthread_join(threads[i], NULL);
    struct store_writer_status st;
    store_writer_status(w, &st);
    assert_int_equal(st.rows_stored, SHARDS * EACH);
    assert_int_equal(fake_count(f, "one of many"), SHARDS * EACH);
    for (unsigned i = 0; i < SHARDS; i++) assert_once(f, i * 100000, i * 100000 + 50);
    assert_true(store_writer_stop(w, LONG_MS));
    store_stop(s);
    fake_stop(f);
}

int main(void)
{
    log_setup(getenv("FIRSTFRAME_TEST_LOG") ? LOG_DEBUG : LOG_ERROR, false);
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_are_cut_at_partitions),
        cmocka_unit_test(test_every_failure),
        cmocka_unit_test(test_a_refused_row_is_found),
        cmocka_unit_test(test_nothing_is_given_up_without_a_success),
        cmocka_unit_test(test_store_away),
        cmocka_unit_test(test_barriers_of_shards),
        cmocka_unit_test(test_known_rows_are_left_out),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
