/* SPDX-License-Identifier: Apache-2.0
 * timeframe[] and its snapping: the worked numbers of rules 68 to 72, and what is refused. */
#include "query/window.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { NOW_S = 1795412417 }; /* 2026-11-23T05:40:17Z */

static const char *parse(struct window *w, const char *first, const char *second)
{
    struct span values[] = {span_of(first), span_of(second)};
    return window_parse(values, second ? 2 : first ? 1 : 0, NOW_S, w);
}

static void test_worked_example(void **state)
{
    (void)state;
    struct window w;
    assert_null(parse(&w, "24:hours", NULL));
    assert_int_equal(w.start_s, 1795326017);
    assert_int_equal(w.end_s, NOW_S);
    window_snap(&w);
    assert_int_equal(w.start_s, 1795323600);
    assert_int_equal(w.end_s - 1, 1795413599);
    assert_int_equal(w.step_s, 3600);
    assert_int_equal(window_buckets(&w, w.step_s), 25);
    assert_int_equal(window_first_bucket_s(&w, w.step_s), 1795323600);
}

static void test_default_is_a_day(void **state)
{
    (void)state;
    struct window day, absent, empty;
    assert_null(parse(&day, "24:hours", NULL));
    assert_null(parse(&absent, NULL, NULL));
    assert_null(parse(&empty, "", NULL));
    assert_memory_equal(&day, &absent, sizeof day);
    assert_memory_equal(&day, &empty, sizeof day);
}

/* Sending the answer's timeframe back gives the same window, but for a length just at a limit, which snapping lifts over
 * it (6:hours, say, becomes six hours and ten minutes). */
static void test_snapping_is_stable(void **state)
{
    (void)state;
    static const char *const written[] = {"60:minutes", "88:minutes", "90:minutes", "5:hours", "361:minutes", "24:hours",
                                          "7:days", "14:days", "16:days", "30:days", "1:second", "52:weeks"};
    for (size_t i = 0; i < COUNT(written); i++) {
        struct window w, again;
        assert_null(parse(&w, written[i], NULL));
        window_snap(&w);
        again = (struct window){.start_s = w.start_s, .end_s = w.end_s - 1};
        window_snap(&again);
        assert_int_equal(again.start_s, w.start_s);
        assert_int_equal(again.end_s, w.end_s);
        assert_int_equal(again.step_s, w.step_s);
    }
}

/* Also of the longest window, which snapping makes longer than what may be asked for otherwise. */
static void test_longest_window_can_be_sent_back(void **state)
{
    (void)state;
    static const struct {
        int64_t start_s, end_s;
    } longest[] = {{NOW_S - INT64_C(3660) * 86400, NOW_S}, {1479427200, 1479427200 + INT64_C(3660) * 86400}};
    for (size_t i = 0; i < COUNT(longest); i++) {
        char from[24], to[24];
        struct window w, again;
        (void)snprintf(from, sizeof from, "%lld", (long long)longest[i].start_s);
        (void)snprintf(to, sizeof to, "%lld", (long long)longest[i].end_s);
        assert_null(parse(&w, from, to));
        window_snap(&w);
        (void)snprintf(from, sizeof from, "%lld", (long long)w.start_s);
        (void)snprintf(to, sizeof to, "%lld", (long long)w.end_s - 1);
        assert_null(parse(&again, from, to));
        window_snap(&again);
        assert_memory_equal(&again, &w, sizeof w);
    }
    struct window w;
    assert_null(parse(&w, "3660:days", NULL));
    window_snap(&w);
    assert_int_equal(w.start_s, 1479168000);
    assert_int_equal(w.end_s - 1, 1795478399);
    assert_null(parse(&w, "1479168000", "1795478399"));
    /* Nothing but such a window may be longer: not one that begins or ends within a day, nor a day more. */
    assert_non_null(parse(&w, "1479167999", "1795478399"));
    assert_non_null(parse(&w, "1479168000", "1795478400"));
    assert_non_null(parse(&w, "1479168000", "1795564799"));
}

