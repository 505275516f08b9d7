/* SPDX-License-Identifier: Apache-2.0 */
#include "query/errors.h"

#include "store/escape.h"
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
    *all_views = 0;
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
        if ((code.ptr && row->code.ptr == NULL) || (message.ptr && row->message.ptr == NULL)) return ERR_FULL;
        n++;
    }
    if (list == NULL) return ERR_FULL;
    qsort(list, n, sizeof *list, error_compare);
    *out = list;
    *count = n;
    return ERR_NONE;
}

/* All rows of the environment's views in the window are looked at, so that all columns are read at once. */
static enum err ask(struct query *q, struct buf *sql, struct buf *rows)
{
    static const struct store_limits limits = {.most_rows = true};
    return sql->failed ? ERR_FULL : store_select_as(q->store, buf_span(sql), &limits, "RowBinary", rows, &q->error);
}

enum err query_errors(struct query *q, const char *environment_id, const struct window *window,
                      const struct filters *filters, struct error_row **out, size_t *count, int64_t *all_views)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    question_where(&where, environment_id, window, CLOCK_END, filters);
    buf_adds(&sql,
             "SELECT CAST(id AS Nullable(Int64)), any(code), any(message), toInt64(count()), toInt64(max(seen)) FROM ");
    store_views_from(&sql, q->store,
                     "error_type_id AS id, CAST(player_error_code AS Nullable(String)) AS code, "
                     "CAST(player_error_message AS Nullable(String)) AS message, ifNull(error_last_seen, 0) AS seen",
                     buf_span(&where));
    buf_adds(&sql, " GROUP BY id");
    enum err e = where.failed ? ERR_FULL : ask(q, &sql, &rows);
    if (e == ERR_NONE) e = rows_read(q, buf_span(&rows), out, count, all_views);
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}

enum err query_error_views(struct query *q, const char *environment_id, const struct window *window,
                           const struct filters *filters, struct error_row *error, int64_t *all_views)
{
    struct buf sql, where, columns, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&columns, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    question_where(&where, environment_id, window, CLOCK_END, filters);
    buf_adds(&sql, "SELECT toInt64(count()), toInt64(sum(its)), toInt64(max(if(its = 1, seen, 0))) FROM ");
    buf_addf(&columns, "ifNull(error_type_id = %lld, 0) AS its, ifNull(error_last_seen, 0) AS seen",
             (long long)error->id);
    store_views_from(&sql, q->store, columns.ptr, buf_span(&where));
    buf_free(&columns);
    enum err e = where.failed ? ERR_FULL : ask(q, &sql, &rows);
    struct bytes in = bytes_of(buf_span(&rows));
    if (e == ERR_NONE) {
        *all_views = rb_i64(&in);
        error->views = rb_i64(&in);
        error->last_seen_ms = rb_i64(&in);
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}

/* "" in the stored lists is none. */
static struct span text_or_none(struct arena *arena, struct span s)
{
    return s.len ? arena_copy(arena, s) : (struct span){NULL, 0};
}

enum err query_error_find(struct query *q, const char *environment_id, int64_t id, const struct filters *filters,
                          struct error_row *out, bool *found)
{
    struct buf sql, where, rows;
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&where, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&where, "environment_id = ");
    store_escape_text(&where, span_of(environment_id));
    buf_addf(&where, " AND has(error_ids, %lld)", (long long)id);
    if (filters) filters_sql(filters, &where);
    buf_addf(&sql, "SELECT error_codes[indexOf(error_ids, %lld)], error_messages[indexOf(error_ids, %lld)] FROM ",
             (long long)id, (long long)id);
    store_views_from(&sql, q->store, "error_ids, error_codes, error_messages", buf_span(&where));
    buf_adds(&sql, " LIMIT 1");
    enum err e = sql.failed || where.failed ? ERR_FULL : store_select(q->store, buf_span(&sql), &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    *found = e == ERR_NONE && rows.len > 0;
    *out = (struct error_row){.id = id};
    if (*found) {
        out->code = text_or_none(q->arena, rb_text(&in));
        out->message = text_or_none(q->arena, rb_text(&in));
        if (!in.ok) e = ERR_CORRUPT;
    }
    buf_free(&sql);
    buf_free(&where);
    buf_free(&rows);
    return e;
}
