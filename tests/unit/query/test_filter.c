/* SPDX-License-Identifier: Apache-2.0
 * filters[] and metric_filters[]: what each form becomes, and what is refused (rules 75 to 81). */
#include "query/filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct arena arena;

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

/* The SQL of filters given as one text with the elements separated by blanks' stand-in '|'. */
static char *sql_of(const char *elements, const char *metrics)
{
    struct span list[2][16];
    size_t n[2] = {0, 0};
    const char *const texts[] = {elements, metrics};
    for (size_t k = 0; k < 2; k++) {
        struct span rest = span_of(texts[k]);
        while (rest.ptr && rest.len) {
            ptrdiff_t bar = span_find(rest, '|');
            list[k][n[k]++] = bar < 0 ? rest : span_upto(rest, (size_t)bar);
            rest = bar < 0 ? (struct span){NULL, 0} : span_from(rest, (size_t)bar + 1);
        }
    }
    struct filters f;
    const char *bad = filters_parse(list[0], n[0], list[1], n[1], &arena, &f);
    if (bad) fail_msg("%s: %s", elements ? elements : metrics, bad);
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_adds(&sql, "1");
    filters_sql(&f, &sql);
    size_t len;
    return buf_take(&sql, &len);
}

static void assert_sql(const char *elements, const char *metrics, const char *expected)
{
    char *sql = sql_of(elements, metrics);
    assert_string_equal(sql, expected);
    free(sql);
}

static void test_scalars(void **state)
{
    (void)state;
    assert_sql("country:US", NULL, "1 AND (ifNull(country = 'US', 0))");
    assert_sql("!country:US", NULL, "1 AND NOT ifNull(country = 'US', 0)");
    assert_sql("country:US|country:DE|!country:FR|browser:Safari", NULL,
               "1 AND (ifNull(country = 'US', 0) OR ifNull(country = 'DE', 0)) AND NOT ifNull(country = 'FR', 0)"
               " AND (ifNull(browser = 'Safari', 0))");
    assert_sql("page_url:https://a.example/x?y=1:2", NULL, "1 AND (ifNull(page_url = 'https://a.example/x?y=1:2', 0))");
    assert_sql("country:", NULL, "1 AND (isNull(country))");
    assert_sql("country:__empty__", NULL, "1 AND (isNull(country))");
    assert_sql("!country:", NULL, "1 AND NOT isNull(country)");
    assert_sql("playback_failure:true", NULL, "1 AND (ifNull(ifNull(playback_failure, 0) = 1, 0))");
    assert_sql("view_has_ad:false", NULL, "1 AND (ifNull(ifNull(view_has_ad, 0) = 0, 0))");
    assert_sql("asn:3320", NULL, "1 AND (ifNull(asn = 3320, 0))");
    assert_sql("video_source_fps:29.97", NULL, "1 AND (ifNull(video_source_fps = 29.969999999999999, 0))");
    assert_sql("custom_20:x", NULL, "1 AND (ifNull(custom_20 = 'x', 0))");
    assert_sql("||", NULL, "1"); /* empty elements are ignored */
    assert_sql("country: US", NULL, "1 AND (ifNull(country = ' US', 0))"); /* nothing is trimmed */
}

static void test_escaped(void **state)
{
    (void)state;
    assert_sql("country:x' OR 1=1 --", NULL, "1 AND (ifNull(country = 'x\\' OR 1=1 --', 0))");
    assert_sql("video_title:a\\", NULL, "1 AND (ifNull(video_title = 'a\\\\', 0))");
    assert_sql("+video_cdn_trace:a','b", NULL, "1 AND has(video_cdn_trace, 'a\\',\\'b')");
}

static void test_traces(void **state)
{
    (void)state;
    assert_sql("+video_cdn_trace:fastly|-video_cdn_trace:akamai", NULL,
               "1 AND has(video_cdn_trace, 'fastly') AND NOT has(video_cdn_trace, 'akamai')");
    assert_sql(" video_cdn_trace:fastly", NULL, "1 AND has(video_cdn_trace, 'fastly')"); /* '+' decoded to a blank */
    assert_sql("video_cdn_trace:[a,b]|video_cdn_trace:[c]", NULL,
               "1 AND (ifNull(video_cdn_trace = ['a','b'], 0) OR ifNull(video_cdn_trace = ['c'], 0))");
    assert_sql("!video_cdn_trace:[a,b]", NULL, "1 AND NOT ifNull(video_cdn_trace = ['a','b'], 0)");
    assert_sql("video_cdn_trace:[]", NULL, "1 AND (empty(video_cdn_trace))");
    assert_sql("!video_cdn_trace:", NULL, "1 AND NOT empty(video_cdn_trace)");
}

