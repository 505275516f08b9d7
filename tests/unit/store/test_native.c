/* SPDX-License-Identifier: Apache-2.0
 * A block of columns read back by its description, value by value, into the rows it was made of. */
#include "rows.h"
#include "store/native.h"
#include "store/result.h"
#include "store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROWS = 3 };

static struct view_row full_row(uint64_t n)
{
    static struct span texts[] = {SPAN("a"), SPAN(""), SPAN("c\0d")};
    static int64_t ints[] = {INT64_MIN, -1, INT64_MAX};
    static double doubles[] = {0.1, -2.5};
    struct view_row r = test_row("env", n, true, TEST_NOON_MS);
    r.event_names = (struct list_text){texts, n};
    r.event_times = (struct list_i64){ints, n};
    r.rendition_fps = (struct list_f64){doubles, n - 1};
    r.view_dropped = (struct opt_i64){1, true};
    r.country_name = SPAN("The Netherlands");
    return r;
}

static size_t width_of(struct span inner)
{
    return span_is(inner, "String") ? 0 : span_is(inner, "UInt8") ? 1 : span_find(inner, '3') >= 0 ? 4 : 8;
}

static struct span between(struct span type, const char *outer)
{
    return span_make(type.ptr + strlen(outer), type.len - strlen(outer) - 1);
}

static void take_value(struct buf *row, struct bytes *in, size_t width)
{
    size_t len = width ? width : bytes_varint(in);
    if (!width) buf_add_varint(row, len);
    buf_add_span(row, bytes_span(in, len));
}

static void read_column(struct bytes *in, struct span type, struct buf rows[ROWS])
{
    if (span_starts(type, SPAN("Nullable("))) {
        size_t width = width_of(between(type, "Nullable("));
        struct span nulls = bytes_span(in, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            struct buf none;
            buf_init(&none, 1024);
            buf_add_u8(&rows[i], (uint8_t)nulls.ptr[i]);
            take_value(nulls.ptr[i] ? &none : &rows[i], in, width);
            buf_free(&none);
        }
    } else if (span_starts(type, SPAN("Array("))) {
        size_t width = width_of(between(type, "Array("));
        uint64_t ends[ROWS + 1] = {0};
        for (size_t i = 0; i < ROWS; i++) ends[i + 1] = bytes_u64(in);
        for (size_t i = 0; i < ROWS; i++) {
            buf_add_varint(&rows[i], ends[i + 1] - ends[i]);
            for (uint64_t k = ends[i]; k < ends[i + 1]; k++) take_value(&rows[i], in, width);
        }
    } else {
        for (size_t i = 0; i < ROWS; i++) take_value(&rows[i], in, width_of(type));
    }
}

static void test_block(void **state)
{
    (void)state;
    struct batch *b = batch_new(true, 20780, 1);
    struct buf want[ROWS], got[ROWS], block;
    buf_init(&block, 1 << 20);
    for (size_t i = 0; i < ROWS; i++) {
        struct view_row r = full_row(i + 1);
        struct batch_row known = {.id = r.id, .version = r.version, .view_end_ms = r.view_end_ms};
        buf_init(&want[i], 1 << 20);
        buf_init(&got[i], 1 << 20);
        store_row_encode(&want[i], &r, b->id);
        batch_add(b, buf_span(&want[i]), &known);
    }
    store_native_encode(&block, b);
    struct bytes in = bytes_of(buf_span(&block));
    assert_int_equal(bytes_varint(&in), store_column_count());
    assert_int_equal(bytes_varint(&in), ROWS);
    for (size_t i = 0; i < store_column_count(); i++) {
        assert_true(span_is(rb_text(&in), store_column_at(i)->name));
        struct span type = rb_text(&in);
        assert_false(span_starts(type, SPAN("LowCardinality")));
        assert_non_null(memmem(store_column_at(i)->type, strlen(store_column_at(i)->type), type.ptr, type.len));
        read_column(&in, type, got);
    }
    assert_true(in.ok);
    assert_int_equal(bytes_left(&in), 0);
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(got[i].len, want[i].len);
        assert_memory_equal(got[i].ptr, want[i].ptr, want[i].len);
        buf_free(&got[i]);
        buf_free(&want[i]);
    }
    buf_free(&block);
    batch_free(b);
}

