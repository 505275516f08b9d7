/* SPDX-License-Identifier: Apache-2.0 */
#include "store/profile.h"
#include "store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_values(void **state)
{
    (void)state;
    static const char whole[] = "Mac OS X\t\\N\t\tit's\\ta \\\\ \n tab\t\\\\N\tlast";
    struct span text = span_of(whole);
    char to[sizeof whole];
    assert_true(span_is(store_profile_value(&text, to), "Mac OS X"));
    assert_null(store_profile_value(&text, to).ptr);
    struct span empty = store_profile_value(&text, to);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_true(span_is(store_profile_value(&text, to), "it's\ta \\ \n tab"));
    assert_true(span_is(store_profile_value(&text, to), "\\N"));
    assert_true(span_is(store_profile_value(&text, to), "last"));
    assert_int_equal(text.len, 0);
    assert_null(text.ptr);
    assert_null(store_profile_value(&text, to).ptr);
}

/* Texts that no store makes are read all the same. */
static void test_odd(void **state)
{
    (void)state;
    static const char *const odd[] = {"\\", "a\\", "\\\\\\", "\\x\t\t\t", ""};
    char to[16];
    for (size_t i = 0; i < COUNT(odd); i++) {
        struct span text = span_of(odd[i]);
        for (int values = 0; text.ptr && values < 10; values++) (void)store_profile_value(&text, to);
        assert_null(text.ptr);
    }
}

static bool is_column(const char *name)
{
    for (size_t i = 0; i < store_column_count(); i++)
        if (strcmp(store_column_at(i)->name, name) == 0) return true;
    return false;
}

static void test_columns(void **state)
{
    (void)state;
    for (size_t i = 0; i < store_profile_count(); i++) {
        const struct store_profile *p = store_profile_at(i);
        assert_in_range(p->count, 2, PROFILE_COLUMNS_MAX);
        for (size_t k = 0; k < p->count; k++)
            if (!is_column(p->columns[k])) fail_msg("%s: there is no column %s", p->name, p->columns[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_odd),
                                       cmocka_unit_test(test_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
