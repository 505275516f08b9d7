/* SPDX-License-Identifier: Apache-2.0 */
#include "store/native.h"

#include <stdlib.h>

#include "store/result.h"
#include "store/schema.h"

/* How a column travels. */
struct wire {
    struct span type;
    bool nullable, array;
    size_t width; /* of a value, bytes; 0: texts */
};

static bool unwrap(struct span *type, struct span outer)
{
    if (!span_starts(*type, outer)) return false;
    *type = span_make(type->ptr + outer.len, type->len - outer.len - 1);
    return true;
}

static size_t width_of(struct span type)
{
    static const struct {
        const char *name;
        size_t width;
    } types[] = {{"String", 0}, {"UInt8", 1}, {"UInt16", 2}, {"Int32", 4},
                 {"UInt32", 4}, {"Int64", 8}, {"UInt64", 8}, {"Float64", 8}};
    size_t i = 0;
    while (i < COUNT(types) && !span_is(type, types[i].name)) i++;
    BUG_IF(i == COUNT(types));
    return types[i].width;
}

static struct wire wire_of(const char *declared)
{
    struct wire w = {.type = span_of(declared)};
    (void)unwrap(&w.type, SPAN("LowCardinality("));
    struct span inner = w.type;
    w.nullable = unwrap(&inner, SPAN("Nullable("));
    w.array = !w.nullable && unwrap(&inner, SPAN("Array("));
    w.width = width_of(inner);
    return w;
}

static void put_text(struct buf *out, struct span s)
{
    buf_add_varint(out, s.len);
    if (s.len) buf_add_span(out, s);
}

static void copy_value(struct buf *out, struct bytes *row, size_t width)
{
    if (width) buf_add_span(out, bytes_span(row, width));
    else put_text(out, bytes_span(row, bytes_varint(row)));
}

static void put_values(struct buf *out, struct bytes *rows, size_t n, size_t width)
{
    for (size_t i = 0; i < n; i++) copy_value(out, &rows[i], width);
}

static void put_nullable(struct buf *out, struct bytes *rows, size_t n, size_t width)
{
    static const char none[8];
    char *nulls = buf_room(out, n);
    BUG_IF(nulls == NULL);
    for (size_t i = 0; i < n; i++) nulls[i] = (char)bytes_u8(&rows[i]);
    size_t at = out->len;
    buf_claim(out, n);
    for (size_t i = 0; i < n; i++) {
        if (out->ptr[at + i] == 0) copy_value(out, &rows[i], width);
        else buf_add(out, none, width ? width : 1);
    }
}

/* counts: room for n. */
static void put_arrays(struct buf *out, struct bytes *rows, size_t n, size_t width, uint64_t *counts)
{
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        counts[i] = bytes_varint(&rows[i]);
        end += counts[i];
        buf_add_u64(out, end);
    }
    for (size_t i = 0; i < n; i++) {
        if (width) buf_add_span(out, bytes_span(&rows[i], counts[i] * width));
        else
            for (uint64_t k = 0; k < counts[i]; k++) copy_value(out, &rows[i], width);
    }
}

void store_native_encode(struct buf *out, const struct batch *b)
{
    struct bytes *rows = malloc(b->n * sizeof *rows);
    uint64_t *counts = malloc(b->n * sizeof *counts);
    BUG_IF(b->n == 0 || rows == NULL || counts == NULL);
    for (size_t i = 0; i < b->n; i++) rows[i] = bytes_of(span_make(b->bytes.ptr + b->rows[i].at, b->rows[i].len));
    buf_add_varint(out, store_column_count());
    buf_add_varint(out, b->n);
    for (size_t i = 0; i < store_column_count(); i++) {
        const struct store_column *c = store_column_at(i);
        struct wire w = wire_of(c->type);
        put_text(out, span_of(c->name));
        put_text(out, w.type);
        if (w.nullable) put_nullable(out, rows, b->n, w.width);
        else if (w.array) put_arrays(out, rows, b->n, w.width, counts);
        else put_values(out, rows, b->n, w.width);
    }
    for (size_t i = 0; i < b->n; i++) BUG_IF(!rows[i].ok || bytes_left(&rows[i]) != 0);
    free(rows);
    free(counts);
}

