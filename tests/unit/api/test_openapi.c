/* SPDX-License-Identifier: Apache-2.0
 * Every route is documented: parameters that exist, a reply, an example that leads to it. And the schema language. */
#include "api/openapi.h"
#include "api/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct json_parser *parser;
static struct buf text;
static struct json_doc doc;

static const struct json_node *document(void)
{
    struct jw w;
    buf_clear(&text);
    jw_init(&w, &text);
    assert_true(openapi_write(&w, "https://video.example.com"));
    assert_int_equal(w.depth, 0);
    const char *why = NULL;
    if (!json_parse(parser, buf_span(&text), 200000, &doc, &why)) fail_msg("%s", why);
    return doc.nodes;
}

static void test_every_route_has_an_entry(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);
        const struct operation *o = operation_of(route);
        if (o == NULL) fail_msg("openapi.def has no OPERATION(%s, ...) for %s", route->handler_name, route->path);
        bool bytes = strcmp(o->reply, "File") == 0 || strcmp(o->reply, "Page") == 0;
        if (o->status != 204 && !bytes && schema_find(span_of(o->reply)) == NULL)
            fail_msg("%s answers %s, which is no SCHEMA", o->handler, o->reply);
        if (o->status == 204) assert_string_equal(o->reply, "");
        if (o->body[0] && schema_find(span_of(o->body)) == NULL) fail_msg("%s takes %s", o->handler, o->body);
    }
}

static bool takes(const struct operation *o, struct span wire)
{
    struct span rest = span_of(o->params), name;
    bool required, known = false;
    while (params_next(&rest, &name, &required)) {
        const struct parameter *p = parameter_find(name);
        if (p == NULL) fail_msg("%s has a parameter without a PARAM", o->handler);
        known = known || span_is(wire, p->wire);
    }
    return known;
}

/* The example of a handler leads to one of its routes, and its query holds only parameters it takes, and all that it
 * requires. */
static void test_examples(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i), *found = NULL;
        const struct operation *o = operation_of(route);
        struct span target, body, arguments[API_ARGUMENTS_MAX], name, value;
        example_split(o->example, &target, &body);
        ptrdiff_t question = span_find(target, '?');
        struct span path = question < 0 ? target : span_upto(target, (size_t)question);
        struct span query = question < 0 ? (struct span){NULL, 0} : span_from(target, (size_t)question + 1);
        enum route_match match = route_find(route->method, path, &arena, &found, arguments);
        if (match != ROUTE_FOUND || strcmp(found->handler_name, route->handler_name) != 0)
            fail_msg("the example of %s leads elsewhere: %s", o->handler, o->example);
        while (http_query_next(&query, &name, &value)) {
            if (!takes(o, name)) fail_msg("%s does not take %.*s", o->handler, SPAN_ARG(name));
        }
        struct span rest = span_of(o->params);
        for (bool required; params_next(&rest, &name, &required);)
            if (required && span_find_span(target, span_of(parameter_find(name)->wire)) < 0)
                fail_msg("the example of %s lacks %.*s", o->handler, SPAN_ARG(name));
        if (body.len) assert_true(json_parse(parser, body, 1000, &doc, NULL));
        assert_int_equal(body.len > 0, o->body[0] != 0);
    }
    arena_free(&arena);
}

/* Every "$ref" of the document leads somewhere, and operation ids are unique. */
static void test_document(void **state)
{
    (void)state;
    const struct json_node *root = document();
    const struct json_node *schemas = json_get(&doc, json_get(&doc, root, "components"), "schemas");
    assert_non_null(schemas);
    static struct span ids[1000];
    size_t id_count = 0, references = 0;
    for (uint32_t i = 0; i + 1 < doc.count; i++) {
        const struct json_node *key = &doc.nodes[i], *value = &doc.nodes[i + 1];
        if (!json_is(key, JSON_STRING) || !json_is(value, JSON_STRING)) continue;
        if (span_is(key->v.s, "$ref")) {
            char name[128];
            snprintf(name, sizeof name, "%.*s", SPAN_ARG(span_from(value->v.s, strlen("#/components/schemas/"))));
            if (json_get(&doc, schemas, name) == NULL) fail_msg("$ref to %s, which is not there", name);
            references++;
        }
        if (span_is(key->v.s, "operationId")) {
            for (size_t k = 0; k < id_count; k++)
                if (span_eq(ids[k], value->v.s)) fail_msg("two operations are called %.*s", SPAN_ARG(value->v.s));
            ids[id_count++] = value->v.s;
        }
    }
    assert_int_equal(id_count, route_count());
    assert_true(references > 50);
    /* 194 published keys, and mux_sample_rate */
    const struct json_node *detail = json_get(&doc, json_get(&doc, schemas, "VideoViewDetail"), "properties");
    assert_int_equal(detail->count, 195);
}

static void assert_schema(const char *language, const char *expected)
{
    struct jw w;
    buf_clear(&text);
    jw_init(&w, &text);
    if (!schema_write(&w, span_of(language))) fail_msg("%s is refused", language);
    assert_string_equal(text.ptr, expected);
}

static void test_schema_language(void **state)
{
    (void)state;
    assert_schema("int", "{\"type\":\"integer\"}");
    assert_schema("num?", "{\"type\":[\"number\",\"null\"]}");
    assert_schema("time", "{\"type\":\"string\",\"format\":\"date-time\"}");
    assert_schema("any?", "{}");
    assert_schema("(a|95th)", "{\"type\":\"string\",\"enum\":[\"a\",\"95th\"]}");
    assert_schema("[str?]", "{\"type\":\"array\",\"items\":{\"type\":[\"string\",\"null\"]}}");
    assert_schema("<int int>", "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"integer\"},{\"type\":\"integer\"}],"
                               "\"items\":false,\"minItems\":2}");
    assert_schema("Row?", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Row\"},{\"type\":\"null\"}]}");
    assert_schema("{a:int b?:[{c:str}]}",
                  "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"array\",\"items\":"
                  "{\"type\":\"object\",\"properties\":{\"c\":{\"type\":\"string\"}},\"required\":[\"c\"]}}},\"required\":[\"a\"]}");
    static const char *const bad[] = {"", "integer", "[int", "{a}", "{a:}", "(a|)", "int int", "<int", "]", "{a:int"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct jw w;
        buf_clear(&text);
        jw_init(&w, &text);
        if (schema_write(&w, span_of(bad[i]))) fail_msg("\"%s\" was accepted", bad[i]);
    }
}

static int begin(void **state)
{
    (void)state;
    parser = json_parser_new();
    buf_init(&text, 16 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    json_parser_free(parser);
    buf_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_has_an_entry),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_schema_language),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
