/* SPDX-License-Identifier: Apache-2.0
 * metrics.def, dimensions.def and comparison.def against the published lists, and scores and ranks of segments. */
#include "query/question.h"
#include "store/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* The published table: id, default measurement, clock (S start, E end), usable in metric_filters[]. Where none is
 * published, the default is our choice. */
static const struct {
    const char *id, *measure;
    char clock;
    bool filterable;
} published[] = {
    {"aggregate_startup_time", "median", 'E', true},
    {"downscale_percentage", "avg", 'E', true},
    {"exits_before_video_start", "avg", 'E', false},
    {"live_stream_latency", "median", 'E', true},
    {"max_downscale_percentage", "median", 'E', true},
    {"max_request_latency", "median", 'E', true},
    {"max_upscale_percentage", "median", 'E', true},
    {"page_load_time", "median", 'E', true},
    {"playback_failure_percentage", "avg", 'E', true},
    {"playback_success_score", "avg", 'E', true},
    {"player_startup_time", "median", 'E', true},
    {"playing_time", "sum", 'S', true},
    {"rebuffer_count", "median", 'E', true},
    {"rebuffer_duration", "median", 'E', true},
    {"rebuffer_frequency", "avg", 'E', true},
    {"rebuffer_percentage", "avg", 'E', true},
    {"request_latency", "median", 'E', true},
    {"request_throughput", "median", 'E', true},
    {"rebuffer_score", "avg", 'E', true},
    {"requests_for_first_preroll", "median", 'E', true},
    {"seek_latency", "avg", 'E', true},
    {"startup_time_score", "avg", 'E', true},
    {"unique_viewers", "count", 'S', false},
    {"upscale_percentage", "avg", 'E', true},
    {"video_quality_score", "avg", 'E', true},
    {"video_startup_preroll_load_time", "median", 'E', true},
    {"video_startup_preroll_request_time", "median", 'E', true},
    {"video_startup_time", "median", 'E', true},
    {"viewer_experience_score", "avg", 'E', true},
    {"views", "count", 'S', false},
    {"weighted_average_bitrate", "median", 'E', true},
    {"video_startup_failure_percentage", "avg", 'E', false},
    {"ad_attempt_count", "sum", 'S', true},
    {"ad_break_count", "sum", 'S', true},
    {"ad_break_error_count", "sum", 'E', true},
    {"ad_break_error_percentage", "avg", 'E', true},
    {"ad_error_count", "sum", 'E', true},
    {"ad_error_percentage", "avg", 'E', true},
    {"ad_exit_before_start_count", "avg", 'E', true},
    {"ad_exit_before_start_percentage", "avg", 'E', true},
    {"ad_impression_count", "sum", 'S', true},
    {"ad_startup_error_count", "avg", 'E', true},
    {"ad_startup_error_percentage", "avg", 'E', true},
    {"playback_business_exception_percentage", "avg", 'E', true},
    {"video_startup_business_exception_percentage", "avg", 'E', true},
    {"view_content_startup_time", "median", 'E', true},
    {"ad_preroll_startup_time", "median", 'E', true},
    {"view_dropped_percentage", "avg", 'E', false},
    {"rendition_change_count", "median", 'E', true},
    {"rendition_upshift_count", "median", 'E', true},
    {"rendition_downshift_count", "median", 'E', true},
    /* outside the published enumeration, accepted like the others */
    {"content_playback_failure_percentage", "avg", 'E', true},
    {"ad_playback_failure_percentage", "avg", 'E', true},
};

static void test_metrics(void **state)
{
    (void)state;
    assert_int_equal(COUNT(published), 51 + 2);
    assert_int_equal(metric_count(), COUNT(published));
    for (size_t i = 0; i < COUNT(published); i++) {
        const struct metric *m = metric_find(span_of(published[i].id));
        if (m == NULL) fail_msg("there is no %s", published[i].id);
        assert_string_equal(m->id, published[i].id);
        assert_string_equal(measure_name(m->measure), published[i].measure);
        assert_int_equal(m->clock == CLOCK_START ? 'S' : 'E', published[i].clock);
        assert_int_equal(m->filterable, published[i].filterable);
        assert_true(metric_offers(m, m->measure));
    }
}

