/* SPDX-License-Identifier: Apache-2.0
 * Which path leads to which handler: literals before arguments, historical prefixes, decoding, unknown paths. */
#include "api/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct arena arena;
static struct span arguments[API_ARGUMENTS_MAX];

static const char *handler(enum http_method method, const char *path)
{
    const struct route *route = NULL;
    switch (route_find(method, span_of(path), &arena, &route, arguments)) {
    case ROUTE_FOUND: return route->handler_name;
    case ROUTE_UNKNOWN: return "404";
    case ROUTE_OTHER_METHOD: return "405";
    }
    return "";
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        enum http_method method;
        const char *path, *handler;
    } cases[] = {
        {HTTP_M_GET, "/data/v1/metrics/comparison", "api_metrics_comparison"},
        {HTTP_M_GET, "/data/v1/metrics/views/overall", "api_metrics_overall"},
        {HTTP_M_HEAD, "/data/v1/metrics/views/overall", "api_metrics_overall"},
        {HTTP_M_GET, "/metrics/time_to_first_frame/timeseries", "api_metrics_timeseries"},
        {HTTP_M_GET, "/v1/metrics/views/breakdown", "api_metrics_breakdown"},
        {HTTP_M_GET, "/api/v1/metrics/views/insights", "api_metrics_insights"},
        {HTTP_M_POST, "/api/sessions", "api_session_create"},
        {HTTP_M_POST, "/sessions", "api_session_create"},
        {HTTP_M_POST, "/data/v1/sessions", "api_session_create"},
        {HTTP_M_POST, "/api/v1/session", "api_session_create"},
        {HTTP_M_GET, "/data/v1/exports/views", "api_exports_views"},
        {HTTP_M_GET, "/data/v1/exports", "api_exports_list"},
        {HTTP_M_GET, "/data/v1/subview-metrics/playing_time/rendition/overall", "api_subview_overall"},
        {HTTP_M_GET, "/data/v1/subview-metrics/rendition/dimensions/country", "api_subview_values"},
        {HTTP_M_GET, "/data/v1/subview-metrics/rendition/dimensions/overall", "api_subview_values"},
        {HTTP_M_GET, "/openapi.json", "api_openapi"},
        {HTTP_M_GET, "/_stainless_unknown_path", "404"},
        {HTTP_M_GET, "/data/v1/_stainless_unknown_path", "404"},
        {HTTP_M_GET, "/data/v1/metrics/views/overall/", "404"},
        {HTTP_M_GET, "/data/v1//metrics/views/overall", "404"},
        {HTTP_M_GET, "/data/v1/Metrics/views/overall", "404"},
        {HTTP_M_GET, "/data/v1/metrics/views", "404"},
        {HTTP_M_GET, "", "404"},
        {HTTP_M_GET, "/", "404"},
        {HTTP_M_GET, "/a/b/c/d/e/f/g/h/i/j/k/l", "404"},
        {HTTP_M_POST, "/data/v1/metrics/views/overall", "405"},
        {HTTP_M_DELETE, "/data/v1/annotations", "405"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *found = handler(cases[i].method, cases[i].path);
        if (strcmp(found, cases[i].handler) != 0) fail_msg("%s leads to %s", cases[i].path, found);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    assert_string_equal(handler(HTTP_M_GET, "/data/v1/dimensions/a%2Fb%20c"), "api_dimensions_values");
    assert_true(span_is(arguments[0], "a/b c"));
    assert_string_equal(handler(HTTP_M_GET, "/data/v1/dimensions/%252F"), "api_dimensions_values");
    assert_true(span_is(arguments[0], "%2F")); /* once */
    assert_string_equal(handler(HTTP_M_GET, "/data/v1/dimensions/%zz%4"), "api_dimensions_values");
    assert_true(span_is(arguments[0], "%zz%4"));
    assert_string_equal(handler(HTTP_M_GET, "/data/v1/engagement/videos/x/heatmap"), "api_engagement_heatmap");
    assert_true(span_is(arguments[0], "videos"));
    assert_true(span_is(arguments[1], "x"));
}

/* Two routes never fit one request alike. */
static void test_no_route_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++)
        for (size_t k = 0; k < i; k++)
            if (route_at(i)->method == route_at(k)->method && strcmp(route_at(i)->path, route_at(k)->path) == 0)
                fail_msg("%s is there twice", route_at(i)->path);
}

static void test_segments_are_owned(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++)
        if (!api_owns(span_of(route_at(i)->path))) fail_msg("api_owns does not know %s", route_at(i)->path);
    assert_false(api_owns(SPAN("/")));
    assert_false(api_owns(SPAN("/metrics")));
    assert_true(api_owns(SPAN("/metrics/views/overall")));
    assert_false(api_owns(SPAN("/dashboard")));
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths), cmocka_unit_test(test_arguments),
                                       cmocka_unit_test(test_no_route_twice), cmocka_unit_test(test_segments_are_owned)};
    return cmocka_run_group_tests(tests, begin, end);
}
