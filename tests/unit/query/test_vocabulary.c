/* SPDX-License-Identifier: Apache-2.0 */
#include "query/vocabulary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void add(struct lexicon *l, size_t dimension, const char *word)
{
    lexicon_add(l, dimension, span_of(word));
}

static void test_each_word_once(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(3);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    assert_false(l->learned);
    add(l, 1, "fastly"), add(l, 1, ""), add(l, 1, "akamai"), add(l, 1, "fastly"), add(l, 2, "fastly");
    lexicon_sort(l, 1);
    assert_int_equal(l->words[0].n, 0);
    assert_int_equal(l->words[1].n, 3);
    assert_int_equal(l->words[2].n, 1);
    assert_int_equal(l->count, 4);
    l->learned = true;
    vocabulary_give(v);
    l = vocabulary_take(v, "env", 1000);
    assert_true(l->learned);
    assert_int_equal(l->words[1].n, 3);
    vocabulary_give(v);
    l = vocabulary_take(v, "another", 1000);
    assert_false(l->learned);
    assert_int_equal(l->count, 0);
    vocabulary_give(v);
    vocabulary_free(v);
}

static void test_one_user_at_a_time(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(1);
    assert_non_null(vocabulary_take(v, "one", 1000));
    assert_null(vocabulary_take(v, "two", 1000));
    assert_null(vocabulary_take(v, "one", 1000));
    vocabulary_give(v);
    assert_non_null(vocabulary_take(v, "two", 1000));
    vocabulary_give(v);
    vocabulary_free(v);
}

static void add_numbers(struct lexicon *l, size_t dimension, int from, int n)
{
    char word[24];
    for (int i = from; i < from + n; i++) {
        (void)snprintf(word, sizeof word, "word %d", i);
        add(l, dimension, word);
    }
    lexicon_sort(l, dimension);
}

/* A dimension of too many words has none, and takes none from the others. */
static void test_many_words(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(3);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    add_numbers(l, 0, 0, 10);
    add_numbers(l, 1, 0, LEXICON_WORDS_MAX + 1);
    add_numbers(l, 1, LEXICON_WORDS_MAX + 1, 10);
    add_numbers(l, 2, 0, LEXICON_WORDS_MAX);
    assert_int_equal(l->words[0].n, 10);
    assert_true(l->words[1].many);
    assert_int_equal(l->words[1].n, 0);
    assert_false(l->words[2].many);
    assert_int_equal(l->words[2].n, LEXICON_WORDS_MAX);
    assert_int_equal(l->count, 10 + LEXICON_WORDS_MAX);
    vocabulary_give(v);
    vocabulary_free(v);
}

/* It can be told so, once or again, and has none and takes none then; the others have room for as many more. */
static void test_told_many(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(2);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    add_numbers(l, 0, 0, 100);
    add_numbers(l, 1, 0, 10);
    for (int i = 0; i < 2; i++) {
        lexicon_many(l, 0);
        lexicon_sort(l, 0);
        add_numbers(l, 0, 0, 100);
        assert_true(l->words[0].many);
        assert_int_equal(l->words[0].n, 0);
        assert_int_equal(l->words[1].n, 10);
        assert_int_equal(l->count, 10);
    }
    vocabulary_give(v);
    vocabulary_free(v);
}

static void test_long_words(void **state)
{
    (void)state;
    static char text[LEXICON_BYTES_MAX / 2];
    memset(text, 'x', sizeof text);
    struct vocabulary *v = vocabulary_new(2);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    lexicon_add(l, 0, span_make(text, sizeof text));
    lexicon_add(l, 0, span_make(text, sizeof text));
    lexicon_add(l, 1, span_make(text, sizeof text));
    assert_false(l->words[0].many);
    add(l, 0, "x");
    assert_true(l->words[0].many);
    assert_false(l->words[1].many);
    vocabulary_give(v);
    vocabulary_free(v);
}

