/* SPDX-License-Identifier: Apache-2.0
 * Whatever the bytes, the escaped text is one literal that reads back as the same bytes. The reader here follows
 * ClickHouse's rules for string literals and quoted identifiers. */
#include "store/escape.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int hex_of(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

static char plain_escape(char c)
{
    switch (c) {
    case '0': return 0;
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    default: return c;
    }
}

/* Reads the literal at the start; the number of bytes it takes, 0 when it does not end. */
static size_t read_literal(struct span sql, char quote, struct buf *out)
{
    if (sql.len < 2 || sql.ptr[0] != quote) return 0;
    for (size_t i = 1; i < sql.len; i++) {
        char c = sql.ptr[i];
        if (c == quote) {
            if (i + 1 < sql.len && sql.ptr[i + 1] == quote) return 0; /* a doubled quote would go on */
            return i + 1;
        }
        if (c != '\\') {
            buf_addc(out, c);
            continue;
        }
        if (++i >= sql.len) return 0;
        if (sql.ptr[i] == 'x') {
            int high = i + 1 < sql.len ? hex_of(sql.ptr[i + 1]) : -1,
                low = i + 2 < sql.len ? hex_of(sql.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) return 0;
            buf_addc(out, (char)(high * 16 + low));
            i += 2;
        } else {
            buf_addc(out, plain_escape(sql.ptr[i]));
        }
    }
    return 0;
}

static void check(struct span text, char quote, const struct buf *sql)
{
    struct buf back;
    buf_init(&back, 1 << 26);
    BUG_IF(sql->failed);
    for (size_t i = 0; i < sql->len; i++) BUG_IF((unsigned char)sql->ptr[i] < ' ' || sql->ptr[i] == 0x7f);
    BUG_IF(read_literal(buf_span(sql), quote, &back) != sql->len);
    BUG_IF(!span_eq(text, buf_span(&back)));
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_make(data, size);
    struct buf sql;
    buf_init(&sql, 1 << 26);
    store_escape_text(&sql, text);
    check(text, '\'', &sql);
    buf_clear(&sql);
    store_escape_identifier(&sql, text);
    check(text, '`', &sql);
    buf_free(&sql);
    return 0;
}