static void test_aliases(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"playback_failure_score", "playback_success_score"},
        {"smoothness_score", "rebuffer_score"},
        {"time_to_first_frame", "video_startup_time"},
        {"content_startup_time", "view_content_startup_time"},
        {"player_average_live_latency", "live_stream_latency"},
        {"view_average_request_latency", "request_latency"},
        {"view_average_request_throughput", "request_throughput"},
        {"view_max_request_latency", "max_request_latency"},
        {"started_views", "views"},
        {"startup_score", "startup_time_score"},
        {"quality_score", "video_quality_score"},
        {"playback_score", "playback_success_score"},
        {"rebuffering_score", "rebuffer_score"},
        {"buffering_count", "rebuffer_count"},
        {"buffering_duration", "rebuffer_duration"},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct metric *m = metric_find(span_of(pairs[i][0]));
        assert_non_null(m);
        assert_string_equal(m->id, pairs[i][1]);
    }
    assert_null(metric_find(SPAN("Views")));
    assert_null(metric_find(SPAN("")));
}

/* Insights are counted from profiles, and dimensions that are in none are grouped by the store. */
static void test_profiles(void **state)
{
    (void)state;
    size_t looked_at = 0, columns = 0;
    for (size_t i = 0; i < dimension_count(); i++) {
        const struct dimension *d = dimension_at(i);
        size_t found = 0;
        for (size_t p = 0; p < store_profile_count(); p++)
            for (size_t k = 0; k < store_profile_at(p)->count; k++)
                found += strcmp(store_profile_at(p)->columns[k], d->plain) == 0;
        if (found != d->insights) fail_msg("%s is in %zu profiles", d->id, found);
        /* What a profile says of other types is not what an answer says. */
        assert_false(d->insights && (d->type == DIMENSION_FPS || d->type == DIMENSION_TRACE));
        looked_at += d->insights;
    }
    for (size_t p = 0; p < store_profile_count(); p++) columns += store_profile_at(p)->count;
    assert_int_equal(columns, looked_at);
}

static void test_dimensions(void **state)
{
    (void)state;
    size_t basic = 0, advanced = 0, any = 0, breakdown = 0, custom = 0;
    for (size_t i = 0; i < dimension_count(); i++) {
        const struct dimension *d = dimension_at(i);
        assert_ptr_equal(dimension_find(span_of(d->id)), d); /* no id twice */
        basic += d->list == DIMENSION_BASIC;
        advanced += d->list == DIMENSION_ADVANCED;
        any += d->uses == DIMENSION_ANY;
        breakdown += d->uses == DIMENSION_BREAKDOWN;
        custom += strncmp(d->id, "custom_", 7) == 0;
    }
    assert_int_equal(basic, 22);
    assert_int_equal(advanced, 84);
    assert_int_equal(any, 83);
    assert_int_equal(any + breakdown, 94);
    assert_int_equal(custom, 20);
    /* What insights leave out: outcomes explain themselves, identifiers are one view each. */
    static const char *const not_insights[] = {
        "playback_failure", "exit_before_video_start", "video_startup_failure", "playback_business_exception",
        "video_startup_business_exception", "ad_playback_failure", "content_playback_failure", "view_dropped",
        "player_error_code", "page_url", "view_session_id", "viewer_user_id", "video_cdn_trace", "custom_11"};
    size_t insights = 0;
    for (size_t i = 0; i < dimension_count(); i++) insights += dimension_at(i)->insights;
    for (size_t i = 0; i < COUNT(not_insights); i++) assert_false(dimension_find(span_of(not_insights[i]))->insights);
    assert_int_equal(insights, 83 - 13);
}