/* Together the dimensions have a bound, too: that which passes it has no words. */
static void test_many_words_together(void **state)
{
    (void)state;
    enum { DIMENSIONS = VOCABULARY_WORDS_MAX / LEXICON_WORDS_MAX + 2 };
    struct vocabulary *v = vocabulary_new(DIMENSIONS);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    for (size_t i = 0; i + 1 < DIMENSIONS; i++) add_numbers(l, i, 0, LEXICON_WORDS_MAX);
    assert_true(l->words[DIMENSIONS - 2].many);
    assert_false(l->words[DIMENSIONS - 3].many);
    assert_int_equal(l->count, VOCABULARY_WORDS_MAX);
    vocabulary_give(v);
    vocabulary_free(v);
}

/* Known words that come again are no further ones, and a dimension that gets too many later loses its own only. */
static void test_again_and_more(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(2);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    add_numbers(l, 0, 0, LEXICON_WORDS_MAX);
    add_numbers(l, 1, 0, 10);
    l->learned = true;
    size_t bytes = l->bytes;
    vocabulary_give(v);
    for (int i = 0; i < 20; i++) {
        l = vocabulary_take(v, "env", 1000);
        add_numbers(l, 0, 0, LEXICON_WORDS_MAX);
        assert_int_equal(l->words[0].n, LEXICON_WORDS_MAX);
        assert_int_equal(l->count, LEXICON_WORDS_MAX + 10);
        assert_int_equal(l->bytes, bytes);
        vocabulary_give(v);
    }
    l = vocabulary_take(v, "env", 1000);
    add_numbers(l, 0, LEXICON_WORDS_MAX, 1);
    assert_true(l->words[0].many);
    assert_int_equal(l->words[0].n, 0);
    assert_int_equal(l->words[1].n, 10);
    assert_int_equal(l->count, 10);
    assert_true(l->learned);
    vocabulary_give(v);
    vocabulary_free(v);
}

/* Bytes count as SQL says them, all dimensions together. */
static void test_bytes(void **state)
{
    (void)state;
    enum { DIMENSIONS = VOCABULARY_BYTES_MAX / LEXICON_BYTES_MAX + 1 };
    static char text[LEXICON_BYTES_MAX / 4];
    memset(text, 1, sizeof text);
    struct vocabulary *v = vocabulary_new(DIMENSIONS);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    for (size_t i = 0; i < DIMENSIONS; i++) lexicon_add(l, i, span_make(text, sizeof text));
    assert_int_equal(l->bytes, VOCABULARY_BYTES_MAX);
    assert_false(l->words[DIMENSIONS - 2].many);
    assert_true(l->words[DIMENSIONS - 1].many);
    vocabulary_give(v);
    vocabulary_free(v);
}

static void test_a_day_later(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(1);
    struct lexicon *l = vocabulary_take(v, "env", 1000);
    add_numbers(l, 0, 0, 10);
    l->learned = true;
    vocabulary_give(v);
    l = vocabulary_take(v, "env", 86400000);
    assert_int_equal(l->count, 10);
    vocabulary_give(v);
    l = vocabulary_take(v, "env", 86401000);
    assert_false(l->learned);
    assert_int_equal(l->count, 0);
    vocabulary_give(v);
    vocabulary_free(v);
}

/* Of many environments those stay that were asked about last. */
static void test_many_environments(void **state)
{
    (void)state;
    struct vocabulary *v = vocabulary_new(1);
    char id[24];
    for (int i = 0; i < 200; i++) {
        (void)snprintf(id, sizeof id, "env%d", i);
        struct lexicon *l = vocabulary_take(v, id, 1000);
        add(l, 0, id);
        l->learned = true;
        vocabulary_give(v);
        l = vocabulary_take(v, "env0", 1000);
        assert_int_equal(l->count, 1);
        vocabulary_give(v);
    }
    struct lexicon *l = vocabulary_take(v, "env199", 1000);
    assert_true(l->learned);
    vocabulary_give(v);
    l = vocabulary_take(v, "env1", 1000);
    assert_false(l->learned);
    vocabulary_give(v);
    vocabulary_free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_word_once),
        cmocka_unit_test(test_one_user_at_a_time),
        cmocka_unit_test(test_many_words),
        cmocka_unit_test(test_told_many),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_many_words_together),
        cmocka_unit_test(test_again_and_more),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_a_day_later),
        cmocka_unit_test(test_many_environments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