static void test_metric_filters(void **state)
{
    (void)state;
    assert_sql(NULL, "aggregate_startup_time>=1000", "1 AND ifNull(toFloat64(aggregate_startup_time) >= 1000, 0)");
    assert_sql(NULL, "time_to_first_frame==5|rebuffer_count!=0",
               "1 AND ifNull(toFloat64(video_startup_time) = 5, 0)"
               " AND ifNull(if(watched = 1, toFloat64(rebuffer_count), NULL) != 0, 0)");
    assert_sql(NULL, "request_latency<=-0.5e-1", "1 AND ifNull(toFloat64(request_latency) <= -0.050000000000000003, 0)");
    assert_sql(NULL, "request_latency>0", "1 AND ifNull(toFloat64(request_latency) > 0, 0)");
    assert_sql(NULL, "seek_latency<2.5e2",
               "1 AND ifNull(if(ifNull(view_seek_count, 0) > 0 AND (1), toFloat64(view_seek_duration) / view_seek_count,"
               " NULL) < 250, 0)");
}

static void test_refused_filters(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "country", "nonsense:1", "Country:US", ":US", "!", "!:US", "+country:US", "-country:US", "!+video_cdn_trace:a",
        "video_cdn_trace:fastly", "+video_cdn_trace:[a]", "-video_cdn_trace:[a,b]", "+video_cdn_trace:", "video_cdn_trace:[a",
        "playback_failure:1", "playback_failure:True", "view_has_ad:yes", "asn:abc", "asn:1 OR 1", "video_source_width:1px",
        "video_source_fps:NaN", "country;DROP TABLE x:US", "views:1",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct filter f;
        bool ignored;
        if (filter_parse(span_of(bad[i]), &arena, &f, &ignored) == NULL) fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static void test_refused_metric_filters(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "views>=1", "unique_viewers>0", "exits_before_video_start=1", "video_startup_failure_percentage>0",
        "view_dropped_percentage>0", "nonsense>=1", "rebuffer_count", "rebuffer_count>=", "rebuffer_count>=x",
        "rebuffer_count=>1", "rebuffer_count>=1 OR 1=1", "rebuffer_count >= 1", ">=1", "rebuffer_count>=NaN",
        "rebuffer_count>=+1", "rebuffer_count>=.5", "rebuffer_count>=5.", "rebuffer_count>=05", "rebuffer_count>=-",
        "rebuffer_count>=1e", "rebuffer_count>=1e+", "rebuffer_count>=1 ", "rebuffer_count>=-01",
        "rebuffer_count>=Infinity", "rebuffer_count~1", "rebuffer_count>=0x10", "rebuffer_count>=1,2",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct metric_filter f;
        if (metric_filter_parse(span_of(bad[i]), &arena, &f) == NULL) fail_msg("\"%s\" was accepted", bad[i]);
    }
}

/* A token's own filter holds beside whatever else is asked of its dimension. */
static void test_restriction(void **state)
{
    (void)state;
    struct span asked = SPAN("sub_property_id:other");
    struct filters f;
    assert_null(filters_parse(&asked, 1, NULL, 0, &arena, &f));
    assert_null(filters_restrict(&f, SPAN("sub_property_id:acme"), &arena));
    struct buf sql;
    buf_init(&sql, 1 << 20);
    filters_sql(&f, &sql);
    assert_string_equal(sql.ptr, " AND (ifNull(sub_property_id = 'other', 0)) AND ifNull(sub_property_id = 'acme', 0)");
    buf_free(&sql);
    assert_non_null(filters_restrict(&f, SPAN(""), &arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars), cmocka_unit_test(test_escaped), cmocka_unit_test(test_traces),
        cmocka_unit_test(test_metric_filters), cmocka_unit_test(test_refused_filters),
        cmocka_unit_test(test_refused_metric_filters), cmocka_unit_test(test_restriction),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
