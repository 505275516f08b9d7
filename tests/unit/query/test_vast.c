/* SPDX-License-Identifier: Apache-2.0 */
#include "query/vast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { DAY_MS = 86400000 };

static void test_remembered_for_a_day(void **state)
{
    (void)state;
    struct vast *v = vast_new();
    assert_int_equal(vast_of(v, "one", 5), 0);
    vast_note(v, "one", 4, 5);
    vast_note(v, "two", 8, 6);
    vast_note(v, "one", 1, 1000);
    assert_int_equal(vast_of(v, "one", 1000), 5);
    assert_int_equal(vast_of(v, "two", 1000), 8);
    assert_int_equal(vast_of(v, "one", DAY_MS + 4), 5);
    assert_int_equal(vast_of(v, "one", DAY_MS + 5), 0);
    assert_int_equal(vast_of(v, "two", DAY_MS + 5), 8);
    vast_free(v);
}

static void test_oldest_goes(void **state)
{
    (void)state;
    struct vast *v = vast_new();
    char id[16];
    vast_note(v, "used", 1, 0);
    vast_note(v, "unused", 2, 0);
    for (int i = 0; i < 63; i++) {
        assert_int_equal(vast_of(v, "used", i), 1);
        (void)snprintf(id, sizeof id, "env-%d", i);
        vast_note(v, id, 4, i);
    }
    assert_int_equal(vast_of(v, "used", 100), 1);
    assert_int_equal(vast_of(v, "unused", 100), 0);
    assert_int_equal(vast_of(v, "env-0", 100), 4);
    vast_free(v);
}

static void test_one_turn(void **state)
{
    (void)state;
    struct vast *v = vast_new();
    assert_true(vast_turn_take(v));
    assert_false(vast_turn_take(v));
    assert_false(vast_turn_take(v));
    vast_turn_give(v);
    assert_true(vast_turn_take(v));
    vast_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_remembered_for_a_day), cmocka_unit_test(test_oldest_goes),
                                       cmocka_unit_test(test_one_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