static void test_measurements(void **state)
{
    (void)state;
    enum measure m;
    assert_true(measure_from_name(SPAN("95th"), &m));
    assert_int_equal(m, MEASURE_95TH);
    assert_false(measure_from_name(SPAN("p95"), &m));
    assert_false(measure_from_name(SPAN("Median"), &m));
    const struct metric *viewers = metric_find(SPAN("unique_viewers"));
    assert_true(metric_offers(viewers, MEASURE_COUNT));
    assert_false(metric_offers(viewers, MEASURE_SUM));
}

/* Item 90: US 100, 200, 300; DE 900; FR 150, 150; overall 175. */
static void test_negative_impact(void **state)
{
    (void)state;
    const struct metric *m = metric_find(SPAN("video_startup_time"));
    struct question question = {.metric = m, .measure = MEASURE_MEDIAN};
    struct answer overall = {.value = 175, .has_value = true, .views = 6};
    const struct dimension *country = dimension_find(SPAN("country"));
    struct segment rows[] = {
        {.field = SPAN("FR"), .answer = {.value = 150, .has_value = true, .views = 2}, .dimension = country},
        {.field = SPAN("US"), .answer = {.value = 200, .has_value = true, .views = 3}, .dimension = country},
        {.field = SPAN("DE"), .answer = {.value = 900, .has_value = true, .views = 1}, .dimension = country},
    };
    segments_rank(&question, &overall, rows, COUNT(rows));
    static const struct {
        const char *field;
        double score;
    } expected[] = {{"DE", -725}, {"US", -75}, {"FR", 50}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(span_is(rows[i].field, expected[i].field));
        assert_true(rows[i].score == expected[i].score);
        assert_int_equal(rows[i].rank, i + 1);
    }
    /* Where more is better the sign turns. */
    question = (struct question){.metric = metric_find(SPAN("weighted_average_bitrate")), .measure = MEASURE_MEDIAN};
    overall.value = 2e6;
    rows[0].answer = (struct answer){.value = 1.5e6, .has_value = true, .views = 10};
    segments_rank(&question, &overall, rows, 1);
    assert_true(rows[0].score == -5e6);
    /* Sums: what harms weighs by itself, what does not has no score. */
    question = (struct question){.metric = metric_find(SPAN("ad_error_count")), .measure = MEASURE_SUM};
    rows[0].answer = (struct answer){.value = 4, .has_value = true, .views = 10};
    segments_rank(&question, &overall, rows, 1);
    assert_true(rows[0].score == -4);
    question = (struct question){.metric = metric_find(SPAN("playing_time")), .measure = MEASURE_SUM};
    segments_rank(&question, &overall, rows, 1);
    assert_true(rows[0].score == 0);
}

/* Ties: more views first, then the field by bytes, null last; ranks are never shared. */
static void test_rank_ties(void **state)
{
    (void)state;
    struct question question = {.metric = metric_find(SPAN("views")), .measure = MEASURE_COUNT};
    struct answer overall = {.value = 8, .has_value = true, .views = 8};
    const struct dimension *country = dimension_find(SPAN("country"));
    struct segment rows[] = {
        {.field = {NULL, 0}, .answer = {.value = 2, .has_value = true, .views = 2}, .dimension = country},
        {.field = SPAN("b"), .answer = {.value = 2, .has_value = true, .views = 2}, .dimension = country},
        {.field = SPAN("a"), .answer = {.value = 2, .has_value = true, .views = 2}, .dimension = country},
        {.field = SPAN("c"), .answer = {.value = 3, .has_value = true, .views = 3}, .dimension = country},
    };
    segments_rank(&question, &overall, rows, COUNT(rows));
    assert_true(span_is(rows[0].field, "c"));
    assert_true(span_is(rows[1].field, "a"));
    assert_true(span_is(rows[2].field, "b"));
    assert_null(rows[3].field.ptr);
    for (size_t i = 0; i < COUNT(rows); i++) assert_int_equal(rows[i].rank, i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics),      cmocka_unit_test(test_aliases),         cmocka_unit_test(test_dimensions),
        cmocka_unit_test(test_measurements), cmocka_unit_test(test_negative_impact), cmocka_unit_test(test_rank_ties),
        cmocka_unit_test(test_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
