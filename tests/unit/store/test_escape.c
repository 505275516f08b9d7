/* SPDX-License-Identifier: Apache-2.0 */
#include "store/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_text(struct span in, const char *out)
{
    struct buf sql;
    buf_init(&sql, 4096);
    store_escape_text(&sql, in);
    assert_false(sql.failed);
    assert_string_equal(sql.ptr, out);
    buf_free(&sql);
}

static void test_text(void **state)
{
    (void)state;
    assert_text(SPAN(""), "''");
    assert_text((struct span){NULL, 0}, "''");
    assert_text(SPAN("plain"), "'plain'");
    assert_text(SPAN("it's"), "'it\\'s'");
    assert_text(SPAN("a\\b"), "'a\\\\b'");
    assert_text(SPAN("\\'"), "'\\\\\\''");
    assert_text(SPAN("'; DROP TABLE x --"), "'\\'; DROP TABLE x --'");
    assert_text(SPAN("a\nb\tc\rd\be\ff"), "'a\\nb\\tc\\rd\\be\\ff'");
    assert_text(SPAN("nul\0end"), "'nul\\0end'");
    assert_text(SPAN("\x01\x1f\x7f"), "'\\x01\\x1F\\x7F'");
    assert_text(SPAN("\xc3\xa9\xff"), "'\xc3\xa9\xff'");
    assert_text(SPAN("`\"{x:String}%_"), "'`\"{x:String}%_'");
}

static void test_identifier(void **state)
{
    (void)state;
    struct buf sql;
    buf_init(&sql, 4096);
    store_escape_identifier(&sql, SPAN("a`b\\c'd"));
    assert_string_equal(sql.ptr, "`a\\`b\\\\c'd`");
    buf_free(&sql);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_identifier)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
