/* SPDX-License-Identifier: Apache-2.0
 * Percent-decoding of both kinds: queries write a blank as '+', paths do not. */
#ifndef FF_HTTP_ESCAPE_H
#define FF_HTTP_ESCAPE_H

#include "base/arena.h"

/* Decoded once, NUL-terminated, in arena; bad escapes are kept as they are. {NULL,0} when the arena is full. */
struct span http_unescape(struct span text, bool plus_is_blank, struct arena *arena) MUST_USE;

/* 0..15, or -1. */
static inline int http_hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

#endif
