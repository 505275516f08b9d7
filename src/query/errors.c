/* SPDX-License-Identifier: Apache-2.0 */
#include "query/errors.h"

#include "store/read.h"
#include "store/result.h"

#include <stdlib.h>

enum { SQL_BYTES_MAX = 1024 * 1024, ROWS_BYTES_MAX = 64 * 1024 * 1024 };

static int error_compare(const void *x, const void *y)
{
    const struct error_row *a = x, *b = y;
    if (a->views != b->views) return a->views > b->views ? -1 : 1;
    if (a->last_seen_ms != b->last_seen_ms) return a->last_seen_ms > b->last_seen_ms ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static enum err rows_read(struct query *q, struct span rows, struct error_row **out, size_t *count, int64_t *all_views)
{
    size_t room = 64, n = 0;
    struct error_row *list = arena_alloc(q->arena, room * sizeof *list);
    struct bytes in = bytes_of(rows);
    while (list && bytes_left(&in)) {
        if (n == room) {
            struct error_row *grown = arena_alloc(q->arena, 2 * room * sizeof *grown);
            if (grown == NULL) return ERR_FULL;
            memcpy(grown, list, n * sizeof *grown);
            list = grown;
            room *= 2;
        }
        struct error_row *row = &list[n];
        bool none = !rb_nullable_i64(&in, &row->id);
        struct span code = rb_nullable_text(&in), message = rb_nullable_text(&in);
        row->views = rb_i64(&in);
        row->last_seen_ms = rb_i64(&in);
        if (!in.ok) return ERR_CORRUPT;
        *all_views += row->views;
        if (none) continue;
        row->code = code.ptr ? arena_copy(q->arena, code) : code;
        row->message = message.ptr ? arena_copy(q->arena, message) : message;
        n++;
    }
    if (list == NULL) return ERR_FULL;
    qsort(list, n, sizeof *list, error_compare);
    *out = list;
    *count = n;
    return ERR_NONE;
}

enum err query_errors(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, struct error_row **out, size_t *count, int64_t *all_views)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    *all_views = 0;
    question_where(&where, environment_id, window, CLOCK_END, filters);
    buf_adds(&sql, "SELECT CAST(id AS Nullable(Int64)), if(isNull(id), NULL, any(code)), if(isNull(id), NULL, any(message)), "
                   "toInt64(count()), toInt64(max(seen)) FROM ");
    store_views_from(&sql, q->store,
                     "error_type_id AS id, CAST(player_error_code AS Nullable(String)) AS code, "
                     "CAST(player_error_message AS Nullable(String)) AS message, ifNull(error_last_seen, 0) AS seen",
                     buf_span(&where));
    buf_adds(&sql, " GROUP BY id");
    enum err e = sql.failed || where.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    if (e == ERR_NONE) e = rows_read(q, buf_span(&rows), out, count, all_views);
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}
