/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const int64_t NOW = 1795408567000;

static void test_addresses(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(3);
    for (int i = 0; i < 3; i++) assert_true(quota_address(q, SPAN("aaaa"), NOW));
    assert_false(quota_address(q, SPAN("aaaa"), NOW + 999));
    assert_true(quota_address(q, SPAN("bbbb"), NOW)); /* another address */
    assert_true(quota_address(q, SPAN("aaaa"), NOW + 1000));
    quotas_free(q);
    q = quotas_new(0);
    for (int i = 0; i < 1000; i++) assert_true(quota_address(q, SPAN("aaaa"), NOW));
    quotas_free(q);
}

static void test_events(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(0);
    assert_true(quota_events(q, "e", 0, 1000000, NOW)); /* no limit */
    assert_true(quota_events(q, "e", 10, 300, NOW));    /* 100 in the bucket: overdrawn by 200 */
    assert_false(quota_events(q, "e", 10, 1, NOW));
    assert_false(quota_events(q, "e", 10, 1, NOW + 20000));
    assert_true(quota_events(q, "e", 10, 1, NOW + 20200));
    assert_true(quota_events(q, "other", 10, 1, NOW));
    /* The long-run rate holds whatever the size of the POSTs. */
    uint32_t passed = 0;
    for (int64_t t = 0; t < 1000; t++)
        if (quota_events(q, "long", 10, 30, NOW + t * 1000)) passed += 30;
    assert_true(passed >= 10000 && passed <= 10000 + 100 + 30);
    quotas_free(q);
}

static bool view_passes(struct quotas *q, const char *form, int n, int64_t now_ms)
{
    char id[32];
    (void)snprintf(id, sizeof id, form, n);
    return quota_view(q, "e", 4, span_of(id), now_ms);
}

static void test_views(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(0);
    unsigned begun = 0;
    for (int i = 0; i < 10; i++) {
        bool first = view_passes(q, "v%d", i, NOW);
        assert_true(view_passes(q, "v%d", i, NOW) == first);        /* what follows goes the same way */
        assert_true(view_passes(q, "v%d", i, NOW + 1000) == first); /* and is not counted again */
        begun += first;
    }
    assert_int_equal(begun, 4);
    assert_true(view_passes(q, "w%d", 0, NOW + 60000));
    for (int i = 0; i < 10; i++) assert_true(view_passes(q, "v%d", i, NOW + 120000) == (i < 4)); /* stays as it was */
    assert_true(quota_view(q, "e", 0, SPAN("v9"), NOW));
    assert_true(quota_view(q, "other", 4, SPAN("v9"), NOW)); /* another environment's view */
    quotas_free(q);
}

/* What was let in before the start goes on and takes nothing from what begins. */
static void test_views_known(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(0);
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "open%d", i);
        quota_view_known(q, "e", span_of(id), NOW);
    }
    for (int i = 0; i < 20; i++) assert_true(view_passes(q, "open%d", i, NOW));
    for (int i = 0; i < 8; i++) assert_true(view_passes(q, "new%d", i, NOW) == (i < 4));
    /* Nor does it let in what was refused. */
    quota_view_known(q, "e", SPAN("new7"), NOW);
    assert_false(view_passes(q, "new%d", 7, NOW));
    quotas_free(q);
}

/* More refused views than there are slots push out none that is under way. */
static void test_views_flood(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(0);
    for (int i = 0; i < 4; i++) assert_true(view_passes(q, "under way %d", i, NOW));
    for (int i = 0; i < 6000000; i++) assert_false(view_passes(q, "flood %d", i, NOW + 1000));
    for (int i = 0; i < 4; i++) assert_true(view_passes(q, "under way %d", i, NOW + 2000));
    assert_false(view_passes(q, "flood %d", 5999999, NOW + 60000)); /* the last ones are remembered */
    quotas_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_events),
                                       cmocka_unit_test(test_views), cmocka_unit_test(test_views_known),
                                       cmocka_unit_test(test_views_flood)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
