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

static void test_views(void **state)
{
    (void)state;
    struct quotas *q = quotas_new(0);
    unsigned begun = 0;
    for (int i = 0; i < 10; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "v%d", i);
        bool first = quota_view(q, "e", 4, span_of(id), true, NOW);
        assert_true(quota_view(q, "e", 4, span_of(id), false, NOW) == first); /* what follows goes the same way */
        assert_true(quota_view(q, "e", 4, span_of(id), true, NOW + 1000) == first); /* sent again: not counted again */
        begun += first;
    }
    assert_int_equal(begun, 4);
    assert_true(quota_view(q, "e", 4, SPAN("under way"), false, NOW));
    assert_true(quota_view(q, "e", 4, SPAN("w"), true, NOW + 60000));
    assert_false(quota_view(q, "e", 4, SPAN("v9"), false, NOW + 60000)); /* stays refused */
    assert_true(quota_view(q, "e", 0, SPAN("v9"), true, NOW));
    quotas_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses), cmocka_unit_test(test_events),
                                       cmocka_unit_test(test_views)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
