/* SPDX-License-Identifier: Apache-2.0
 * The query language: what is refused, and that nothing a client writes reaches SQL but through the escaping function.
 * Statements against tests/unit/query/golden/query.sql; FIRSTFRAME_GOLDEN=write as in test_sql.c. */
#include "query/pivot.h"

#include "store/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { NOW_S = 1795412417 };

static struct json_parser *parser;
static struct arena arena;
static struct json_doc doc;

static const char *parse(const char *text, struct pivot *out)
{
    const char *why = NULL;
    if (!json_parse(parser, span_of(text), 20000, &doc, &why)) return why;
    return pivot_parse(&doc, doc.nodes, NOW_S, &arena, out);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"metrics\":[]}",
        "{\"metrics\":\"views\"}",
        "{\"metrics\":[\"views\"]}",
        "{\"metrics\":[{\"metric\":\"Views\"}]}",
        "{\"metrics\":[{\"metric\":\"views; DROP TABLE firstframe.views\"}]}",
        "{\"metrics\":[{\"metric\":1}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"extra\":1}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"metric\":\"views\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"measurement\":\"p95\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"measurement\":\"count\",\"percentile\":0.5}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"percentile\":1.01}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"percentile\":\"0.5\"}]}",
        "{\"metrics\":[{\"metric\":\"unique_viewers\",\"measurement\":\"stddev\"}]}",
        "{\"metrics\":[{\"metric\":\"unique_viewers\",\"percentile\":0.5}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[1]}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[1,1]}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[2,1]}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[0,\"1\"]}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[0,1],\"from\":0}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"from\":0,\"to\":10,\"buckets\":101}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"from\":10,\"to\":10,\"buckets\":5}}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"1a\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"a b\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"c0) FROM system.tables --\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"},{\"metric\":\"started_views\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"country\"}],\"dimensions\":[\"country\"]}",
        "{\"metrics\":[{\"metric\":\"views\",\"name\":\"time\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"dimensions\":\"country\"}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"dimensions\":[\"country\",\"country\"]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"dimensions\":[\"country\",\"cdn\",\"browser\",\"asn\",\"region\"]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"dimensions\":[\"environment\"]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filter\":{}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":[]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"and\":[]}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"and\":{}}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"or\":[1]}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"not\":null}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"and\":[{\"dimension\":\"cdn\",\"value\":\"a\"}],\"dimension\":\"cdn\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"value\":1}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"asn\",\"value\":\"1\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"view_has_ad\",\"value\":\"true\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"operator\":\"=\",\"value\":\"a\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"operator\":\"in\",\"value\":\"a\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"operator\":\"in\",\"value\":[]}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"operator\":\"contains\",\"value\":\"a\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"video_cdn_trace\",\"value\":\"a\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"video_cdn_trace\",\"value\":[1]}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn = cdn OR 1\",\"value\":\"a\"}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"metric_filters\":{}}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"metric_filters\":[{\"metric\":\"views\",\"operator\":\">\",\"value\":1}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"metric_filters\":[{\"metric\":\"rebuffer_count\",\"operator\":\"like\",\"value\":1}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"metric_filters\":[{\"metric\":\"rebuffer_count\",\"operator\":\">\",\"value\":\"1\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"timeframe\":\"7:days\"}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"timeframe\":[\"7:moons\"]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"timeframe\":[2,1]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"timeframe\":[1,2,3]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"timeframe\":[1.5,2.5]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"time_bucket\":\"week\"}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"time_bucket\":\"minute\",\"timeframe\":[\"365:days\"]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"order\":[{\"by\":\"nothing\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"order\":[{\"by\":\"time\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"order\":[{\"by\":\"views_count\",\"direction\":\"down\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"order\":[{\"by\":\"views_count desc, sleep(3)\"}]}",
        "{\"metrics\":[{\"metric\":\"views\",\"histogram\":{\"edges\":[0,1]},\"name\":\"h\"}],\"order\":[{\"by\":\"h\"}]}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"limit\":0}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"limit\":10001}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"limit\":\"1\"}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"page\":-1}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"weighted\":1}",
        "{\"metrics\":[{\"metric\":\"video_startup_time\"}],\"weighted\":true}",
        "{\"metrics\":[{\"metric\":\"unique_viewers\"}],\"weighted\":true}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"environment_id\":\"other\"}",
        "{\"metrics\":[{\"metric\":\"views\"}],\"settings\":{\"readonly\":0}}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct pivot p;
        if (parse(bad[i], &p) == NULL) fail_msg("accepted: %s", bad[i]);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf text;
    struct pivot p;
    buf_init(&text, 1 << 20);
    for (int depth = PIVOT_DEPTH_MAX - 1; depth <= PIVOT_DEPTH_MAX; depth++) {
        /* the leaf is one deeper; JSON itself nests less deep than that allows */
        buf_clear(&text);
        buf_adds(&text, "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":");
        for (int i = 0; i < depth; i++) buf_adds(&text, "{\"not\":");
        buf_adds(&text, "{\"dimension\":\"cdn\",\"value\":\"a\"}");
        for (int i = 0; i < depth + 1; i++) buf_addc(&text, '}');
        const char *bad = parse(text.ptr, &p);
        if (depth < PIVOT_DEPTH_MAX) assert_null(bad);
        else assert_non_null(bad);
    }
    for (int values = PIVOT_VALUES_MAX; values <= PIVOT_VALUES_MAX + 1; values++) {
        buf_clear(&text);
        buf_adds(&text, "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"dimension\":\"cdn\",\"operator\":\"in\",\"value\":[");
        for (int i = 0; i < values; i++) buf_addf(&text, "%s\"v%d\"", i ? "," : "", i);
        buf_adds(&text, "]}}");
        const char *bad = parse(text.ptr, &p);
        assert_int_equal(bad == NULL, values == PIVOT_VALUES_MAX);
    }
    buf_free(&text);
}

