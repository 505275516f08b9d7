/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void bug_report(const char *file, int line, const char *what)
{
    fprintf(stderr, "bug: %s:%d: %s\n", file, line, what);
    abort();
}

const char *err_name(enum err e)
{
    switch (e) {
    case ERR_NONE: return "none";
    case ERR_IO: return "io";
    case ERR_FULL: return "full";
    case ERR_UNAVAILABLE: return "unavailable";
    case ERR_REFUSED: return "refused";
    case ERR_CORRUPT: return "corrupt";
    case ERR_TIMEOUT: return "timeout";
    case ERR_CLOSED: return "closed";
    }
    return "unknown";
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool span_eq_nocase(struct span a, struct span b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
    return true;
}

bool span_starts(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

bool span_ends(struct span s, struct span suffix)
{
    return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

ptrdiff_t span_find(struct span s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? at - s.ptr : -1;
}

ptrdiff_t span_find_span(struct span s, struct span needle)
{
    if (needle.len == 0) return 0;
    const char *at = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0])) s.ptr++, s.len--;
    while (s.len && is_blank(s.ptr[s.len - 1])) s.len--;
    return s;
}

bool span_to_i64(struct span s, int64_t *out)
{
    bool negative = false;
    size_t i = 0;
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) negative = s.ptr[0] == '-', i = 1;
    if (i == s.len) return false;
    uint64_t value = 0;
    const uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
        uint64_t digit = (uint64_t)(s.ptr[i] - '0');
        if (value > (limit - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool span_to_double(struct span s, double *out)
{
    char text[64];
    if (s.len == 0 || s.len >= sizeof text) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool allowed = (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
        if (!allowed) return false;
        text[i] = c;
    }
    text[s.len] = 0;
    char *end = NULL;
    double value = strtod(text, &end);
    if (end != text + s.len || !isfinite(value)) return false;
    *out = value;
    return true;
}

int span_compare(struct span a, struct span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order) return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

struct span span_cut_utf8(struct span s, size_t max)
{
    if (s.len <= max) return s;
    size_t len = max;
    while (len > 0 && ((unsigned char)s.ptr[len] & 0xC0) == 0x80) len--;
    return (struct span){s.ptr, len};
}
