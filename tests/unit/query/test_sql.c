/* SPDX-License-Identifier: Apache-2.0
 * Questions to SQL, against tests/unit/query/golden/<release>.sql: one block a question, "-- <name>" and the statement.
 * After a wanted change run this program with FIRSTFRAME_GOLDEN=write and look at the difference. */
#include "query/question.h"

#include "store/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena arena;

static const struct {
    const char *name, *kind, *metric, *by, *filters, *metric_filters;
    enum measure measure;
} questions[] = {
    {"overall median", "overall", "video_startup_time", NULL, "country:US", NULL, MEASURE_MEDIAN},
    {"overall 95th where more is better", "overall", "weighted_average_bitrate", NULL, NULL, NULL, MEASURE_95TH},
    {"overall ratio, average", "overall", "rebuffer_percentage", NULL, NULL, "video_startup_time>=100", MEASURE_AVG},
    {"overall ratio, median", "overall", "seek_latency", NULL, NULL, NULL, MEASURE_MEDIAN},
    {"overall distinct viewers", "overall", "unique_viewers", NULL, NULL, NULL, MEASURE_COUNT},
    {"overall share", "overall", "playback_failure_percentage", NULL, "+video_cdn_trace:a'b", NULL, MEASURE_AVG},
    {"series by view end", "timeseries", "video_startup_time", NULL, NULL, NULL, MEASURE_95TH},
    {"series by view start", "timeseries", "playing_time", NULL, "!browser:Safari", NULL, MEASURE_SUM},
    {"breakdown by text", "breakdown", "video_startup_time", "country", NULL, NULL, MEASURE_MEDIAN},
    {"breakdown by number", "breakdown", "views", "video_source_fps", NULL, NULL, MEASURE_COUNT},
    {"breakdown by boolean", "breakdown", "viewer_experience_score", "player_remote_played", NULL, NULL, MEASURE_AVG},
    {"breakdown by trace", "breakdown", "rebuffer_frequency", "video_cdn_trace", NULL, NULL, MEASURE_AVG},
};

static void question_sql(struct buf *out, const struct store *store, size_t i)
{
    struct filters filters;
    struct span plain = span_of(questions[i].filters), metrics = span_of(questions[i].metric_filters);
    assert_null(filters_parse(&plain, plain.ptr != NULL, &metrics, metrics.ptr != NULL, &arena, &filters));
    struct question q = {.environment_id = "env'1", .window = {1795323600, 1795413600, 3600}, .filters = &filters,
                         .metric = metric_find(span_of(questions[i].metric)), .measure = questions[i].measure};
    buf_addf(out, "-- %s\n", questions[i].name);
    if (strcmp(questions[i].kind, "overall") == 0) query_overall_sql(out, store, &q);
    else if (strcmp(questions[i].kind, "timeseries") == 0) query_timeseries_sql(out, store, &q, 3600);
    else query_breakdown_sql(out, store, &q, dimension_find(span_of(questions[i].by)));
    buf_addc(out, '\n');
}

static void check_release(const char *version, int64_t pending_from_ms)
{
    char path[512];
    struct store store = {.pending_from_ms = pending_from_ms};
    struct buf made, file;
    buf_init(&made, 1 << 20);
    buf_init(&file, 1 << 20);
    assert_int_equal(pthread_mutex_init(&store.lock, NULL), 0);
    assert_true(store_dialect_of(span_of(version), &store.dialect));
    for (size_t i = 0; i < COUNT(questions); i++) question_sql(&made, &store, i);
    assert_false(made.failed);
    const char *mode = getenv("FIRSTFRAME_GOLDEN");
    bool write = mode && strcmp(mode, "write") == 0;
    snprintf(path, sizeof path, "%s/tests/unit/query/golden/%s%s.sql", FF_SOURCE_DIR, version,
             pending_from_ms == INT64_MAX ? "" : "-pending");
    FILE *f = fopen(path, write ? "wb" : "rb");
    if (f == NULL) fail_msg("%s cannot be opened", path);
    if (write) {
        assert_int_equal(fwrite(made.ptr, 1, made.len, f), made.len);
        buf_add_span(&file, buf_span(&made));
    }
    char chunk[4096];
    size_t n;
    while (!write && (n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_add(&file, chunk, n);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(made.ptr, file.ptr);
    buf_free(&made);
    buf_free(&file);
    (void)pthread_mutex_destroy(&store.lock);
}

static void test_new_release(void **state)
{
    (void)state;
    check_release("26.7.2.1", INT64_MAX);
}

static void test_old_release(void **state)
{
    (void)state;
    check_release("18.16.1", INT64_MAX);
}

static void test_pending_rows(void **state)
{
    (void)state;
    check_release("26.7.2.1", 1795410000000);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_new_release), cmocka_unit_test(test_old_release),
                                       cmocka_unit_test(test_pending_rows)};
    return cmocka_run_group_tests(tests, begin, end);
}
