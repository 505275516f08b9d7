/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's readers of statements, URLs and errors, without ClickHouse: tables of cases, then
 * the same texts mutated with a fixed seed (AddressSanitizer, with which this is built, is judge). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer.h"
#include "request.h"
#include "statement.h"

static const struct {
    const char *text;
    enum statement_kind kind;
    const char *format;
    const char *data; /* of an INSERT: what follows, NULL for other kinds */
} statements[] = {
    {"", STATEMENT_EMPTY, "", NULL},
    {" -- x\n/* y */ # z", STATEMENT_EMPTY, "", NULL},
    {"SELECT 1", STATEMENT_QUERY, "", NULL},
    {"select 1 format JSON", STATEMENT_QUERY, "JSON", NULL},
    {"SELECT 1 FORMAT CSV SETTINGS max_threads = 1", STATEMENT_QUERY, "CSV", NULL},
    {"SELECT 1 FORMAT CSV ;", STATEMENT_QUERY, "CSV", NULL},
    {"SELECT 1 FORMAT CSV -- FORMAT XML", STATEMENT_QUERY, "CSV", NULL},
    {"SELECT 'FORMAT XML'", STATEMENT_QUERY, "", NULL},
    {"SELECT 'it\\'s FORMAT XML", STATEMENT_QUERY, "", NULL},
    {"SELECT $a$ ' $b$ FORMAT XML $a$", STATEMENT_QUERY, "", NULL},
    {"SELECT $1", STATEMENT_QUERY, "", NULL},
    {"SELECT (SELECT 1 FORMAT XML)", STATEMENT_QUERY, "", NULL},
    {"SELECT format FROM t", STATEMENT_QUERY, "", NULL},
    {"(SELECT 1) UNION ALL (SELECT 2)", STATEMENT_QUERY, "", NULL},
    {"WITH 1 AS x SELECT x", STATEMENT_QUERY, "", NULL},
    {"SHOW TABLES FORMAT JSON", STATEMENT_OTHER, "JSON", NULL},
    {"INSERT INTO d.t SELECT 1", STATEMENT_OTHER, "", NULL},
    {"INSERT INTO d.t WITH 1 AS x SELECT x", STATEMENT_OTHER, "", NULL},
    {"INSERT INTO d.t", STATEMENT_OTHER, "", NULL},
    {"INSERT INTO d.t (a, b) FORMAT RowBinary", STATEMENT_INSERT, "RowBinary", ""},
    {"INSERT INTO d.t (a, b) FORMAT RowBinary\n\n\x01", STATEMENT_INSERT, "RowBinary", "\n\x01"},
    {"INSERT INTO d.t FORMAT CSV \t\r\n'", STATEMENT_INSERT, "CSV", "'"},
    {"INSERT INTO d.t FORMAT CSV 1,FORMAT X", STATEMENT_INSERT, "CSV", "1,FORMAT X"},
    {"insert into d.t values (1)", STATEMENT_INSERT, "Values", "(1)"},
    {"INSERT INTO values VALUES (1)", STATEMENT_INSERT, "Values", "(1)"},
    {"INSERT INTO TABLE format FORMAT TSV 1", STATEMENT_INSERT, "TSV", "1"},
    {"INSERT INTO d.format FORMAT TSV 1", STATEMENT_INSERT, "TSV", "1"},
    {"INSERT INTO `FORMAT X` (`VALUES`) FORMAT TSV 1", STATEMENT_INSERT, "TSV", "1"},
    {"INSERT INTO t SETTINGS a = 'FORMAT X' FORMAT TSV 1", STATEMENT_INSERT, "TSV", "1"},
    {"INSERT /* FORMAT X */ INTO t FORMAT TSV 1", STATEMENT_INSERT, "TSV", "1"},
};

static void expect_span(struct span got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.ptr, want, got.len);
}

static void test_statements(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(statements); i++) {
        struct span text = span_of(statements[i].text);
        struct statement st;
        statement_read(text, &st);
        if (st.kind != statements[i].kind) {
            fail_msg("%s: kind %d", statements[i].text, (int)st.kind);
        }
        expect_span(st.format, statements[i].format);
        if (statements[i].data != NULL) {
            expect_span((struct span){.ptr = text.ptr + st.data_at, .len = text.len - st.data_at},
                        statements[i].data);
        }
    }
}

static void test_statement_parts(void **state)
{
    (void)state;
    struct statement st;
    statement_read(span_of("INSERT INTO d.t (a) SETTINGS x = 1 FORMAT CSV 1"), &st);
    expect_span(st.head, "INSERT INTO d.t (a) SETTINGS x = 1 ");
    statement_read(span_of("SELECT a FROM t GROUP BY a WITH  TOTALS"), &st);
    assert_true(st.whole_result);
    statement_read(span_of("SELECT totals FROM t"), &st);
    assert_false(st.whole_result);
    static const char *const files[] = {
        "SELECT 1 INTO OUTFILE 'x'",
        "(SELECT 1 into/**/outfile 'x')",
        "INSERT INTO t FROM INFILE 'x' FORMAT CSV",
    };
    for (size_t i = 0; i < COUNT(files); i++) {
        statement_read(span_of(files[i]), &st);
        assert_true(st.names_file);
    }
    statement_read(span_of("SELECT 'INTO OUTFILE'"), &st);
    assert_false(st.names_file);
}

/* Answers the SET statement, or the error, of a URL. The caller frees it. */
static char *settings_of(const char *url)
{
    struct request r;
    request_init(&r);
    char *copy = strdup(url);
    const char *wrong = request_read(&r, copy, strlen(url));
    struct span text = wrong != NULL ? span_of(wrong) : buf_span(&r.settings);
    char *out = strndup(text.ptr, text.len);
    request_fini(&r);
    free(copy);
    return out;
}

