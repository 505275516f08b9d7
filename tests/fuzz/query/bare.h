/* SPDX-License-Identifier: Apache-2.0
 * What both fuzz targets ask of a statement: every text is inside a literal that ends, and outside of literals stands
 * nothing that only a client could have written. */
#ifndef FF_FUZZ_BARE_H
#define FF_FUZZ_BARE_H

#include "base/buf.h"

#include <stdlib.h>

static inline void require(bool holds)
{
    if (!holds) abort();
}

static inline void check_statement(const struct buf *sql)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ (),.=<>!+-*/[]%";
    bool quoted = false;
    char before = 0;
    long depth = 0;
    for (size_t i = 0; i < sql->len; i++) {
        char c = sql->ptr[i];
        if (quoted) {
            if (c == '\\') i++;
            else if (c == '\'') quoted = false;
            continue;
        }
        if (c == '\'') {
            quoted = true;
            before = 0;
            continue;
        }
        require(c != 0 && strchr(plain, c) != NULL);
        require(!(c == '-' && before == '-') && !(c == '*' && before == '/') && !(c == '/' && before == '*'));
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        require(depth >= 0);
        before = c;
    }
    require(!quoted && depth == 0);
}

#endif
