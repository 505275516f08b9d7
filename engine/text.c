/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct span span_of(const char *text)
{
    return (struct span){.ptr = text, .len = strlen(text)};
}

struct span buf_span(const struct buf *b)
{
    return (struct span){.ptr = b->len > 0 ? b->data : "", .len = b->len};
}

bool span_is(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->full = false;
}

static bool buf_grow(struct buf *b, size_t need)
{
    if (need <= b->cap) {
        return true;
    }
    size_t cap = b->cap < 256 ? 256 : b->cap;
    while (cap < need) {
        cap *= 2;
    }
    char *data = realloc(b->data, cap);
    if (data == NULL) {
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || b->full) {
        return;
    }
    if (len > b->max - b->len || !buf_grow(b, b->len + len)) {
        b->full = true;
        return;
    }
    memcpy(b->data + b->len, bytes, len);
    b->len += len;
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_quoted(struct buf *b, char quote, struct span text)
{
    buf_add(b, &quote, 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote || text.ptr[i] == '\\') {
            buf_add(b, "\\", 1);
        }
        buf_add(b, text.ptr + i, 1);
    }
    buf_add(b, &quote, 1);
}
