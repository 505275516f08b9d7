/* SPDX-License-Identifier: Apache-2.0
 * The answer cache: generations, its bound, and which entries go. */
#include "api/answers.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct hash128 key(uint64_t n)
{
    return (struct hash128){n * 31, n};
}

static bool has(struct answers *c, uint64_t n, uint64_t generation, const char *answer)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    bool found = answers_get(c, key(n), generation, &out);
    if (found && answer) assert_true(span_is(buf_span(&out), answer));
    buf_free(&out);
    return found;
}

static void test_generations(void **state)
{
    (void)state;
    struct answers *c = answers_new(1 << 20);
    assert_false(has(c, 1, 7, NULL));
    answers_put(c, key(1), 7, SPAN("seven"));
    assert_true(has(c, 1, 7, "seven"));
    assert_true(has(c, 1, 7, "seven"));
    assert_false(has(c, 2, 7, NULL));
    assert_false(has(c, 1, 8, NULL)); /* something changed */
    assert_false(has(c, 1, 7, NULL)); /* and what was there is gone */
    answers_put(c, key(1), 8, SPAN("eight"));
    answers_put(c, key(1), 9, SPAN("nine"));
    assert_true(has(c, 1, 9, "nine"));
    answers_free(c);
}

static void test_bound(void **state)
{
    (void)state;
    static char text[1000];
    memset(text, 'x', sizeof text);
    struct answers *c = answers_new(100 * 1024);
    for (uint64_t i = 0; i < 1000; i++) {
        answers_put(c, key(i), 1, span_make(text, sizeof text));
        assert_true(has(c, 0, 1, NULL)); /* in use all the time: it stays */
    }
    size_t there = 0;
    for (uint64_t i = 0; i < 1000; i++) there += has(c, i, 1, NULL);
    assert_in_range(there, 80, 100);
    assert_true(has(c, 999, 1, NULL));
    assert_false(has(c, 500, 1, NULL));
    answers_put(c, key(5000), 1, span_make(text, sizeof text)); /* keys that share a chain */
    answers_put(c, key(5000 + 4096), 1, SPAN("other"));
    assert_true(has(c, 5000 + 4096, 1, "other"));
    static char large[10 * 1024];
    answers_put(c, key(6000), 1, span_make(large, sizeof large)); /* too large a part */
    assert_false(has(c, 6000, 1, NULL));
    answers_free(c);
}

static void *hammer(void *ctx)
{
    struct answers *c = ctx;
    for (uint64_t i = 0; i < 20000; i++) {
        char text[32];
        uint64_t n = i % 97;
        int len = snprintf(text, sizeof text, "answer %llu", (unsigned long long)n);
        answers_put(c, key(n), i % 3, span_make(text, (size_t)len));
        (void)has(c, (i * 7) % 97, i % 3, NULL);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct answers *c = answers_new(4096);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, hammer, c), 0);
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    answers_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_generations), cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
