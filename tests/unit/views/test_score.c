/* SPDX-License-Identifier: Apache-2.0 */
#include "posts.h"
#include "views/score.h"

#define SET_I(n) ((struct opt_i64){(n), true})
#define SET_F(x) ((struct opt_f64){(x), true})

static void test_example(void **state)
{
    (void)state;
    /* First frame after 400 ms, one stall of 3 s in 60 s, 25 % upscaled throughout. */
    struct score_facts facts = {.watched = true,
                                .startup_ms = SET_I(400),
                                .rebuffer_count = SET_I(1),
                                .rebuffer_ms = SET_I(3000),
                                .watch_ms = SET_I(60000),
                                .content_ms = SET_I(56000),
                                .upscale_max = SET_F(0.25),
                                .upscale_total = SET_F(14000)};
    struct view_scores s = view_score(&facts);
    assert_near(s.startup, 0.952381);
    assert_near(s.smoothness, 0.750479);
    assert_near(s.quality, 0.920811);
    assert_near(s.success, 1.0);
    assert_near(s.overall, 0.862512);
}

static void test_calibration(void **state)
{
    (void)state;
    /* The one published point: smoothness 0.7616, the others 1. */
    struct view_scores s = {.success = SET_F(1), .startup = SET_F(1), .smoothness = SET_F(0.7616), .quality = SET_F(1)};
    assert_true(fabs(view_score_overall(&s).v - 0.903) < 0.0005);
}

static void test_missing_parts(void **state)
{
    (void)state;
    struct view_scores s = {.success = SET_F(1), .smoothness = SET_F(0.5)};
    assert_near(view_score_overall(&s), 0.5);
    s = (struct view_scores){.success = SET_F(1), .smoothness = SET_F(0.25), .startup = SET_F(1)};
    assert_near(view_score_overall(&s), pow(0.25, 0.54));
    s = (struct view_scores){.success = SET_F(0.5)};
    assert_near(view_score_overall(&s), 0.5);
    s = (struct view_scores){.success = SET_F(0), .startup = SET_F(1), .smoothness = SET_F(1)};
    assert_near(view_score_overall(&s), 0.0);
    s = (struct view_scores){.startup = SET_F(1), .smoothness = SET_F(1)};
    assert_false(view_score_overall(&s).set);
}

static void test_curves(void **state)
{
    (void)state;
    struct score_facts facts = {
        .watched = true, .startup_ms = SET_I(2000), .watch_ms = SET_I(1000), .rebuffer_ms = SET_I(5000)};
    struct view_scores s = view_score(&facts);
    assert_near(s.startup, 0.8);
    assert_near(s.smoothness, (1 + exp(-10)) / 2); /* a share above 1 counts as 1 */
    assert_false(s.quality.set);
    facts.watch_ms = SET_I(0);
    assert_false(view_score(&facts).smoothness.set);
    facts = (struct score_facts){
        .watched = true, .content_ms = SET_I(0), .upscale_max = SET_F(0), .upscale_total = SET_F(0)};
    assert_false(view_score(&facts).quality.set);
    facts = (struct score_facts){.wait_ms = 999};
    assert_false(view_score(&facts).success.set);
    facts.wait_ms = 1000;
    assert_near(view_score(&facts).success, 0.5);
    /* Failed after its start: it keeps the other scores, the overall one is 0. */
    facts = (struct score_facts){
        .watched = true, .failed = true, .startup_ms = SET_I(0), .watch_ms = SET_I(10), .rebuffer_count = SET_I(0)};
    s = view_score(&facts);
    assert_near(s.startup, 1.0);
    assert_near(s.smoothness, 1.0);
    assert_near(s.overall, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_example), cmocka_unit_test(test_calibration),
                                       cmocka_unit_test(test_missing_parts), cmocka_unit_test(test_curves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