/* -- reading -- */

/* What a text column begins with: its version, and what its places are and which keys come along (flags). */
enum { TEXTS_VERSION = 1, TEXTS_WIDTH = 0xff, TEXTS_KEYS = 1 << 9, TEXTS_FLAGS = TEXTS_WIDTH | TEXTS_KEYS | 1 << 10 };

struct reading {
    struct bytes in;
    size_t missing; /* so many bytes more are needed at least, where it is known */
    bool wrong;     /* more than any block has */
};

static struct span take(struct reading *r, uint64_t len)
{
    size_t left = bytes_left(&r->in);
    r->wrong = r->wrong || (r->in.ok && len > NATIVE_BYTES_MAX);
    if (r->in.ok && len > left && !r->wrong) r->missing = len - left;
    return bytes_span(&r->in, len);
}

static bool read_texts(struct reading *r, struct native_column *c, size_t rows)
{
    uint64_t version = bytes_u64(&r->in), flags = bytes_u64(&r->in);
    uint64_t keys = flags & TEXTS_KEYS ? bytes_u64(&r->in) : 0;
    if (!r->in.ok) return true;
    if (version != TEXTS_VERSION || flags & ~(uint64_t)TEXTS_FLAGS || (flags & TEXTS_WIDTH) > 3 ||
        keys > NATIVE_ROWS_MAX)
        return false;
    c->width = 1u << (flags & TEXTS_WIDTH);
    c->key_count = keys;
    c->keys.ptr = (const char *)r->in.ptr;
    for (uint64_t i = 0; r->in.ok && i < keys; i++) (void)take(r, bytes_varint(&r->in));
    c->keys.len = (size_t)((const char *)r->in.ptr - c->keys.ptr);
    if (r->in.ok && bytes_u64(&r->in) != rows && r->in.ok) return false;
    c->values = take(r, rows * c->width);
    return true;
}

static bool read_column(struct reading *r, const char *type, struct native_column *c, size_t rows)
{
    (void)rb_text(&r->in); /* the name */
    struct span told = rb_text(&r->in);
    if (!r->in.ok) return true;
    if (!span_is(told, type)) return false;
    *c = (struct native_column){.width = 0};
    if (rows == 0) return true;
    if (span_is(told, "LowCardinality(String)")) return read_texts(r, c, rows);
    c->width = (unsigned)width_of(told);
    c->values = take(r, rows * c->width);
    return true;
}

enum native_read store_native_read(struct span *whole, const char *const *types, size_t count,
                                   struct native_column *columns, size_t *rows, size_t *bytes)
{
    struct reading r = {.in = bytes_of(*whole)};
    uint64_t n = bytes_varint(&r.in), height = bytes_varint(&r.in);
    *bytes = whole->len + 1;
    if (!r.in.ok) return NATIVE_SHORT;
    /* A result without any row may be a block without columns. */
    if ((n != count && (n != 0 || height != 0)) || height > NATIVE_ROWS_MAX) return NATIVE_WRONG;
    for (size_t i = 0; i < n; i++) {
        if (!read_column(&r, types[i], &columns[i], height) || r.wrong) return NATIVE_WRONG;
        if (r.in.ok) continue;
        if (r.missing) *bytes = whole->len + r.missing;
        return NATIVE_SHORT;
    }
    *rows = height;
    *whole = span_from(*whole, whole->len - bytes_left(&r.in));
    return NATIVE_BLOCK;
}

struct span store_native_key(struct span *keys)
{
    struct bytes in = bytes_of(*keys);
    struct span key = rb_text(&in);
    *keys = span_from(*keys, keys->len - bytes_left(&in));
    return key;
}
