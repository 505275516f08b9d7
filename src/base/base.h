/* SPDX-License-Identifier: Apache-2.0
 * The few words every file uses: result codes, checks, and the borrowed byte span. */
#ifndef FF_BASE_BASE_H
#define FF_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A bug, not bad input: prints where and aborts, in release builds too. */
#define BUG_IF(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!!(condition), 0)) bug_report(__FILE__, __LINE__, #condition);                            \
    } while (0)
void bug_report(const char *file, int line, const char *what) __attribute__((noreturn));

/* The world failed (disk, peer, child). Bad input is never an err: it has its own closed table where it is read. */
enum err {
    ERR_NONE = 0,
    ERR_IO,          /* errno tells */
    ERR_FULL,        /* a bound was reached; try again later */
    ERR_UNAVAILABLE, /* the peer does not answer */
    ERR_REFUSED,     /* the peer answered no */
    ERR_CORRUPT,     /* bytes on disk are not what was written */
    ERR_TIMEOUT,
    ERR_CLOSED,
};
const char *err_name(enum err e);

/* Bytes somebody else owns; valid for the call unless a comment says longer. ptr may be NULL when len is 0. */
struct span {
    const char *ptr;
    size_t len;
};
#define SPAN(literal) ((struct span){(literal), sizeof(literal) - 1})
#define SPAN_ARG(s) (int)(s).len, (s).ptr /* for %.*s */

static inline struct span span_of(const char *text)
{
    return (struct span){text, text ? strlen(text) : 0};
}
static inline struct span span_make(const void *ptr, size_t len)
{
    return (struct span){(const char *)ptr, len};
}
static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool span_is(struct span a, const char *text)
{
    return span_eq(a, span_of(text));
}
static inline struct span span_from(struct span s, size_t at)
{
    if (s.len == 0) return s; /* no sum with a NULL ptr */
    return at >= s.len ? (struct span){s.ptr + s.len, 0} : (struct span){s.ptr + at, s.len - at};
}
static inline struct span span_upto(struct span s, size_t len)
{
    return (struct span){s.ptr, len < s.len ? len : s.len};
}
bool span_eq_nocase(struct span a, struct span b); /* ASCII */
bool span_starts(struct span s, struct span prefix);
bool span_ends(struct span s, struct span suffix);
/* Position of the first c, or -1. */
ptrdiff_t span_find(struct span s, char c);
/* Position of the first needle, or -1. */
ptrdiff_t span_find_span(struct span s, struct span needle);
struct span span_trim(struct span s); /* ASCII blanks at both ends */
/* Whole span is one decimal integer (optional sign) that fits. */
bool span_to_i64(struct span s, int64_t *out) MUST_USE;
/* Whole span is one finite JSON-style decimal number. */
bool span_to_double(struct span s, double *out) MUST_USE;
int span_compare(struct span a, struct span b); /* by bytes, as memcmp; shorter first */
/* Cuts at max bytes on a UTF-8 character boundary. */
struct span span_cut_utf8(struct span s, size_t max);

#endif
