/* SPDX-License-Identifier: Apache-2.0
 * Heatmaps, hotspots and the texts of renditions: the worked examples of rules 113, 114 and 117. */
#include "query/engagement.h"
#include "query/subview.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct heatmap map_of(int64_t duration_ms)
{
    struct heatmap h = {.duration_ms = duration_ms};
    heatmap_size(&h);
    return h;
}

static void add(struct heatmap *h, int64_t start, int64_t end)
{
    heatmap_add(h, &start, &end, 1);
}

/* 10 s; one view of 0-5 s, one of 0-10 s. */
static void test_worked_example(void **state)
{
    (void)state;
    struct heatmap h = map_of(10000);
    struct hotspot spots[HEATMAP_BUCKETS_MAX];
    add(&h, 0, 5000);
    add(&h, 0, 10000);
    assert_int_equal(h.n, 10);
    for (size_t i = 0; i < 10; i++) assert_true(heatmap_value(&h, i) == (i < 5 ? 1 : 0.5));
    assert_int_equal(heatmap_hotspots(&h, false, spots), 1);
    assert_int_equal(spots[0].start_ms, 0);
    assert_int_equal(spots[0].end_ms, 5000);
    assert_true(spots[0].score == 1);
    assert_int_equal(heatmap_hotspots(&h, true, spots), 1);
    assert_int_equal(spots[0].start_ms, 5000);
    assert_int_equal(spots[0].end_ms, 10000);
    assert_true(spots[0].score == 0.5);
}

static void test_buckets_grow_with_the_content(void **state)
{
    (void)state;
    static const int64_t lengths[][2] = {{1, 10}, {10999, 10}, {11000, 11}, {999000, 999}, {1000000, 1000}, {7200000, 1000}};
    for (size_t i = 0; i < COUNT(lengths); i++) assert_int_equal(map_of(lengths[i][0]).n, lengths[i][1]);
}

/* A bucket counts when its middle was watched: start <= middle < end. */
static void test_middles(void **state)
{
    (void)state;
    struct heatmap h = map_of(10000); /* middles at 500, 1500, ... */
    add(&h, 500, 501);
    add(&h, 501, 1500);
    add(&h, 501, 1501);
    assert_int_equal(h.views, 3);
    assert_int_equal(h.seen[0], 1);
    assert_int_equal(h.seen[1], 1);
    assert_int_equal(h.seen[2], 0);
}

static void test_watched_again_counts_once(void **state)
{
    (void)state;
    struct heatmap h = map_of(10000);
    const int64_t starts[] = {4000, 0, 2000, 9000, -5, 7000}, ends[] = {6000, 3000, 5000, 99000, 10, 7000};
    heatmap_add(&h, starts, ends, COUNT(starts));
    static const unsigned expected[] = {1, 1, 1, 1, 1, 1, 0, 0, 0, 1};
    assert_int_equal(h.views, 1);
    for (size_t i = 0; i < 10; i++) assert_int_equal(h.seen[i], expected[i]);
    const int64_t start = 7000, end = 7000; /* nothing valid: no view */
    heatmap_add(&h, &start, &end, 1);
    assert_int_equal(h.views, 1);
}

static void test_nothing(void **state)
{
    (void)state;
    struct heatmap h = {.n = HEATMAP_BUCKETS_MIN};
    struct hotspot spots[HEATMAP_BUCKETS_MAX];
    for (size_t i = 0; i < h.n; i++) assert_true(heatmap_value(&h, i) == 0);
    assert_int_equal(heatmap_hotspots(&h, false, spots), 0);
    assert_int_equal(heatmap_hotspots(&h, true, spots), 0);
}

/* Content of absurd length, ranges beyond it: no overflow, no bucket outside. */
static void test_bounds(void **state)
{
    (void)state;
    struct heatmap h = map_of(INT64_C(1000000000000000));
    add(&h, 0, INT64_MAX);
    add(&h, INT64_MAX - 1, INT64_MAX);
    assert_int_equal(h.n, 1000);
    for (size_t i = 0; i < h.n; i++) assert_int_equal(h.seen[i], 1);
}

static void assert_text(struct subview_rendition r, subview_set set, const char *expected)
{
    struct buf out;
    buf_init(&out, 1024);
    subview_rendition_text(&out, &r, set);
    assert_string_equal(out.ptr, expected);
    buf_free(&out);
}

static void test_rendition_texts(void **state)
{
    (void)state;
    struct subview_rendition r = {18500000, 3840, 2160, 60, SPAN("HEVC"), SPAN("4k")};
    assert_text(r, 63, "18.5Mb / 3840w / 2160h / 60fps / HEVC / 4k");
    r = (struct subview_rendition){-1, -1, -1, -1, {NULL, 0}, {NULL, 0}};
    assert_text(r, 63, "unknown / unknown / unknown / unknown / unknown / unknown");
    r = (struct subview_rendition){400000, 640, 360, 29.97, SPAN("avc1"), SPAN("")};
    assert_text(r, 1, "400kb");
    assert_text(r, 4, "360h");
    assert_text(r, 8 + 32, "29.97fps / unknown");
    r.bitrate = 2000000;
    assert_text(r, 1, "2Mb");
    r.bitrate = 999999;
    assert_text(r, 1, "1000kb");
    r.bitrate = 1049999;
    assert_text(r, 1, "1Mb");
    r.bitrate = 1050000;
    assert_text(r, 1, "1.1Mb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example), cmocka_unit_test(test_buckets_grow_with_the_content),
        cmocka_unit_test(test_middles),        cmocka_unit_test(test_watched_again_counts_once),
        cmocka_unit_test(test_nothing),        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_rendition_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
