/* SPDX-License-Identifier: Apache-2.0
 * A growing byte buffer with a maximum. After the maximum is passed it stays `failed` and keeps what it had,
 * so that a long piece of writing can be checked once at its end. Not thread-safe. */
#ifndef FF_BASE_BUF_H
#define FF_BASE_BUF_H

#include "base/base.h"

struct buf {
    char *ptr; /* always NUL-terminated once something was added; may be NULL before */
    size_t len, cap, max;
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_clear(struct buf *b); /* keeps the memory */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_addf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for len more bytes, to be written by the caller and then claimed with buf_claim. NULL when over the maximum. */
char *buf_room(struct buf *b, size_t len) MUST_USE;
void buf_claim(struct buf *b, size_t len);
/* Hands the bytes to the caller, who frees them with free(); the buffer is empty afterwards. */
char *buf_take(struct buf *b, size_t *len) MUST_USE;

static inline void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}
static inline void buf_adds(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}
static inline void buf_add_span(struct buf *b, struct span s)
{
    buf_add(b, s.ptr, s.len);
}
static inline struct span buf_span(const struct buf *b)
{
    return (struct span){b->ptr, b->len};
}

/* Little-endian and varint writers for the binary formats. */
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u16(struct buf *b, uint16_t v);
void buf_add_u32(struct buf *b, uint32_t v);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_varint(struct buf *b, uint64_t v); /* LEB128, as ClickHouse's RowBinary */

/* The reader of the same: ok turns false at the first read past the end and stays false. */
struct bytes {
    const uint8_t *ptr, *end;
    bool ok;
};
static inline struct bytes bytes_of(struct span s)
{
    return (struct bytes){(const uint8_t *)s.ptr, (const uint8_t *)s.ptr + s.len, true};
}
static inline size_t bytes_left(const struct bytes *r)
{
    return (size_t)(r->end - r->ptr);
}
uint8_t bytes_u8(struct bytes *r);
uint16_t bytes_u16(struct bytes *r);
uint32_t bytes_u32(struct bytes *r);
uint64_t bytes_u64(struct bytes *r);
uint64_t bytes_varint(struct bytes *r);
struct span bytes_span(struct bytes *r, size_t len);

#endif
