/* SPDX-License-Identifier: Apache-2.0
 * The columns of the daily exports, and the quoting of their fields. */
#include "query/export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_columns(void **state)
{
    (void)state;
    size_t csv = 0, by_version[EXPORT_VERSION + 1] = {0};
    for (size_t i = 0; i < export_column_count(); i++) {
        const struct export_column *c = export_column_at(i);
        if (i > 0) assert_true(strcmp(export_column_at(i - 1)->name, c->name) < 0); /* alphabetical, none twice */
        assert_true(c->version <= EXPORT_VERSION);
        if (!(c->form & EXPORT_CSV)) continue;
        assert_true(c->version > 0);
        csv++;
        by_version[c->version]++;
    }
    /* What each published version brought; 12 brought nothing known. */
    static const size_t published[] = {0, 80, 36, 2, 6, 8, 1, 1, 11, 3, 5, 1, 0, 17, 1};
    for (size_t v = 1; v <= EXPORT_VERSION; v++) assert_int_equal(by_version[v], published[v]);
    assert_int_equal(csv, 172);
}

static void assert_field(const char *text, const char *expected)
{
    struct buf out;
    buf_init(&out, 1024);
    buf_adds(&out, "");
    export_csv_text(&out, span_of(text));
    assert_int_equal(out.len, strlen(expected));
    if (out.len) assert_memory_equal(out.ptr, expected, out.len);
    buf_free(&out);
}

static void test_quoting(void **state)
{
    (void)state;
    assert_field("", "");
    assert_field("plain text", "plain text");
    assert_field("a,b", "\"a,b\"");
    assert_field("say \"hi\"", "\"say \"\"hi\"\"\"");
    assert_field("two\nlines", "\"two\nlines\"");
    assert_field("cr\r", "\"cr\r\"");
    assert_field("café", "café");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns), cmocka_unit_test(test_quoting)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
