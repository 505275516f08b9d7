/* SPDX-License-Identifier: Apache-2.0 */
#include "store/escape.h"

/* Of the escapes, those that every version reads: \0 \b \t \n \f \r \\ \' and \xHH. Bytes from 0x80 on stand for
 * themselves, valid UTF-8 or not. */
static void escape_byte(struct buf *sql, unsigned char c, char quote)
{
    static const char hex[] = "0123456789ABCDEF";
    switch (c) {
    case 0: buf_add(sql, "\\0", 2); return;
    case '\b': buf_add(sql, "\\b", 2); return;
    case '\t': buf_add(sql, "\\t", 2); return;
    case '\n': buf_add(sql, "\\n", 2); return;
    case '\f': buf_add(sql, "\\f", 2); return;
    case '\r': buf_add(sql, "\\r", 2); return;
    default: break;
    }
    if (c < 0x20 || c == 0x7f) {
        const char out[4] = {'\\', 'x', hex[c >> 4], hex[c & 15]};
        buf_add(sql, out, sizeof out);
    } else {
        if (c == '\\' || c == (unsigned char)quote) buf_addc(sql, '\\');
        buf_addc(sql, (char)c);
    }
}

static bool byte_is_plain(unsigned char c, char quote)
{
    return c >= 0x20 && c != 0x7f && c != '\\' && c != (unsigned char)quote;
}

static void escape_bytes(struct buf *sql, struct span text, char quote)
{
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (byte_is_plain((unsigned char)text.ptr[i], quote)) continue;
        buf_add(sql, text.ptr + from, i - from);
        escape_byte(sql, (unsigned char)text.ptr[i], quote);
        from = i + 1;
    }
    if (from < text.len) buf_add(sql, text.ptr + from, text.len - from);
}

void store_escape_text(struct buf *sql, struct span text)
{
    buf_addc(sql, '\'');
    escape_bytes(sql, text, '\'');
    buf_addc(sql, '\'');
}

void store_escape_identifier(struct buf *sql, struct span name)
{
    buf_addc(sql, '`');
    escape_bytes(sql, name, '`');
    buf_addc(sql, '`');
}
