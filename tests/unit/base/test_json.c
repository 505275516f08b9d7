/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct json_parser *parser;
static struct json_doc doc;

static const struct json_node *parse(const char *text)
{
    return json_parse(parser, span_of(text), 1000, &doc, NULL) ? doc.nodes : NULL;
}

static void assert_span(struct span s, const char *text)
{
    assert_int_equal(s.len, strlen(text));
    assert_memory_equal(s.ptr, text, s.len);
}

static void test_tree(void **state)
{
    (void)state;
    const struct json_node *root = parse(" {\"a\":[1, 2.5,\"x\\n\\u00e9\"], \"b\": {\"c\":null,\"d\":true}, \"e\":-7 } ");
    assert_non_null(root);
    assert_int_equal(root->count, 3);
    const struct json_node *a = json_get(&doc, root, "a");
    assert_int_equal(a->count, 3);
    const struct json_node *one = json_first(a), *two = json_next(&doc, one), *three = json_next(&doc, two);
    assert_int_equal(one->v.i, 1);
    assert_true(json_number(two) == 2.5);
    assert_span(three->v.s, "x\n\xC3\xA9");
    assert_span(a->raw, "[1, 2.5,\"x\\n\\u00e9\"]");
    assert_span(one->raw, "1");
    const struct json_node *b = json_get(&doc, root, "b");
    assert_span(b->raw, "{\"c\":null,\"d\":true}");
    assert_true(json_is(json_get(&doc, b, "c"), JSON_NULL));
    assert_int_equal(json_get(&doc, root, "e")->v.i, -7);
    assert_null(json_get(&doc, root, "f"));
}

static void test_lone_surrogates(void **state)
{
    (void)state;
    const struct json_node *root = parse("{\"\\ud83dk\":\"\\ud83d\",\"p\":\"\\ud83d\\ude00\",\"q\":\"\\ude00x\"}");
    assert_non_null(root);
    assert_span(json_get(&doc, root, "\xEF\xBF\xBDk")->v.s, "\xEF\xBF\xBD");
    assert_span(json_get(&doc, root, "p")->v.s, "\xF0\x9F\x98\x80");
    assert_span(json_get(&doc, root, "q")->v.s, "\xEF\xBF\xBDx");
}

/* Valid JSON that no double holds must not cost the whole text. */
static void test_huge_numbers(void **state)
{
    (void)state;
    const struct json_node *root = parse("{\"a\":1e999,\"b\":[-2E+400],\"c\":1e-999,\"d\":7}");
    assert_non_null(root);
    const struct json_node *a = json_get(&doc, root, "a");
    assert_true(json_is(a, JSON_HUGE));
    assert_false(json_is_number(a));
    assert_span(a->raw, "1e999");
    assert_true(json_is(json_first(json_get(&doc, root, "b")), JSON_HUGE));
    assert_true(json_is_number(json_get(&doc, root, "c")));
    assert_int_equal(json_get(&doc, root, "d")->v.i, 7);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "}", "[1,]", "{\"a\":}", "{\"a\" 1}", "nul", "\"x\"", "1", "{\"a\":01}",
        "{\"a\":\"\x01\"}", "{\"a\":\"\\x\"}", "{\"a\":1}x", "{\"a\":1}{", "\xff", "{\"a\":\"\xc3\"}", "[tru]", "{\"a\":nulll}",
        "[1 2]", "{a:1}", "[\"\\u12\"]", "[.5]", "[+1]"};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (parse(bad[i])) fail_msg("accepted: %s", bad[i]);
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    assert_false(json_parse(parser, span_make(deep, 200), 1000, &doc, NULL));
    const char *why = NULL;
    assert_false(json_parse(parser, SPAN("[1,2,3,4]"), 4, &doc, &why));
    assert_string_equal(why, "too many values");
}

static void test_empty_containers(void **state)
{
    (void)state;
    const struct json_node *root = parse("{\"a\":[],\"b\":{ },\"c\":[[],[ ]]}");
    assert_non_null(root);
    assert_span(json_get(&doc, root, "a")->raw, "[]");
    assert_span(json_get(&doc, root, "b")->raw, "{ }");
    assert_span(json_get(&doc, root, "c")->raw, "[[],[ ]]");
}

static void test_writer(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 10000);
    struct jw w;
    jw_init(&w, &out);
    jw_object(&w);
    jw_key(&w, "a"), jw_array(&w), jw_int(&w, -1), jw_double(&w, 0.1), jw_double(&w, 3), jw_double(&w, NAN), jw_array_end(&w);
    jw_key(&w, "b"), jw_string(&w, SPAN("q\"\\\n\x01\xC3\xA9\xff"));
    jw_key(&w, "c"), jw_object(&w), jw_object_end(&w);
    jw_object_end(&w);
    assert_string_equal(out.ptr, "{\"a\":[-1,0.1,3,null],\"b\":\"q\\\"\\\\\\n\\u0001\xC3\xA9\xEF\xBF\xBD\",\"c\":{}}");
    buf_free(&out);
}

static void test_doubles(void **state)
{
    (void)state;
    static const struct { double v; const char *plain; } rows[] = {
        {0.00006691051833348202, "0.00006691051833348202"}, {1728758.58, "1728758.58"}, {1e21, "1000000000000000000000"},
        {-0.5, "-0.5"}, {0, "0"}, {-0.0, "0"}, {0.32222223, "0.32222223"}, {1.0 / 3, "0.3333333333333333"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[400];
        size_t len = json_format_double(text, sizeof text, rows[i].v, true);
        assert_int_equal(len, strlen(rows[i].plain));
        assert_string_equal(text, rows[i].plain);
    }
}

int main(void)
{
    parser = json_parser_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),    cmocka_unit_test(test_lone_surrogates), cmocka_unit_test(test_huge_numbers), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_writer),  cmocka_unit_test(test_empty_containers), cmocka_unit_test(test_doubles),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_parser_free(parser);
    return failed;
}