static void test_steps(void **state)
{
    (void)state;
    static const struct {
        int64_t length_s, step_s;
    } cases[] = {{60, 60}, {5399, 600}, {5340, 60}, {5400, 600}, {21600, 600}, {21601, 3600}, {21599, 600},
                 {1296000, 3600}, {1296001, 86400}, {86400 * 40, 86400}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window w = {.start_s = 0, .end_s = cases[i].length_s};
        assert_int_equal(window_step(&w), cases[i].step_s);
    }
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"1:second", 1},    {"5:seconds", 5},      {"1:minute", 60}, {"60:minutes", 3600}, {"1:hour", 3600},
                 {"3:days", 259200}, {"1:week", 604800}, {"2:weeks", 1209600}, {"3660:days", 316224000}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct window w;
        assert_null(parse(&w, cases[i].text, NULL));
        assert_int_equal(w.end_s - w.start_s, cases[i].seconds);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const durations[] = {"7", "days", ":days", "7:", "7:months", "7:Days", "0:days", "-1:days", "+1:days",
                                            "1.5:hours", " 1:hour", "1:hours ", "3661:days", "99999999999999999999:days",
                                            "string", "1:hourss", "7:days:1"};
    struct window w;
    for (size_t i = 0; i < COUNT(durations); i++)
        if (parse(&w, durations[i], NULL) == NULL) fail_msg("\"%s\" was accepted", durations[i]);
    static const char *const pairs[][2] = {{"100", "100"},      {"200", "100"},           {"24:hours", "100"},
                                           {"100", "24:hours"}, {"1795326017000", "1795412417000"}, {"-5", "100"},
                                           {"1.5", "2.5"},      {"", "100"},              {"0", "1000000000"}};
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (parse(&w, pairs[i][0], pairs[i][1]) == NULL) fail_msg("%s, %s was accepted", pairs[i][0], pairs[i][1]);
    struct span three[] = {SPAN("1"), SPAN("2"), SPAN("3")};
    assert_non_null(window_parse(three, 3, NOW_S, &w));
    assert_non_null(strstr(parse(&w, "1795326017000", "1795412417000"), "milliseconds"));
}

/* Empty elements are absent ones, wherever they stand. */
static void test_empty_elements(void **state)
{
    (void)state;
    struct window w;
    struct span none[] = {SPAN(""), SPAN(""), SPAN("")}, one[] = {SPAN(""), SPAN("7:days"), SPAN("")},
                two[] = {SPAN("1795410000"), SPAN(""), SPAN("1795413600"), SPAN("")};
    for (size_t n = 0; n <= COUNT(none); n++) {
        assert_null(window_parse(none, n, NOW_S, &w));
        assert_int_equal(w.start_s, NOW_S - 86400);
    }
    assert_null(window_parse(one, COUNT(one), NOW_S, &w));
    assert_int_equal(w.start_s, NOW_S - 7 * 86400);
    assert_null(window_parse(two, COUNT(two), NOW_S, &w));
    assert_int_equal(w.start_s, 1795410000);
    assert_int_equal(w.end_s, 1795413600);
}

static void test_buckets(void **state)
{
    (void)state;
    /* A window of an hour by days: one bucket whose label lies before it. */
    struct window w = {.start_s = 1795410000, .end_s = 1795413600};
    assert_int_equal(window_first_bucket_s(&w, 86400), 1795392000);
    assert_int_equal(window_buckets(&w, 86400), 1);
    /* Across midnight: two. */
    w = (struct window){.start_s = 1795392000 - 3600, .end_s = 1795392000 + 3600};
    assert_int_equal(window_buckets(&w, 86400), 2);
    assert_int_equal(window_buckets(&w, 60), 120);
    int64_t step;
    assert_true(granularity_step(SPAN("ten_minutes"), &step));
    assert_int_equal(step, 600);
    assert_false(granularity_step(SPAN("tenminutes"), &step));
    assert_false(granularity_step(SPAN("Hour"), &step));
    assert_string_equal(granularity_name(86400), "day");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example), cmocka_unit_test(test_default_is_a_day),
        cmocka_unit_test(test_snapping_is_stable),
        cmocka_unit_test(test_longest_window_can_be_sent_back), cmocka_unit_test(test_steps), cmocka_unit_test(test_units),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_empty_elements), cmocka_unit_test(test_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
