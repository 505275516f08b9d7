/* SPDX-License-Identifier: Apache-2.0
 * The pure parts: queries, addresses as text, framing, compression. */
#include "http/server.h"

#include "http/address.h"
#include "http/framing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <zlib.h>

static void test_query_decode(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
        size_t len;
    } rows[] = {
        {"", "", 0},         {"abc", "abc", 3}, {"a+b%20c", "a b c", 5},           {"%C3%a9", "\xc3\xa9", 2},
        {"%", "%", 1},       {"%4", "%4", 2},   {"%zz%4g%", "%zz%4g%", 7},         {"%00x", "\0x", 2},
        {"%2541", "%41", 3}, {"%2B+", "+ ", 2}, {"filters%5B%5D", "filters[]", 9},
    };
    struct arena arena;
    arena_init(&arena, 4096);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span out = http_query_decode(span_of(rows[i].in), &arena);
        assert_non_null(out.ptr);
        assert_int_equal(out.len, rows[i].len);
        assert_memory_equal(out.ptr, rows[i].out, rows[i].len + 1);
    }
    static char large[5000];
    memset(large, 'a', sizeof large);
    assert_null(http_query_decode(span_make(large, sizeof large), &arena).ptr);
    arena_free(&arena);
}

static void test_query_next(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        const char *pairs[5]; /* "name value" */
    } rows[] = {
        {"", {NULL}},
        {"&&", {NULL}},
        {"a=b&c=d", {"a b", "c d"}},
        {"a", {"a "}},
        {"a=&=b&&c==d&", {"a ", " b", "c =d"}},
        {"filters[]=a:b&filters[]=c", {"filters[] a:b", "filters[] c"}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct span rest = span_of(rows[i].query), name, value;
        size_t n = 0;
        for (; http_query_next(&rest, &name, &value); n++) {
            assert_non_null(rows[i].pairs[n]);
            struct buf pair;
            buf_init(&pair, 100);
            buf_addf(&pair, "%.*s %.*s", SPAN_ARG(name), SPAN_ARG(value));
            assert_string_equal(pair.ptr, rows[i].pairs[n]);
            buf_free(&pair);
        }
        assert_null(rows[i].pairs[n]);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out, *cut;
    } rows[] = {
        {"203.0.113.7", "203.0.113.7", "203.0.113.0"},
        {"::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::"},
        {"2001:DB8::1", "2001:db8::1", "2001:db8::"},
        {"::1", "::1", "::"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_address a;
        char text[48];
        assert_true(http_address_parse(span_of(rows[i].in), &a));
        http_address_print(&a, text);
        assert_string_equal(text, rows[i].out);
        http_address_print_truncated(&a, text);
        assert_string_equal(text, rows[i].cut);
    }
    static const char *const bad[] = {"",
                                      "1.2.3",
                                      "1.2.3.4.5",
                                      "256.1.1.1",
                                      "1.2.3.4 ",
                                      "::g",
                                      "fe80::1%eth0",
                                      "a.example",
                                      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct http_address a;
        assert_false(http_address_parse(span_of(bad[i]), &a));
    }
}

/* However the bytes are cut, the end is found at the same place. */
static void test_framing(void **state)
{
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nA: b\r\nC:\r\n\r\nbody\n";
    static const char chunks[] = "5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\nT: u\r\nV: w\r\n\r\nGET";
    for (size_t step = 1; step < sizeof chunks; step++) {
        struct http_head_scan scan = {.bytes = 0};
        enum http_scan result = HTTP_SCAN_MORE;
        size_t at = 0, used = 0;
        for (; result == HTTP_SCAN_MORE && at < sizeof head - 1; at += used) {
            size_t len = sizeof head - 1 - at < step ? sizeof head - 1 - at : step;
            result = http_head_scan(&scan, head + at, len, &used);
        }
        assert_int_equal(result, HTTP_SCAN_END);
        assert_int_equal(at, sizeof head - 1 - 5);
        assert_int_equal(scan.bytes, at);
        assert_int_equal(scan.lines, 3);
        struct http_chunk_scan chunk = {.state = 0};
        result = HTTP_SCAN_MORE;
        for (at = 0; result == HTTP_SCAN_MORE && at < sizeof chunks - 1; at += used) {
            size_t len = sizeof chunks - 1 - at < step ? sizeof chunks - 1 - at : step;
            result = http_chunk_scan(&chunk, chunks + at, len, &used);
        }
        assert_int_equal(result, HTTP_SCAN_END);
        assert_int_equal(at, sizeof chunks - 1 - 3);
    }
}

static void compress_as(int window, struct span in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, in.len) + 32;
    z.next_out = (Bytef *)buf_room(out, room);
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_claim(out, room - z.avail_out);
    assert_int_equal(deflateEnd(&z), Z_OK);
}

