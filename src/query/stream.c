/* SPDX-License-Identifier: Apache-2.0 */
#include "query/stream.h"

struct stream {
    struct buf waiting; /* the beginning of a row */
    query_row *row;
    void *ctx;
    bool stopped;
};

/* Hands over every whole row of what waits; the rest stays. */
static bool rows_take(struct stream *s)
{
    struct span left = buf_span(&s->waiting);
    while (left.len) {
        struct bytes in = bytes_of(left);
        bool more = s->row(s->ctx, &in);
        if (!in.ok) break;
        size_t used = left.len - bytes_left(&in);
        BUG_IF(used == 0);
        left = span_from(left, used);
        if (!more) {
            s->stopped = true;
            return false;
        }
    }
    if (left.len) memmove(s->waiting.ptr, left.ptr, left.len);
    s->waiting.len = left.len;
    return true;
}

static bool piece_take(void *ctx, struct span piece)
{
    struct stream *s = ctx;
    buf_add_span(&s->waiting, piece);
    return !s->waiting.failed && rows_take(s);
}

enum err query_stream(struct query *q, struct span sql, const struct store_limits *limits, query_row *row, void *ctx)
{
    struct stream s = {.row = row, .ctx = ctx};
    buf_init(&s.waiting, STREAM_ROW_BYTES_MAX);
    enum err e = store_select_to(q->store, sql, limits, "RowBinary", piece_take, &s, &q->error);
    if (e == ERR_NONE && s.waiting.len) e = ERR_CORRUPT;
    if (e == ERR_CLOSED && s.waiting.failed) e = ERR_FULL;
    buf_free(&s.waiting);
    return e;
}