static void test_settings(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        const char *begins;
    } cases[] = {
        {"/", ""},
        {"/?", ""},
        {"/?query=SELECT+1&database=d&user=x&log_comment=y", ""},
        {"/?max_threads=1", "SET max_threads='1'"},
        {"/?a=1&&b=%27%5C%3B#c=3", "SET a='1', b='\\'\\\\;'"},
        {"/?a", "SET a=''"},
        {"/?=1", "Code: 115."},
        {"/?A=1", "Code: 115."},
        {"/?a%3D1=1", "Code: 115."},
        {"/?a=%2", "Code: 36."},
        {"/?a=%zz", "Code: 36."},
        {"/?compress=1", "Code: 48."},
        {"/?compress=0", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *got = settings_of(cases[i].url);
        size_t len = strlen(cases[i].begins);
        if (strncmp(got, cases[i].begins, len) != 0 || (len == 0 && got[0] != '\0')) {
            fail_msg("%s: %s", cases[i].url, got);
        }
        free(got);
    }
}

static void test_request_fields(void **state)
{
    (void)state;
    char url[] =
        "/?query=SELECT+%27a%2Bb%27&database=d%20e&param_x=%00y&readonly=1&default_format=CSV";
    struct request r;
    request_init(&r);
    assert_null(request_read(&r, url, strlen(url)));
    expect_span(r.path, "/");
    expect_span(r.query, "SELECT 'a+b'");
    expect_span(r.database, "d e");
    expect_span(r.format, "CSV");
    assert_true(r.readonly);
    assert_int_equal(r.params_count, 1);
    assert_int_equal(r.value_lens[0], 2);
    assert_memory_equal(r.values[0], "\0y", 2);
    request_fini(&r);

    struct buf many;
    buf_init(&many, 100000);
    buf_add_text(&many, "/?");
    for (int i = 0; i <= REQUEST_PARAMS_MAX; i++) {
        buf_add_text(&many, "param_x=1&");
    }
    request_init(&r);
    assert_non_null(request_read(&r, many.data, many.len));
    request_fini(&r);
    buf_fini(&many);
}

static void test_answers(void **state)
{
    (void)state;
    assert_int_equal(error_code(span_of("Code: 60. DB::Exception: x")), 60);
    assert_int_equal(error_code(span_of("Error: Code: 159. x")), 159);
    assert_int_equal(error_code(span_of("Query processing failed")), 1001);
    assert_int_equal(error_code(span_of("Code: ")), 1001);
    assert_int_equal(error_code(span_of("Code: 99999999999999999999")) > 0, 1);
    assert_int_equal(error_status(60), 404);
    assert_int_equal(error_status(62), 400);
    assert_int_equal(error_status(202), 503);
    assert_int_equal(error_status(241), 500);
    assert_false(format_is_name(span_of("CSV\r\nX: y")));
    assert_false(format_is_name(span_of("")));
    const struct format *csv = format_find(span_of("csvwithnames"));
    expect_span(format_cut_header(csv, span_of("\"a\"\"\n\",\"b\"\n1,2\n")), "1,2\n");
    const struct format *tsv = format_find(span_of("TSVWithNamesAndTypes"));
    expect_span(format_cut_header(tsv, span_of("\"a\nString\nx\n")), "x\n");
    expect_span(format_cut_header(tsv, span_of("a")), "");
    assert_int_equal(format_find(span_of("Parquet"))->join, JOIN_NOT);
    assert_int_equal(format_find(span_of("Unheard"))->join, JOIN_NOT);
}

static void test_buf_bounds(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_add_text(&b, "123");
    buf_add_text(&b, "456");
    assert_true(b.full);
    buf_add_text(&b, "4");
    expect_span(buf_span(&b), "123");
    buf_reset(&b);
    buf_add_text(&b, "12345");
    assert_false(b.full);
    buf_fini(&b);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Changes, cuts and joins the cases. The copy is exactly as long as the text, so that reading one
 * byte too far is seen; what comes out must lie inside the text. */
static void test_mutations(void **state)
{
    (void)state;
    static const char *const words[] = {"FORMAT ", "VALUES", "'", "`", "$a$",
                                        "/*",      "(",      ";", "%", "&"};
    uint64_t seed = 0x9E3779B97F4A7C15u;
    for (int round = 0; round < 60000; round++) {
        struct buf b;
        buf_init(&b, 4096);
        for (int part = 0; part < 3; part++) {
            const char *from = statements[next_random(&seed) % COUNT(statements)].text;
            buf_add(&b, from, next_random(&seed) % (strlen(from) + 1));
            buf_add_text(&b, words[next_random(&seed) % COUNT(words)]);
        }
        char *copy = malloc(b.len);
        assert_non_null(copy);
        memcpy(copy, b.data, b.len);
        copy[next_random(&seed) % b.len] = (char)next_random(&seed);
        struct statement st;
        statement_read((struct span){.ptr = copy, .len = b.len}, &st);
        assert_true(st.data_at <= b.len);
        assert_true(st.head.len <= b.len);
        struct request r;
        request_init(&r);
        const char *wrong = request_read(&r, copy, b.len);
        assert_true(wrong == NULL || error_code(span_of(wrong)) != 1001);
        request_fini(&r);
        free(copy);
        buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements), cmocka_unit_test(test_statement_parts),
        cmocka_unit_test(test_settings),   cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_buf_bounds),
        cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
