/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_free(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr) b->ptr[0] = 0;
}

char *buf_room(struct buf *b, size_t len)
{
    if (b->failed || len > b->max || b->len > b->max - len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap < 128 ? 128 : b->cap;
        while (cap < need) cap += cap / 2 + 64;
        if (cap > b->max + 1) cap = b->max + 1;
        char *grown = realloc(b->ptr, cap);
        BUG_IF(grown == NULL);
        b->ptr = grown;
        b->cap = cap;
    }
    return b->ptr + b->len;
}

void buf_claim(struct buf *b, size_t len)
{
    BUG_IF(b->len + len >= b->cap);
    b->len += len;
    b->ptr[b->len] = 0;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *room = buf_room(b, len);
    if (room == NULL) return;
    if (len) memcpy(room, bytes, len);
    buf_claim(b, len);
}

void buf_addf(struct buf *b, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int need = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    BUG_IF(need < 0);
    size_t len = (size_t)need;
    if (len < sizeof small) {
        buf_add(b, small, len);
        return;
    }
    char *room = buf_room(b, len);
    if (room == NULL) return;
    va_start(args, format);
    (void)vsnprintf(room, len + 1, format, args);
    va_end(args);
    buf_claim(b, len);
}

char *buf_take(struct buf *b, size_t *len)
{
    char *room = buf_room(b, 0);
    BUG_IF(room == NULL && !b->failed);
    char *out = b->ptr;
    if (len) *len = b->len;
    if (out) out[b->len] = 0;
    *b = (struct buf){.max = b->max};
    return out;
}

void buf_add_u8(struct buf *b, uint8_t v)
{
    buf_add(b, &v, sizeof v);
}
void buf_add_u16(struct buf *b, uint16_t v)
{
    buf_add(b, &v, sizeof v);
}
void buf_add_u32(struct buf *b, uint32_t v)
{
    buf_add(b, &v, sizeof v);
}
void buf_add_u64(struct buf *b, uint64_t v)
{
    buf_add(b, &v, sizeof v);
}

void buf_add_varint(struct buf *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    buf_add(b, out, n);
}

static bool bytes_take(struct bytes *r, void *out, size_t len)
{
    if (!r->ok || bytes_left(r) < len) {
        r->ok = false;
        memset(out, 0, len);
        return false;
    }
    memcpy(out, r->ptr, len);
    r->ptr += len;
    return true;
}

uint8_t bytes_u8(struct bytes *r)
{
    uint8_t v;
    (void)bytes_take(r, &v, sizeof v);
    return v;
}
uint16_t bytes_u16(struct bytes *r)
{
    uint16_t v;
    (void)bytes_take(r, &v, sizeof v);
    return v;
}
uint32_t bytes_u32(struct bytes *r)
{
    uint32_t v;
    (void)bytes_take(r, &v, sizeof v);
    return v;
}
uint64_t bytes_u64(struct bytes *r)
{
    uint64_t v;
    (void)bytes_take(r, &v, sizeof v);
    return v;
}

uint64_t bytes_varint(struct bytes *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = bytes_u8(r);
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return r->ok ? v : 0;
    }
    r->ok = false;
    return 0;
}

struct span bytes_span(struct bytes *r, size_t len)
{
    if (!r->ok || bytes_left(r) < len) {
        r->ok = false;
        return (struct span){NULL, 0};
    }
    struct span s = {(const char *)r->ptr, len};
    r->ptr += len;
    return s;
}
