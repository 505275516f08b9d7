/* SPDX-License-Identifier: Apache-2.0
 *
 * Borrowed text (span) and bounded growing text (buf). */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Not terminated, not owned. */
struct span {
    const char *ptr;
    size_t len;
};

/* Text that grows up to a maximum. Running out (of the maximum or of memory) is remembered in
 * `full` and nothing more is added, so that callers check once, at the end. `data` is NULL until
 * the first byte. */
struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max;
    bool full;
};

struct span span_of(const char *text);
struct span buf_span(const struct buf *b);
bool span_is(struct span s, const char *word); /* ASCII case does not count */

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empty again, memory kept */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_text(struct buf *b, const char *text);

/* `text` between two `quote` characters, with backslashes and the quote itself escaped by a
 * backslash: an SQL string (') or identifier (`). */
void buf_add_quoted(struct buf *b, char quote, struct span text);

#endif
