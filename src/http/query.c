/* SPDX-License-Identifier: Apache-2.0 */
#include "http/escape.h"
#include "http/server.h"

struct span http_unescape(struct span text, bool plus_is_blank, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len + 1);
    if (out == NULL) return (struct span){NULL, 0};
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && text.len - i > 2) {
            int high = http_hex_value(text.ptr[i + 1]), low = http_hex_value(text.ptr[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = 0;
    return (struct span){out, len};
}

struct span http_query_decode(struct span text, struct arena *arena)
{
    return http_unescape(text, true, arena);
}

bool http_query_next(struct span *rest, struct span *name, struct span *value)
{
    while (rest->len > 0) {
        ptrdiff_t amp = span_find(*rest, '&');
        struct span pair = amp < 0 ? *rest : span_upto(*rest, (size_t)amp);
        *rest = span_from(*rest, pair.len + 1);
        if (pair.len == 0) continue;
        ptrdiff_t equals = span_find(pair, '=');
        *name = equals < 0 ? pair : span_upto(pair, (size_t)equals);
        *value = span_from(pair, name->len + 1);
        return true;
    }
    return false;
}
