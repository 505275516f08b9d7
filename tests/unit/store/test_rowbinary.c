/* SPDX-License-Identifier: Apache-2.0
 * The row encoder against bytes written by hand, and against the readers. */
#include "rows.h"
#include "store/result.h"
#include "store/rowbinary.h"
#include "store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char batch_id[] = "0123456789abcdef0123456789abcdef";

/* The fixed columns of a row with simple values. */
static const uint8_t fixed[] = {
    32,   '0',  '1',  '2',  '3',  '4',  '5',  '6',  '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    '0',  '1',  '2',  '3',  '4',  '5',  '6',  '7',  '8', '9', 'a', 'b', 'c', 'd', 'e', 'f', /* batch_id */
    3,    'e',  'n',  'v',                                                                  /* environment_id */
    0x07, 0,    0,    0,    0,    0,    0,    0,                                            /* property_id */
    0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,                                         /* id_hi */
    0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,                                         /* id_lo */
    0x02, 0x01, 0,    0,                                                                    /* version */
    1,    0,                                                                                /* final, had_pending */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,                                         /* view_start */
    0x00, 0xe4, 0x0b, 0x54, 0x02, 0,    0,    0,                                            /* view_end */
    1,    0,    0,    0,    0,    0,    0,    0,    2,   0,   0,   0,   0,   0,   0,   0, /* inserted_at, updated_at */
};

static struct view_row simple_row(void)
{
    struct view_row r = {.environment_id = "env",
                         .property_id = 7,
                         .version = 0x102,
                         .final = true,
                         .view_start_ms = -1,
                         .view_end_ms = INT64_C(10000000000),
                         .inserted_ms = 1,
                         .updated_ms = 2};
    r.id = (struct hash128){.hi = 0x0102030405060708, .lo = 0x1112131415161718};
    return r;
}

static void test_fixed_columns(void **state)
{
    (void)state;
    struct view_row r = simple_row();
    struct buf out;
    buf_init(&out, 1 << 20);
    store_row_encode(&out, &r, batch_id);
    assert_true(out.len > sizeof fixed);
    assert_memory_equal(out.ptr, fixed, sizeof fixed);
    assert_memory_equal(out.ptr + STORE_BATCH_ID_AT, batch_id, STORE_BATCH_ID_BYTES);
    buf_free(&out);
}

/* What each kind makes of nothing. */
#define EMPTY_LC 1
#define EMPTY_STR 1
#define EMPTY_I32 1
#define EMPTY_I64 1
#define EMPTY_F64 1
#define EMPTY_NBOOL 1
#define EMPTY_BOOL 0
#define EMPTY_ASTR 0
#define EMPTY_AI64 0
#define EMPTY_AF64 0

static void test_empty_row(void **state)
{
    (void)state;
    static const uint8_t rest[] = {
#define COL(name, kind, key, form, meaning) EMPTY_##kind,
#include "views/columns.def"
#undef COL
    };
    struct view_row r = simple_row();
    struct buf out;
    buf_init(&out, 1 << 20);
    store_row_encode(&out, &r, batch_id);
    assert_int_equal(out.len, sizeof fixed + sizeof rest);
    assert_memory_equal(out.ptr + sizeof fixed, rest, sizeof rest);
    buf_free(&out);
}

static const uint8_t *find(const struct buf *out, const void *bytes, size_t len)
{
    return memmem(out->ptr, out->len, bytes, len);
}

static void test_values(void **state)
{
    (void)state;
    struct view_row r = simple_row();
    r.country = SPAN("NL");
    r.country_name = SPAN("");
    r.video_startup_time = (struct opt_i64){0x01020304, true};
    r.player_startup_time = (struct opt_i64){INT64_C(1) << 40, true}; /* no Int32 */
    r.view_dropped = (struct opt_i64){1, true};
    struct span names[] = {SPAN("play"), SPAN(""), SPAN("a\0b")};
    r.event_names = (struct list_text){names, 3};
    int64_t numbers[] = {-2, 5};
    r.event_sequences = (struct list_i64){numbers, 2};
    double fps[] = {-1.0};
    r.rendition_fps = (struct list_f64){fps, 1};
    struct buf out;
    buf_init(&out, 1 << 20);
    store_row_encode(&out, &r, batch_id);
    static const uint8_t country[] = {0, 2, 'N', 'L', 1};
    static const uint8_t startup[] = {0, 4, 3, 2, 1, 1};
    static const uint8_t events[] = {3,    4,    'p',  'l',  'a',  'y', 0, 3, 'a', 0, 'b', 2, 0xfe, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 5,   0, 0, 0,   0, 0,   0, 0,    0};
    static const uint8_t rates[] = {1, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf, 0};
    assert_non_null(find(&out, country, sizeof country));
    assert_non_null(find(&out, startup, sizeof startup));
    assert_non_null(find(&out, events, sizeof events));
    assert_non_null(find(&out, rates, sizeof rates));
    buf_free(&out);
}

static void test_readers(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    buf_add_u8(&out, 0);
    buf_add_varint(&out, 2);
    buf_adds(&out, "ab");
    buf_add_u8(&out, 1);
    buf_add_u8(&out, 0);
    buf_add_varint(&out, 0);
    buf_add_u64(&out, 0x3ff8000000000000); /* 1.5 */
    buf_add_u8(&out, 1);
    buf_add_varint(&out, 1000000); /* an array that cannot be there */
    struct bytes in = bytes_of(buf_span(&out));
    assert_true(span_is(rb_nullable_text(&in), "ab"));
    assert_null(rb_nullable_text(&in).ptr);
    struct span empty = rb_nullable_text(&in);
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_true(rb_f64(&in) == 1.5);
    int64_t v = 9;
    assert_false(rb_nullable_i64(&in, &v));
    assert_int_equal(v, 0);
    assert_true(in.ok);
    assert_int_equal(rb_array(&in, 8), 0);
    assert_false(in.ok);
    in = bytes_of(SPAN("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"));
    (void)rb_text(&in);
    assert_false(in.ok);
    buf_free(&out);
}

static void test_columns_match_encoder(void **state)
{
    (void)state;
    static const char *const first[] = {"batch_id",    "environment_id", "property_id", "id_hi",      "id_lo",
                                        "version",     "final",          "had_pending", "view_start", "view_end",
                                        "inserted_at", "updated_at",     "view_id"};
    for (size_t i = 0; i < COUNT(first); i++) assert_string_equal(store_column_at(i)->name, first[i]);
    static const char *const rest[] = {
#define COL(column, kind, key, form, meaning) #column,
#include "views/columns.def"
#undef COL
    };
    assert_int_equal(store_column_count(), 12 + COUNT(rest));
    for (size_t i = 0; i < COUNT(rest); i++) assert_string_equal(store_column_at(12 + i)->name, rest[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed_columns), cmocka_unit_test(test_empty_row),
                                       cmocka_unit_test(test_values), cmocka_unit_test(test_readers),
                                       cmocka_unit_test(test_columns_match_encoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