/* Rows that were left out leave no trace. */
static void test_rows_left_out(void **state)
{
    (void)state;
    struct batch *b = batch_new(true, 20780, 1), *one = batch_new(true, 20780, 1);
    struct buf encoded, some, alone;
    for (struct buf *const *o = (struct buf *const[]){&encoded, &some, &alone, NULL}; *o; o++) buf_init(*o, 1 << 20);
    memcpy(one->id, b->id, sizeof one->id);
    for (uint64_t n = 1; n <= 3; n++) {
        struct view_row r = full_row(n);
        struct batch_row known = {.id = r.id};
        buf_clear(&encoded);
        store_row_encode(&encoded, &r, b->id);
        batch_add(b, buf_span(&encoded), &known);
        if (n == 2) batch_add(one, buf_span(&encoded), &known);
    }
    batch_filter(b, (const bool[]){false, true, false});
    store_native_encode(&some, b);
    store_native_encode(&alone, one);
    assert_int_equal(some.len, alone.len);
    assert_memory_equal(some.ptr, alone.ptr, alone.len);
    for (struct buf *const *o = (struct buf *const[]){&encoded, &some, &alone, NULL}; *o; o++) buf_free(*o);
    batch_free(b);
    batch_free(one);
}

static void put_column(struct buf *out, const char *name, const char *type, const void *values, size_t bytes)
{
    buf_add_varint(out, strlen(name)), buf_adds(out, name);
    buf_add_varint(out, strlen(type)), buf_adds(out, type);
    buf_add(out, values, bytes);
}

static const char *const read_types[] = {"Int64", "UInt8", "LowCardinality(String)", "UInt16"};

/* A text column: its version, how wide the places are and that keys come along, the keys, and a place for every row. */
static void put_texts(struct buf *out)
{
    put_column(out, "t", "LowCardinality(String)", "", 0);
    buf_add_u64(out, 1), buf_add_u64(out, 1 | 1 << 9 | 1 << 10);
    buf_add_u64(out, 3);
    buf_add_varint(out, 0);
    buf_add_varint(out, 3), buf_adds(out, "two");
    buf_add_varint(out, 1), buf_add(out, "\0", 1);
    buf_add_u64(out, 2);
    buf_add_u16(out, 2), buf_add_u16(out, 1);
}

static void put_block(struct buf *out)
{
    buf_add_varint(out, COUNT(read_types)), buf_add_varint(out, 2);
    put_column(out, "w", "Int64", (const int64_t[]){-5, INT64_MAX}, 16);
    put_column(out, "a column with a longer name", "UInt8", "\1\377", 2);
    put_texts(out);
    put_column(out, "", "UInt16", (const uint16_t[]){300, 65535}, 4);
}

static void assert_span(struct span s, const void *bytes, size_t len)
{
    assert_int_equal(s.len, len);
    assert_memory_equal(s.ptr, bytes, len);
}

static void assert_block(const struct native_column *columns, size_t rows)
{
    assert_int_equal(rows, 2);
    assert_span(columns[0].values, ((const int64_t[]){-5, INT64_MAX}), 16);
    assert_span(columns[1].values, "\1\377", 2);
    assert_int_equal(columns[1].width, 1);
    assert_int_equal(columns[2].width, 2);
    assert_span(columns[2].values, ((const uint16_t[]){2, 1}), 4);
    assert_int_equal(columns[2].key_count, 3);
    struct span keys = columns[2].keys;
    assert_span(store_native_key(&keys), "", 0);
    assert_span(store_native_key(&keys), "two", 3);
    assert_span(store_native_key(&keys), "\0", 1);
    assert_int_equal(keys.len, 0);
    assert_span(columns[3].values, ((const uint16_t[]){300, 65535}), 4);
}

/* Two blocks that come byte by byte: each is read when its last byte is there, and not before it can be. */
static void test_read_in_pieces(void **state)
{
    (void)state;
    struct buf b;
    struct native_column columns[COUNT(read_types)];
    size_t rows, bytes, one, blocks = 0;
    buf_init(&b, 1 << 16);
    put_block(&b);
    one = b.len;
    put_block(&b);
    for (size_t from = 0, end = 0; end <= b.len; end++) {
        struct span in = span_make(b.ptr + from, end - from), before = in;
        enum native_read read = store_native_read(&in, read_types, COUNT(read_types), columns, &rows, &bytes);
        if (end != one && end != 2 * one) {
            assert_int_equal(read, NATIVE_SHORT);
            assert_true(bytes > before.len && bytes <= one);
            assert_ptr_equal(in.ptr, before.ptr);
            assert_int_equal(in.len, before.len);
            continue;
        }
        assert_int_equal(read, NATIVE_BLOCK);
        assert_block(columns, rows);
        assert_int_equal(in.len, 0);
        from = end;
        blocks++;
    }
    assert_int_equal(blocks, 2);
    buf_free(&b);
}