static const struct {
    const char *name, *json;
} questions[] = {
    {"one number", "{\"metrics\":[{\"metric\":\"views\"}]}"},
    {"both clocks", "{\"metrics\":[{\"metric\":\"views\"},{\"metric\":\"seek_latency\"}],\"dimensions\":[\"country\"]}"},
    {"everything",
     "{\"metrics\":[{\"metric\":\"video_startup_time\",\"percentile\":0.999},{\"metric\":\"rebuffer_count\",\"measurement\":\"stddev\"},"
     "{\"metric\":\"rebuffer_percentage\",\"histogram\":{\"from\":0,\"to\":1,\"buckets\":2},\"name\":\"h\"}],"
     "\"dimensions\":[\"video_cdn_trace\",\"view_has_ad\",\"asn\"],\"time_bucket\":\"day\",\"timeframe\":[\"7:days\"],"
     "\"filters\":{\"and\":[{\"dimension\":\"cdn\",\"operator\":\"not_in\",\"value\":[\"it's\",null]},"
     "{\"not\":{\"or\":[{\"dimension\":\"video_cdn_trace\",\"operator\":\"does_not_contain\",\"value\":\"x\"},"
     "{\"dimension\":\"asn\",\"value\":3320},{\"dimension\":\"video_cdn_trace\",\"value\":[]}]}}]},"
     "\"metric_filters\":[{\"metric\":\"rebuffer_count\",\"operator\":\">=\",\"value\":1}],"
     "\"order\":[{\"by\":\"video_startup_time_p99_9\"},{\"by\":\"asn\",\"direction\":\"asc\"}],\"limit\":50,\"page\":3}"},
    {"weighted", "{\"metrics\":[{\"metric\":\"rebuffer_percentage\"},{\"metric\":\"rebuffer_count\",\"measurement\":\"avg\"},"
                 "{\"metric\":\"rebuffer_count\",\"measurement\":\"sum\"},{\"metric\":\"rebuffer_count\",\"measurement\":\"count\"}],"
                 "\"weighted\":true}"},
    {"percentiles of one metric",
     "{\"metrics\":[{\"metric\":\"video_startup_time\",\"percentile\":0.99},{\"metric\":\"views\"},{\"metric\":\"video_startup_time\"},"
     "{\"metric\":\"video_startup_time\",\"measurement\":\"stddev\"}],\"dimensions\":[\"cdn\"]}"},
};

