/* SPDX-License-Identifier: Apache-2.0 */
#include "query/codebook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct span text_of(size_t i, char to[32])
{
    int len = snprintf(to, 32, "%zu", i * 7919);
    return span_make(to, (size_t)len);
}

static void test_codes(void **state)
{
    (void)state;
    struct codebook *b = codebook_new();
    char text[32];
    uint16_t code;
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < 5000; i++) {
            assert_true(codebook_code(b, text_of(i, text), &code));
            assert_int_equal(code, i);
        }
    }
    assert_int_equal(codebook_count(b), 5000);
    for (size_t i = 0; i < 5000; i++) assert_true(span_eq(codebook_text(b, i), text_of(i, text)));
    assert_true(codebook_code(b, SPAN(""), &code));
    assert_int_equal(code, 5000);
    assert_true(codebook_code(b, SPAN("\0"), &code));
    assert_int_equal(code, 5001);
    codebook_free(b);
}

static void test_too_many(void **state)
{
    (void)state;
    struct codebook *b = codebook_new();
    char text[32];
    uint16_t code;
    for (size_t i = 0; i < CODEBOOK_CODES_MAX; i++) assert_true(codebook_code(b, text_of(i, text), &code));
    assert_false(codebook_code(b, SPAN("one more"), &code));
    assert_true(codebook_code(b, text_of(CODEBOOK_CODES_MAX - 1, text), &code));
    assert_int_equal(code, CODEBOOK_CODES_MAX - 1);
    codebook_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_codes), cmocka_unit_test(test_too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