static void test_read_wrong(void **state)
{
    (void)state;
    static const char *const others[] = {"Int64", "UInt8", "LowCardinality(String)", "UInt64"};
    struct buf b;
    struct native_column columns[COUNT(read_types)];
    size_t rows, bytes;
    buf_init(&b, 1 << 16);
    put_block(&b);
    struct span in = buf_span(&b);
    assert_int_equal(store_native_read(&in, others, COUNT(others), columns, &rows, &bytes), NATIVE_WRONG);
    assert_int_equal(store_native_read(&in, read_types, 2, columns, &rows, &bytes), NATIVE_WRONG);
    assert_int_equal(in.len, b.len);
    buf_clear(&b);
    buf_add_varint(&b, COUNT(read_types)), buf_add_varint(&b, (uint64_t)1 << 60); /* rows beyond any memory */
    in = buf_span(&b);
    assert_int_equal(store_native_read(&in, read_types, COUNT(read_types), columns, &rows, &bytes), NATIVE_WRONG);
    buf_clear(&b);
    buf_add_varint(&b, UINT64_MAX), buf_add_varint(&b, 1); /* their sum is nothing */
    in = buf_span(&b);
    assert_int_equal(store_native_read(&in, read_types, COUNT(read_types), columns, &rows, &bytes), NATIVE_WRONG);
    buf_clear(&b);
    buf_add_varint(&b, 0), buf_add_varint(&b, 0); /* a result without rows */
    in = buf_span(&b);
    assert_int_equal(store_native_read(&in, read_types, COUNT(read_types), columns, &rows, &bytes), NATIVE_BLOCK);
    assert_int_equal(rows, 0);
    buf_free(&b);
}

/* A block of one text column of one row: what it begins with, a key "k" that says it is so long, and what follows. */
static enum native_read read_texts_of(uint64_t version, uint64_t flags, uint64_t keys, uint64_t key_len, uint64_t rows)
{
    static const char *const type[] = {"LowCardinality(String)"};
    struct native_column column;
    struct buf b;
    size_t height, bytes;
    buf_init(&b, 1 << 16);
    buf_add_varint(&b, 1), buf_add_varint(&b, 1);
    put_column(&b, "t", type[0], "", 0);
    buf_add_u64(&b, version), buf_add_u64(&b, flags), buf_add_u64(&b, keys);
    buf_add_varint(&b, key_len), buf_adds(&b, "k");
    buf_add_u64(&b, rows), buf_add_u8(&b, 0);
    struct span in = buf_span(&b);
    enum native_read read = store_native_read(&in, type, 1, &column, &height, &bytes);
    assert_true(read != NATIVE_SHORT || (bytes > b.len && bytes > key_len));
    buf_free(&b);
    return read;
}

static void test_texts_wrong(void **state)
{
    (void)state;
    assert_int_equal(read_texts_of(1, 1 << 9, 1, 1, 1), NATIVE_BLOCK);
    assert_int_equal(read_texts_of(2, 1 << 9, 1, 1, 1), NATIVE_WRONG);
    assert_int_equal(read_texts_of(1, 1 << 9 | 4, 1, 1, 1), NATIVE_WRONG);  /* places of 16 bytes */
    assert_int_equal(read_texts_of(1, 1 << 9 | 1 << 8, 1, 1, 1), NATIVE_WRONG); /* keys that came before */
    assert_int_equal(read_texts_of(1, 1 << 9, UINT64_MAX, 1, 1), NATIVE_WRONG);
    assert_int_equal(read_texts_of(1, 1 << 9, 1, 1, 2), NATIVE_WRONG);
    assert_int_equal(read_texts_of(1, 1 << 9 | 1, 1, 1, 1), NATIVE_SHORT);
}

static void test_key_too_long(void **state)
{
    (void)state;
    assert_int_equal(read_texts_of(1, 1 << 9, 1, NATIVE_BYTES_MAX, 1), NATIVE_SHORT);
    assert_int_equal(read_texts_of(1, 1 << 9, 1, NATIVE_BYTES_MAX + UINT64_C(1), 1), NATIVE_WRONG);
    assert_int_equal(read_texts_of(1, 1 << 9, 1, UINT64_MAX - 60, 1), NATIVE_WRONG);
    assert_int_equal(read_texts_of(1, 1 << 9, 1, UINT64_MAX, 1), NATIVE_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_block), cmocka_unit_test(test_rows_left_out),
                                       cmocka_unit_test(test_read_in_pieces), cmocka_unit_test(test_read_wrong),
                                       cmocka_unit_test(test_texts_wrong), cmocka_unit_test(test_key_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