static void test_sql(void **state)
{
    (void)state;
    struct store store = {.pending_from_ms = INT64_MAX};
    struct buf made, file;
    buf_init(&made, 1 << 20);
    buf_init(&file, 1 << 20);
    assert_int_equal(pthread_mutex_init(&store.lock, NULL), 0);
    assert_true(store_dialect_of(SPAN("26.7.2.1"), &store.dialect));
    for (size_t i = 0; i < COUNT(questions); i++) {
        struct pivot p;
        const char *bad = parse(questions[i].json, &p);
        if (bad) fail_msg("%s: %s", questions[i].name, bad);
        assert_null(filters_restrict(&p.filters, SPAN("sub_property_id:acme"), &arena)); /* as a token's own filter */
        buf_addf(&made, "-- %s\n", questions[i].name);
        pivot_sql(&made, &store, "env'1", &p, false);
        buf_addc(&made, '\n');
    }
    const char *mode = getenv("FIRSTFRAME_GOLDEN");
    bool write = mode && strcmp(mode, "write") == 0;
    FILE *f = fopen(FF_SOURCE_DIR "/tests/unit/query/golden/query.sql", write ? "wb" : "rb");
    assert_non_null(f);
    if (write) {
        assert_int_equal(fwrite(made.ptr, 1, made.len, f), made.len);
        buf_add_span(&file, buf_span(&made));
    }
    char chunk[4096];
    size_t n;
    while (!write && (n = fread(chunk, 1, sizeof chunk, f)) > 0) buf_add(&file, chunk, n);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(made.ptr, file.ptr);
    buf_free(&made);
    buf_free(&file);
    (void)pthread_mutex_destroy(&store.lock);
}

/* Texts that try to end their literal stay inside it, and a token's filter stands outside every "or". */
static void test_isolation(void **state)
{
    (void)state;
    static const char *const evil[] = {"' OR 1=1 --", "\\\\' OR environment_id != '", "\\u0000'); DROP TABLE firstframe.views; --",
                                       "\\u0027 UNION ALL SELECT * FROM system.tables", "/*", "*/ OR 1"};
    struct store store = {.pending_from_ms = INT64_MAX};
    assert_int_equal(pthread_mutex_init(&store.lock, NULL), 0);
    assert_true(store_dialect_of(SPAN("26.7.2.1"), &store.dialect));
    for (size_t i = 0; i < COUNT(evil); i++) {
        char json[512];
        struct pivot p;
        struct buf sql;
        buf_init(&sql, 1 << 20);
        snprintf(json, sizeof json, "{\"metrics\":[{\"metric\":\"views\"}],\"filters\":{\"or\":[{\"dimension\":\"cdn\",\"value\":\"%s\"},"
                                    "{\"dimension\":\"environment_id\",\"value\":\"other\"}]}}", evil[i]);
        assert_null(parse(json, &p));
        assert_null(filters_restrict(&p.filters, SPAN("sub_property_id:acme"), &arena));
        pivot_sql(&sql, &store, "mine", &p, false);
        /* outside of quotes there is nothing of it */
        bool quoted = false;
        struct buf bare;
        buf_init(&bare, 1 << 20);
        for (size_t k = 0; k < sql.len; k++) {
            if (quoted && sql.ptr[k] == '\\') k++;
            else if (sql.ptr[k] == '\'') quoted = !quoted;
            else if (!quoted) buf_addc(&bare, sql.ptr[k]);
        }
        assert_false(quoted);
        static const char *const never[] = {"1=1", "DROP", "system", "/*", "*/", "--", "!="};
        for (size_t k = 0; k < COUNT(never); k++)
            if (strstr(bare.ptr, never[k])) fail_msg("%s got out: %s", evil[i], sql.ptr);
        const char *token = strstr(sql.ptr, "AND ifNull(sub_property_id = 'acme', 0) AND (");
        assert_non_null(token);
        assert_non_null(strstr(sql.ptr, "environment_id = 'mine' AND "));
        buf_free(&sql);
        buf_free(&bare);
    }
    (void)pthread_mutex_destroy(&store.lock);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 64 << 20);
    parser = json_parser_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(&arena);
    json_parser_free(parser);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_sql), cmocka_unit_test(test_isolation)};
    return cmocka_run_group_tests(tests, begin, end);
}