static void test_inflate(void **state)
{
    (void)state;
    struct buf text, packed, out;
    buf_init(&text, 1024 * 1024);
    for (int i = 0; i < 20000; i++) buf_addf(&text, "beacon %d ", i * 7919 % 1000);
    static const int windows[] = {15 + 16, 15, -15};
    for (size_t i = 0; i < COUNT(windows); i++) {
        buf_init(&packed, 1024 * 1024);
        compress_as(windows[i], buf_span(&text), &packed);
        buf_init(&out, text.len); /* exactly enough */
        assert_true(http_inflate(buf_span(&packed), &out));
        assert_true(span_eq(buf_span(&out), buf_span(&text)));
        buf_free(&out);
        buf_init(&out, text.len - 1); /* one too few */
        assert_false(http_inflate(buf_span(&packed), &out));
        assert_true(out.len <= text.len - 1);
        buf_free(&out);
        for (size_t cut = 1; cut < packed.len; cut += packed.len / 50) {
            buf_init(&out, 1024 * 1024);
            assert_false(http_inflate(span_upto(buf_span(&packed), cut), &out));
            buf_free(&out);
        }
        buf_adds(&packed, "trailing");
        buf_init(&out, 1024 * 1024);
        assert_false(http_inflate(buf_span(&packed), &out));
        buf_free(&out);
        buf_free(&packed);
    }
    buf_free(&text);
}

static void test_inflate_members(void **state)
{
    (void)state;
    struct buf packed, out;
    buf_init(&packed, 4096);
    buf_init(&out, 100);
    assert_true(http_deflate(SPAN("one "), &packed));
    assert_true(http_deflate(SPAN(""), &packed));
    assert_true(http_deflate(SPAN("two"), &packed));
    assert_true(http_inflate(buf_span(&packed), &out));
    assert_true(span_is(buf_span(&out), "one two"));
    buf_clear(&out);
    assert_false(http_inflate(SPAN(""), &out));
    assert_false(http_inflate(SPAN("not compressed at all"), &out));
    buf_free(&out);
    buf_init(&out, 10);
    buf_clear(&packed);
    assert_true(http_deflate(SPAN(""), &packed));
    assert_true(http_inflate(buf_span(&packed), &out));
    assert_int_equal(out.len, 0);
    buf_free(&out);
    buf_init(&out, 12); /* too small for any gzip */
    assert_false(http_deflate(SPAN("abc"), &out));
    buf_free(&out);
    buf_free(&packed);
}

/* 200 MB of zeroes in 200 KB: refused at the bound, having made no more than that. */
static void test_bomb(void **state)
{
    (void)state;
    size_t len = 200u * 1024 * 1024;
    char *zeroes = calloc(1, len);
    assert_non_null(zeroes);
    struct buf packed, out;
    buf_init(&packed, len);
    assert_true(http_deflate(span_make(zeroes, len), &packed));
    assert_true(packed.len < 300 * 1024);
    free(zeroes);
    buf_init(&out, 1024 * 1024);
    assert_false(http_inflate(buf_span(&packed), &out));
    assert_true(out.cap <= 1024 * 1024 + 1);
    buf_free(&out);
    buf_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_decode), cmocka_unit_test(test_query_next), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_framing),      cmocka_unit_test(test_inflate),    cmocka_unit_test(test_inflate_members),
        cmocka_unit_test(test_bomb),
    };
    return cmocka_run_group_tests_name("http text", tests, NULL, NULL);
}
