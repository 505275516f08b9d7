/* SPDX-License-Identifier: Apache-2.0 */
#include "store/rowbinary.h"

static void put_text(struct buf *out, struct span s)
{
    buf_add_varint(out, s.len);
    if (s.len) buf_add_span(out, s);
}

static void put_nullable_text(struct buf *out, struct span s)
{
    bool null = s.ptr == NULL || s.len == 0;
    buf_add_u8(out, null);
    if (!null) put_text(out, s);
}

static void put_f64_bits(struct buf *out, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    buf_add_u64(out, bits);
}

/* One a kind of columns.def. */
static void put_LC(struct buf *out, struct span s)
{
    put_nullable_text(out, s);
}
static void put_STR(struct buf *out, struct span s)
{
    put_nullable_text(out, s);
}
static void put_I32(struct buf *out, struct opt_i64 v)
{
    bool null = !v.set || v.v < INT32_MIN || v.v > INT32_MAX;
    buf_add_u8(out, null);
    if (!null) buf_add_u32(out, (uint32_t)(int32_t)v.v);
}
static void put_I64(struct buf *out, struct opt_i64 v)
{
    buf_add_u8(out, !v.set);
    if (v.set) buf_add_u64(out, (uint64_t)v.v);
}
static void put_F64(struct buf *out, struct opt_f64 v)
{
    buf_add_u8(out, !v.set);
    if (v.set) put_f64_bits(out, v.v);
}
static void put_BOOL(struct buf *out, bool v)
{
    buf_add_u8(out, v);
}
static void put_NBOOL(struct buf *out, struct opt_i64 v)
{
    buf_add_u8(out, !v.set);
    if (v.set) buf_add_u8(out, v.v != 0);
}
static void put_ASTR(struct buf *out, struct list_text list)
{
    buf_add_varint(out, list.n);
    for (size_t i = 0; i < list.n; i++) put_text(out, list.items[i]);
}
static void put_AI64(struct buf *out, struct list_i64 list)
{
    buf_add_varint(out, list.n);
    for (size_t i = 0; i < list.n; i++) buf_add_u64(out, (uint64_t)list.items[i]);
}
static void put_AF64(struct buf *out, struct list_f64 list)
{
    buf_add_varint(out, list.n);
    for (size_t i = 0; i < list.n; i++) put_f64_bits(out, list.items[i]);
}

void store_row_encode(struct buf *out, const struct view_row *row, const char batch_id[STORE_BATCH_ID_BYTES])
{
    put_text(out, span_make(batch_id, STORE_BATCH_ID_BYTES));
    put_text(out, span_make(row->environment_id, strnlen(row->environment_id, sizeof row->environment_id)));
    buf_add_u64(out, (uint64_t)row->property_id);
    buf_add_u64(out, row->id.hi);
    buf_add_u64(out, row->id.lo);
    buf_add_u32(out, row->version);
    buf_add_u8(out, row->final);
    buf_add_u8(out, row->had_pending);
    buf_add_u64(out, (uint64_t)row->view_start_ms);
    buf_add_u64(out, (uint64_t)row->view_end_ms);
    buf_add_u64(out, (uint64_t)row->inserted_ms);
    buf_add_u64(out, (uint64_t)row->updated_ms);
#define COL(name, kind, rest, form, meaning) put_##kind(out, row->name);
#include "views/columns.def"
#undef COL
}
